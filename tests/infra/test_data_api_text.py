"""Statements and parameters as the Data API takes them."""

from __future__ import annotations

from typing import Any

import pytest

from sql.dataapi import DataApiConnection, DataApiError, named


def test_marks_become_names_outside_literals() -> None:
    sql, parameters = named("select '?', ? , ?, ? where a = ?", ["x'y", None, "", 3])
    assert sql == "select '?', :p1 , null, '' where a = :p2"
    assert parameters == [{"name": "p1", "value": "x'y"}, {"name": "p2", "value": "3"}]


class Api:
    """A client that remembers what was sent."""

    def __init__(self, fail: str = "") -> None:
        self.sent: list[dict[str, Any]] = []
        self.fail = fail

    def execute_statement(self, **request: Any) -> dict[str, Any]:
        self.sent.append(request)
        return {"Id": str(len(self.sent)), "SessionId": "s1"}

    def describe_statement(self, Id: str) -> dict[str, Any]:
        if self.fail and self.fail in self.sent[-1]["Sql"]:
            return {"Status": "FAILED", "Error": "ERROR: 1023 Serializable isolation violation"}
        return {"Status": "FINISHED", "HasResultSet": self.sent[int(Id) - 1]["Sql"].startswith("select")}

    def get_statement_result(self, Id: str, NextToken: str = "") -> dict[str, Any]:
        page = {
            "ColumnMetadata": [{"name": "n", "typeName": "numeric"}],
            "Records": [[{"stringValue": "1.50"}]],
        }
        return page if NextToken else {**page, "NextToken": "more"}


def test_one_session_one_transaction_all_pages() -> None:
    api = Api()
    connection = DataApiConnection("wg", "dev", "arn", client=api)
    cursor = connection.cursor()
    cursor.execute("select a from t where b = ?", (1,))
    assert [str(r[0]) for r in cursor.fetchall()] == ["1.50", "1.50"]
    cursor.execute("delete from t")
    connection.commit()
    connection.commit()
    assert [s["Sql"] for s in api.sent] == [
        "begin",
        "select a from t where b = :p1",
        "delete from t",
        "commit",
    ]
    assert api.sent[0]["WorkgroupName"] == "wg" and "SessionKeepAliveSeconds" in api.sent[0]
    assert all(s["SessionId"] == "s1" for s in api.sent[1:])


def test_a_serialisation_error_may_be_tried_again() -> None:
    from sql.session import is_transient, retrying

    api = Api(fail="delete")
    with pytest.raises(DataApiError) as caught:
        DataApiConnection("wg", "dev", "arn", client=api).cursor().execute("delete from t")
    assert is_transient(caught.value)
    assert not is_transient(DataApiError("ERROR: syntax error"))
    tries = []

    def action() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise caught.value
        return 7

    assert retrying(action, pause=0) == 7 and len(tries) == 3
