"""The DuckDB side of the models' door. One read-write process at a time; open late, close early."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from modeling.io.base import COMMON_COLUMNS, RUN_TABLES, Columns, WarehouseBusy


def connect(path: Path, *, wait_seconds: float = 120.0, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the file, waiting a bounded time for a process that holds it.

    Raises:
        WarehouseBusy: still locked after ``wait_seconds``; the message carries DuckDB's naming of the holder.
    """
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() > deadline:
                raise WarehouseBusy(" ".join(str(error).split())) from error
            time.sleep(0.2)


def quote(name: str) -> str:
    """A name as an SQL identifier; names come from specs and contracts, values are always bound."""
    if not name.replace("_", "").isalnum():
        raise ValueError(f"not an identifier: {name!r}")
    return f'"{name}"'


def _qualified(table: str) -> str:
    return ".".join(quote(part) for part in table.split("."))


class DuckDBWarehouse:
    """See :class:`modeling.io.base.Warehouse`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> DuckDBWarehouse:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = connect(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _db(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise RuntimeError("open the warehouse with a with statement")
        return self._connection

    def _columns(self, table: str) -> list[str]:
        schema, name = table.split(".")
        rows = self._db.execute(
            "select column_name from information_schema.columns "
            "where table_schema = ? and table_name = ? order by ordinal_position",
            [schema, name],
        ).fetchall()
        return [str(r[0]) for r in rows]

    def has_table(self, table: str) -> bool:
        return bool(self._columns(table))

    def ensure_tables(self, tables: Mapping[str, Columns]) -> None:
        self._db.execute("create schema if not exists runs")
        for table, columns in tables.items():
            wanted = dict(columns) if table in RUN_TABLES else {**COMMON_COLUMNS, **columns}
            body = ", ".join(f"{quote(c)} {t}" for c, t in wanted.items())
            self._db.execute(f"create table if not exists runs.{quote(table)} ({body})")
            there = set(self._columns(f"runs.{table}"))
            for column, kind in wanted.items():
                if column not in there:
                    self._db.execute(f"alter table runs.{quote(table)} add column {quote(column)} {kind}")

    def export(self, table: str, columns: Sequence[str], path: Path) -> int:
        listed = ", ".join(quote(c) for c in columns)
        # one order for all rows, so that the same content is the same file whatever the plan was
        self._db.execute(
            f"copy (select {listed} from {_qualified(table)} order by all) to '{_literal(path)}' (format parquet)"
        )
        row = self._db.execute(f"select count(*) from {_qualified(table)}").fetchone()
        return int(row[0]) if row else 0

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return [tuple(r) for r in self._db.execute(sql, list(parameters)).fetchall()]

    def record(self, run: Mapping[str, Any], outputs: Mapping[str, Path]) -> bool:
        key = [run["run_id"], run["unit"]]
        done = self._db.execute(
            "select count(*) from runs.model_run where run_id = ? and unit = ? and status = 'succeeded'", key
        ).fetchone()
        if done and done[0]:
            return False
        self._db.begin()
        try:
            self._db.execute("delete from runs.model_run where run_id = ? and unit = ?", key)
            for table, path in outputs.items():
                name = f"runs.{quote(table)}"
                self._db.execute(f"delete from {name} where run_id = ? and unit = ?", key)
                self._db.execute(f"insert into {name} by name select * from read_parquet(?)", [str(path)])
            self._insert("model_run", [{**run, "recorded_seq": self._next_sequence()}])
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise
        return True

    def append(self, table: str, rows: Sequence[Mapping[str, Any]], replace_key: Sequence[str]) -> None:
        self._db.begin()
        try:
            clause = " and ".join(f"{quote(c)} = ?" for c in replace_key)
            for row in rows:
                self._db.execute(
                    f"delete from runs.{quote(table)} where {clause}", [row[c] for c in replace_key]
                )
            self._insert(table, rows)
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            names = ", ".join(quote(c) for c in row)
            marks = ", ".join("?" for _ in row)
            self._db.execute(
                f"insert into runs.{quote(table)} ({names}) values ({marks})", list(row.values())
            )

    def _next_sequence(self) -> int:
        row = self._db.execute("select coalesce(max(recorded_seq), 0) + 1 from runs.model_run").fetchone()
        return int(row[0]) if row else 1


def _literal(path: Path) -> str:
    """A path inside an SQL string: COPY ... TO takes no bound parameter."""
    return str(path).replace("'", "''")
