"""The Redshift Data API over HTTP, answered by really running the SQL on the stand-in.

Point boto3 at it with ``AWS_ENDPOINT_URL_REDSHIFT_DATA``. ExecuteStatement, BatchExecuteStatement (one transaction),
sessions (SessionKeepAliveSeconds, SessionId: one connection over several calls, never expired here), DescribeStatement, GetStatementResult, ListStatements and CancelStatement; ClientToken makes a repeated call the same
statement. Authorisation, throttling, paging and the 24-hour retention are absent.
"""

from __future__ import annotations

import datetime
import decimal
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_TYPES = {
    bool: "bool",
    int: "int8",
    float: "float8",
    decimal.Decimal: "numeric",
    datetime.date: "date",
    datetime.datetime: "timestamp",
}
_NAMED = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")


@dataclass
class _Statement:
    sqls: list[str]
    database: str
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)
    status: str = "SUBMITTED"
    error: str = ""
    results: list[tuple[list[dict[str, Any]], list[Any]] | None] = field(default_factory=list)
    updated: float = field(default_factory=time.time)
    session: str | None = None

    def described(self, identifier: str) -> dict[str, Any]:
        last = self.results[-1] if self.results else None
        out: dict[str, Any] = {
            "Id": identifier,
            "Status": self.status,
            "QueryString": self.sqls[0],
            "Database": self.database,
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "HasResultSet": last is not None and len(self.sqls) == 1,
            "ResultRows": len(last[1]) if last else -1,
            "Duration": int((self.updated - self.created) * 1e9),
        }
        if self.error:
            out["Error"] = self.error
        if len(self.sqls) > 1:
            out["SubStatements"] = [
                {"Id": f"{self.identifier}:{i + 1}", "Status": "FINISHED", "QueryString": sql, "HasResultSet": result is not None,
                 "ResultRows": len(result[1]) if result else -1}
                for i, (sql, result) in enumerate(zip(self.sqls, self.results, strict=False))
            ]  # fmt: skip
        return out


def _bind(sql: str, parameters: list[dict[str, str]] | None) -> str:
    values = {p["name"]: "'" + p["value"].replace("'", "''") + "'" for p in parameters or []}
    parts = re.split(r"('(?:[^']|'')*')", sql)  # a colon inside a literal is no parameter
    for i in range(0, len(parts), 2):
        parts[i] = _NAMED.sub(lambda m: values.get(m[1], m[0]), parts[i])
    return "".join(parts)


def _field(value: Any) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}


def _column(name: Any, values: list[Any]) -> dict[str, Any]:
    label = name.decode() if isinstance(name, bytes) else str(name)
    sample = next((v for v in values if v is not None), "")
    return {"name": label, "label": label, "typeName": _TYPES.get(type(sample), "varchar")}


