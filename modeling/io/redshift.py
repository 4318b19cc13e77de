"""The Redshift side of the models' door: UNLOAD and COPY through the staging bucket, one transaction a run unit.

Tables are the administrator's (``python -m sql migrate``); here they are only checked. Every write is a whole
transaction that may be repeated, and is repeated when Redshift reports a serialisation error or the connection drops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from modeling.io.base import COMMON_COLUMNS, RUN_TABLES, Columns
from modeling.io.duckdb import quote
from settings import Redshift
from sql import session
from sql.transfer import Staging, copy_parquet, s3_client, unload_parquet

T = TypeVar("T")
#: Above this many rows a table is read by UNLOAD (parallel, through S3) instead of over one connection.
UNLOAD_ROWS = 50_000


class TablesMissing(RuntimeError):
    """A declared table or column is not in the warehouse; the message says what to run."""


def arrow_type(kind: str, length: Any = None, precision: Any = None, scale: Any = None) -> pa.DataType:
    """Arrow type of an ``information_schema`` type; text for what has no closer one."""
    if kind == "numeric":
        return pa.decimal128(int(precision or 38), int(scale or 0))
    known = {
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double precision": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp without time zone": pa.timestamp("us"),
    }
    return known.get(kind, pa.string())


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """``table`` with the columns of ``schema`` that it has, cast to their types (COPY from Parquet casts nothing).

    Raises:
        ValueError: a value does not fit its column, or the file has a column that the table has not.
    """
    unknown = [name for name in table.column_names if name not in schema.names]
    if unknown:
        raise ValueError(f"no such column in the run-output table: {', '.join(unknown)}")
    fields, columns = [], []
    for name in table.column_names:
        wanted = schema.field(name)
        column = table[name]
        if pa.types.is_null(column.type) or column.type != wanted.type:
            # a whole number kept as a float (a column with gaps) is exact; a fraction in an integer column is an error
            column = column.cast(wanted.type, safe=not pa.types.is_floating(wanted.type))
        columns.append(column)
        fields.append(wanted)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


class RedshiftWarehouse:
    """See :class:`modeling.io.base.Warehouse`."""

    def __init__(self, redshift: Redshift) -> None:
        self.redshift = redshift
        self._connection: Any = None
        self._s3: Any = None

    def __enter__(self) -> RedshiftWarehouse:
        self._connection = session.connect(self.redshift)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            session.close_quietly(self._connection)
            self._connection = None

    @property
    def _db(self) -> Any:
        if self._connection is None:
            raise RuntimeError("open the warehouse with a with statement")
        return self._connection

    def _staging(self, label: str) -> Staging:
        if self._s3 is None:
            self._s3 = s3_client()
        return Staging(self._s3, self.redshift.s3_staging_uri, label)

    def _transaction(self, action: Callable[[Any], T]) -> T:
        """Run ``action`` with a cursor and commit; a transient error gets a new connection and another try."""

        def once() -> T:
            if self._connection is None:
                self._connection = session.connect(self.redshift)
            cursor = self._db.cursor()
            cursor.paramstyle = "qmark"
            try:
                result = action(cursor)
                self._db.commit()
                return result
            except BaseException as error:
                if session.is_transient(error):
                    self._close()
                else:
                    self._db.rollback()
                raise

        return session.retrying(once)

    @staticmethod
    def _rows(cursor: Any, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor.execute(sql, tuple(parameters) if parameters else None)
        return [tuple(r) for r in cursor.fetchall()] if cursor.description else []

    def _schema(self, cursor: Any, table: str) -> pa.Schema:
        schema, name = table.split(".")
        found = self._rows(
            cursor,
            "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
            "from information_schema.columns where table_schema = ? and table_name = ? order by ordinal_position",
            [schema, name],
        )
        return pa.schema([(str(n), arrow_type(str(k), length, p, s)) for n, k, length, p, s in found])

    def has_table(self, table: str) -> bool:
        return bool(self._transaction(lambda cursor: self._schema(cursor, table).names))

    def ensure_tables(self, tables: Mapping[str, Columns]) -> None:
        """Check that the declared tables are there; the modeller may not make them.

        Raises:
            TablesMissing: one is not, or lacks a column.
        """
        listed = self._transaction(
            lambda cursor: self._rows(
                cursor,
                "select table_name, column_name from information_schema.columns where table_schema = 'runs'",
            )
        )
        there = {(str(t), str(c)) for t, c in listed}
        missing = [
            f"runs.{table}.{column}"
            for table, columns in tables.items()
            for column in (columns if table in RUN_TABLES else {**COMMON_COLUMNS, **columns})
            if (table, column) not in there
        ]
        if missing:
            raise TablesMissing(
                f"missing: {', '.join(missing[:5])}; the administrator runs: python -m sql migrate"
            )

    def read(self, cursor: Any, table: str, columns: Sequence[str]) -> pa.Table:
        """Columns of a table inside the caller's transaction: over its connection, or by UNLOAD where it is large."""
        listed = ", ".join(quote(c) for c in columns)
        name = ".".join(quote(part) for part in table.split("."))
        query = f"select {listed} from {name}"
        known = self._schema(cursor, table)
        schema = pa.schema([known.field(c) for c in columns])
        count = int(self._rows(cursor, f"select count(*) from {name}")[0][0])
        if count > UNLOAD_ROWS:
            with self._staging("read") as staging:
                role = self.redshift.copy_role_arn
                cursor.execute(unload_parquet(query, f"{staging.prefix_uri}/rows_", role))
                return conform(staging.read("rows_"), schema)
        rows = self._rows(cursor, query)
        arrays = [pa.array([r[i] for r in rows], type=f.type) for i, f in enumerate(schema)]
        return pa.Table.from_arrays(arrays, schema=schema)

    def export(self, table: str, columns: Sequence[str], path: Path) -> int:
        found = self._transaction(lambda cursor: self.read(cursor, table, columns))
        # one order for all rows, so that the same content is the same file whatever the plan was
        found = found.sort_by([(c, "ascending") for c in columns]) if found.num_rows else found
        pq.write_table(found, path)
        return int(found.num_rows)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._transaction(lambda cursor: self._rows(cursor, sql, parameters))

    def record(self, run: Mapping[str, Any], outputs: Mapping[str, Path]) -> bool:
        key = [run["run_id"], run["unit"]]
        with self._staging("runs") as staging:

            def write(cursor: Any) -> bool:
                done = self._rows(
                    cursor,
                    "select count(*) from runs.model_run where run_id = ? and unit = ? and status = 'succeeded'",
                    key,
                )
                if done[0][0]:
                    return False
                cursor.execute("lock runs.model_run")  # recorded_seq is the next number, once
                cursor.execute("delete from runs.model_run where run_id = ? and unit = ?", tuple(key))
                for table, path in outputs.items():
                    self._replace(cursor, staging, table, path, key)
                sequence = self._rows(
                    cursor, "select coalesce(max(recorded_seq), 0) + 1 from runs.model_run"
                )[0][0]
                self._insert(cursor, "model_run", [{**run, "recorded_seq": int(sequence)}])
                return True

            return self._transaction(write)

    def _replace(self, cursor: Any, staging: Staging, table: str, path: Path, key: Sequence[str]) -> None:
        name = f"runs.{quote(table)}"
        cursor.execute(f"delete from {name} where run_id = ? and unit = ?", tuple(key))
        rows = conform(pq.read_table(path), self._schema(cursor, f"runs.{table}"))
        if not rows.num_rows:
            return
        manifest = staging.put(rows, table)
        cursor.execute(
            copy_parquet(name, [quote(c) for c in rows.column_names], manifest, self.redshift.copy_role_arn)
        )

    def append(self, table: str, rows: Sequence[Mapping[str, Any]], replace_key: Sequence[str]) -> None:
        clause = " and ".join(f"{quote(c)} = ?" for c in replace_key)

        def write(cursor: Any) -> None:
            for row in rows:
                cursor.execute(
                    f"delete from runs.{quote(table)} where {clause}", tuple(row[c] for c in replace_key)
                )
            self._insert(cursor, table, rows)

        self._transaction(write)

    def _insert(self, cursor: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            names = ", ".join(quote(c) for c in row)
            marks = ", ".join("?" for _ in row)
            cursor.execute(f"insert into runs.{quote(table)} ({names}) values ({marks})", tuple(row.values()))
