"""Statements whose result is read at once, so that none is left open on a connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb


class Rows:
    """All rows of one statement, with the column names."""

    def __init__(self, names: list[str], rows: list[tuple[Any, ...]]) -> None:
        self.names = names
        self._rows = rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Every row."""
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def first(self) -> tuple[Any, ...]:
        """The first row of a statement that always has one."""
        return self._rows[0]


Run = Callable[..., Rows]


def runner(connection: duckdb.DuckDBPyConnection) -> Run:
    """A function that executes one statement on ``connection`` and reads its whole result."""

    def run(sql: str, parameters: Sequence[object] = ()) -> Rows:
        cursor = connection.execute(sql, list(parameters)) if parameters else connection.execute(sql)
        names = [entry[0] for entry in cursor.description or []]
        return Rows(names, cursor.fetchall() if names else [])

    return run