class _Problem(Exception):
    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class DataApi:
    """Statements and their answers; ``connect(database, user)`` gives a DB-API connection to the stand-in."""

    def __init__(self, connect: Callable[[str, str | None], Any]) -> None:
        self._connect = connect
        self._statements: dict[str, _Statement] = {}
        self._tokens: dict[str, str] = {}
        self._sessions: dict[str, Any] = {}
        self._lock = threading.Lock()

    def _submit(self, request: dict[str, Any], sqls: list[str]) -> dict[str, Any]:
        token, session = request.get("ClientToken"), request.get("SessionId")
        with self._lock:
            if token and token in self._tokens:
                return self._accepted(self._statements[self._tokens[token]])
            if session and session not in self._sessions:
                raise _Problem("ValidationException", f"Session is not available: {session}")
            statement = _Statement(sqls, request.get("Database", "dev"), session=session)
            if not session and request.get("SessionKeepAliveSeconds"):
                statement.session = str(uuid.uuid4())
            self._statements[statement.identifier] = statement
            if token:
                self._tokens[token] = statement.identifier
        threading.Thread(target=self._run, args=(statement, self._user(request)), daemon=True).start()
        return self._accepted(statement)

    @staticmethod
    def _user(request: dict[str, Any]) -> str | None:
        """The signed-in user: DbUser, or the last part of the secret's name, as the project names its secrets."""
        secret = str(request.get("SecretArn", "")).rsplit("/", 1)[-1]
        return request.get("DbUser") or (re.sub(r"-\w{6}$", "", secret) or None)

    @staticmethod
    def _accepted(statement: _Statement) -> dict[str, Any]:
        out = {"Id": statement.identifier, "CreatedAt": statement.created, "Database": statement.database}
        return {**out, "SessionId": statement.session} if statement.session else out

    def _run(self, statement: _Statement, user: str | None) -> None:
        statement.status = "STARTED"
        try:
            connection = self._sessions.get(statement.session or "") or self._connect(
                statement.database, user
            )
            if statement.session:
                connection.autocommit = True
                self._sessions[statement.session] = connection
            try:
                self._execute(connection, statement)
            finally:
                if not statement.session:
                    connection.close()
            statement.status = "FINISHED"
        except Exception as problem:  # every failure of the statement is its answer
            first = problem.args[0] if problem.args else problem
            said = [str(first.get(k, "")) for k in ("M", "D")] if isinstance(first, dict) else [str(first)]
            statement.error = "ERROR: " + " ".join(filter(None, said))
            statement.status = "FAILED"
        statement.updated = time.time()

    @staticmethod
    def _execute(connection: Any, statement: _Statement) -> None:
        cursor = connection.cursor()
        batch = statement.session is not None and len(statement.sqls) > 1
        if batch:
            cursor.execute("begin")
        for sql in statement.sqls:
            cursor.execute(sql)
            result = None
            if cursor.description is not None:
                rows = [list(row) for row in cursor.fetchall()]
                columns = [_column(d[0], [r[i] for r in rows[:50]]) for i, d in enumerate(cursor.description)]
                result = (columns, rows)
            statement.results.append(result)
        if batch:
            cursor.execute("commit")
        elif statement.session is None:
            connection.commit()

    def _find(self, identifier: str) -> tuple[_Statement, int]:
        base, _, part = identifier.partition(":")
        statement = self._statements.get(base)
        if statement is None:
            raise _Problem("ResourceNotFoundException", f"Query does not exist: {identifier}")
        return statement, int(part or 1) - 1

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """The response document; raises for an unknown operation or statement."""
        if operation == "ExecuteStatement":
            return self._submit(request, [_bind(request["Sql"], request.get("Parameters"))])
        if operation == "BatchExecuteStatement":
            return self._submit(request, list(request["Sqls"]))
        if operation == "DescribeStatement":
            return self._find(request["Id"])[0].described(request["Id"])
        if operation == "ListStatements":
            return {"Statements": [s.described(i) for i, s in self._statements.items()]}
        if operation == "CancelStatement":
            return {"Status": False}
        if operation == "GetStatementResult":
            statement, at = self._find(request["Id"])
            result = statement.results[at] if at < len(statement.results) else None
            if statement.status != "FINISHED" or result is None:
                raise _Problem("ResourceNotFoundException", "Query does not have result.")
            columns, rows = result
            return {
                "ColumnMetadata": columns,
                "Records": [[_field(v) for v in r] for r in rows],
                "TotalNumRows": len(rows),
            }
        raise _Problem("ValidationException", f"{operation} is not in the stand-in")


def serve(api: DataApi, port: int) -> ThreadingHTTPServer:
    """A server on the loopback address, running in a thread; stop it with shutdown() and server_close()."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """No access log."""

        def do_POST(self) -> None:
            operation = self.headers.get("X-Amz-Target", "").split(".")[-1]
            request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            try:
                status, document = 200, api.answer(operation, request)
            except _Problem as problem:
                status, document = 400, {"__type": problem.kind, "message": str(problem)}
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
