"""The Redshift Data API as a database connection: for code that has an IAM role but no network path to the cluster.

One session holds the transaction and its temporary tables over several calls. Only what this project's loaders use is
here: ``?`` parameters, one result set a statement, BEGIN at the first statement, commit, rollback, close.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

KEEP_ALIVE_SECONDS = 900
_LITERAL = re.compile(r"('(?:[^']|'')*')")
_CONVERT: dict[str, Callable[[str], Any]] = {
    "timestamp": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "numeric": Decimal,
}


class DataApiError(RuntimeError):
    """A statement failed; ``lost`` when the session itself is gone, so that a new one may succeed."""

    def __init__(self, text: str, *, lost: bool = False) -> None:
        super().__init__(text)
        self.lost = lost


def named(sql: str, values: Sequence[object]) -> tuple[str, list[dict[str, str]]]:
    """``?`` marks as the API's ``:p1``; every value goes as text; NULL and '', which the API cannot send, are written out."""
    parameters: list[dict[str, str]] = []
    waiting = iter(values)
    parts = _LITERAL.split(sql)

    def mark(_: re.Match[str]) -> str:
        value = next(waiting)
        if value is None:
            return "null"
        if value == "":
            return "''"
        parameters.append({"name": f"p{len(parameters) + 1}", "value": str(value)})
        return f":p{len(parameters)}"

    for at in range(0, len(parts), 2):
        parts[at] = re.sub(r"\?", mark, parts[at])
    return "".join(parts), parameters


class DataApiConnection:
    """One session. Not safe for threads."""

    def __init__(
        self, workgroup: str, database: str, secret_arn: str, *, client: Any = None, pause: float = 0.05
    ) -> None:
        import boto3

        self._client = client or boto3.client("redshift-data")
        self._opening = {"Database": database, "SecretArn": secret_arn}
        if workgroup:
            self._opening["WorkgroupName"] = workgroup
        self._pause = pause
        self._session: str | None = None
        self._in_transaction = False

    def cursor(self) -> DataApiCursor:
        """A cursor on this session."""
        return DataApiCursor(self)

    def run(self, sql: str, values: Sequence[object] = ()) -> tuple[list[str], list[tuple[Any, ...]]] | None:
        """Send one statement inside the session's transaction, wait for it, fetch its rows (None without a result)."""
        if not self._in_transaction:
            self._in_transaction = True
            self._statement("begin", [])
        return self._statement(*named(sql, values))

    def _statement(
        self, sql: str, parameters: list[dict[str, str]]
    ) -> tuple[list[str], list[tuple[Any, ...]]] | None:
        request: dict[str, Any] = {"Sql": sql, **({"Parameters": parameters} if parameters else {})}
        if self._session:
            request["SessionId"] = self._session
        else:
            request.update(self._opening, SessionKeepAliveSeconds=KEEP_ALIVE_SECONDS)
        sent = self._client.execute_statement(**request)
        self._session = sent.get("SessionId", self._session)
        found = self._wait(sent["Id"])
        return self._rows(sent["Id"]) if found.get("HasResultSet") else None

    def _wait(self, identifier: str) -> dict[str, Any]:
        pause = self._pause
        while True:
            found: dict[str, Any] = self._client.describe_statement(Id=identifier)
            if found["Status"] == "FINISHED":
                return found
            if found["Status"] in ("FAILED", "ABORTED"):
                text = str(found.get("Error", found["Status"]))
                raise DataApiError(text, lost="socket closed" in text or "session" in text.lower())
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def _rows(self, identifier: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        names: list[str] = []
        rows: list[tuple[Any, ...]] = []
        token: dict[str, str] = {}
        while True:
            page = self._client.get_statement_result(Id=identifier, **token)
            columns = page["ColumnMetadata"]
            names = [str(c["name"]) for c in columns]
            rows += [
                tuple(_value(f, c["typeName"]) for f, c in zip(r, columns, strict=True))
                for r in page["Records"]
            ]
            if not page.get("NextToken"):
                return names, rows
            token = {"NextToken": page["NextToken"]}

    def commit(self) -> None:
        """End the transaction, if one is open."""
        self._end("commit")

    def rollback(self) -> None:
        """Undo the transaction, if one is open."""
        self._end("rollback")

    def _end(self, word: str) -> None:
        if self._in_transaction:
            self._in_transaction = False
            self._statement(word, [])

    def close(self) -> None:
        """Undo what is open and forget the session; the API ends it after its keep-alive time."""
        try:
            self.rollback()
        finally:
            self._session = None


class DataApiCursor:
    """What the loaders need of a DB-API cursor."""

    paramstyle = "qmark"

    def __init__(self, connection: DataApiConnection) -> None:
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[str]] | None = None

    def execute(self, sql: str, values: Sequence[object] | None = None) -> None:
        """Run one statement; ``description`` and the rows are its result's."""
        result = self._connection.run(sql, values or ())
        self.description = None if result is None else [(name,) for name in result[0]]
        self._rows = [] if result is None else result[1]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows of the last statement."""
        return self._rows


def _value(field: dict[str, Any], kind: str) -> Any:
    if field.get("isNull"):
        return None
    value = next(iter(field.values()))
    convert = _CONVERT.get(kind)
    return convert(value) if convert and isinstance(value, str) else value
