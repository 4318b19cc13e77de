"""Both warehouses side by side: move raw tables over, build dbt on each, compare relations row by row."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import redshift_connector

from ingest.staging_redshift import fitting
from modeling.io.redshift import arrow_type
from settings import ROOT
from sql.catalog import MANAGED_SCHEMAS, tables
from sql.transfer import Staging, copy_parquet, unload_parquet
from standin.stack import Stack

DBT = [str(Path(sys.executable).with_name("dbt")), "--no-version-check"]


def transfer(
    source: Path, stack: Stack, schemas: Sequence[str] = ("raw", "raw_history", "intake", "runs")
) -> int:
    """Copy the tables that dbt does not build from a DuckDB file to the stand-in (COPY, then rows counted)."""
    connection = stack.connect()
    cursor = connection.cursor()
    moved = 0
    with (
        duckdb.connect(str(source), read_only=True) as db,
        Staging(stack.s3(), stack.staging_uri, "parity") as staging,
    ):
        there = {
            f"{s}.{t}"
            for s, t in db.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
        }
        for table in tables():
            if table.schema not in schemas or table.schema not in MANAGED_SCHEMAS:
                continue
            cursor.execute(f"delete from {table.qualified}")
            if table.qualified not in there:
                continue
            names = [c.name for c in table.columns]
            rows = db.sql(
                f"select {', '.join(quote(n) for n in names)} from {table.schema}.{quote(table.name)}"
            ).to_arrow_table()
            if not rows.num_rows:
                continue
            fitted = {c.name: fitting(rows[c.name], c.name, c.type, table.name) for c in table.columns}
            manifest = staging.put(pa.table(fitted), f"{table.schema}_{table.name}")
            cursor.execute(
                copy_parquet(table.qualified, [quote(n) for n in names], manifest, stack.copy_role)
            )
            cursor.execute(f"select count(*) from {table.qualified}")
            assert cursor.fetchone()[0] == rows.num_rows, table.qualified
            moved += rows.num_rows
    connection.commit()
    connection.close()
    return moved


def copy_built(source: Path, stack: Stack, names: Iterable[str]) -> None:
    """Give feature tables on the stand-in the very rows of the DuckDB file, floats to the last bit."""
    connection = stack.connect()
    cursor = connection.cursor()
    with (
        duckdb.connect(str(source), read_only=True) as db,
        Staging(stack.s3(), stack.staging_uri, "parity") as staging,
    ):
        there = relations(db, ("features",))
        for name in sorted(names):
            table = f"features.{name}"
            rows = db.sql(f"select {', '.join(map(quote, there[table]))} from {table}").to_arrow_table()
            cursor.execute(
                "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
                f"from information_schema.columns where table_schema || '.' || table_name = '{table}'"
            )
            types = {str(n): arrow_type(str(k), *rest) for n, k, *rest in cursor.fetchall()}
            schema = pa.schema([(c, types[c]) for c in there[table]])
            manifest = staging.put(rows.cast(schema), name)
            cursor.execute(f"delete from {table}")
            cursor.execute(copy_parquet(table, [quote(c) for c in there[table]], manifest, stack.copy_role))
    connection.commit()
    connection.close()


def quote(name: str) -> str:
    return f'"{name}"'


def dbt(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run dbt on the project with its own target and log folders."""
    paths = ["--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(ROOT / "dbt")]
    paths += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    env = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", **environment}
    return subprocess.run([*DBT, *arguments, *paths], cwd=ROOT, env=env, capture_output=True, text=True)


def compare(db: duckdb.DuckDBPyConnection, left: str, right: pa.Table, names: Sequence[str]) -> list[str]:
    """Up to three differences between a query's rows and ``right``: decimals exact, floats to 1e-9 relative.

    Rows are paired after sorting by everything that is not a float; DuckDB is used as the calculator only.
    """
    db.execute(f"create or replace temp table left_rows as {left}")
    db.register("right_rows", right)
    kinds = {str(n): str(k) for n, k, *_ in db.execute("describe left_rows").fetchall()}
    counts = db.execute(
        "select (select count(*) from left_rows), (select count(*) from right_rows)"
    ).fetchone()
    assert counts is not None
    if counts[0] != counts[1]:
        texts = ", ".join(
            f"cast({quote(n)} as varchar)" for n in names if kinds[n] not in ("DOUBLE", "FLOAT")
        )
        only = [
            db.execute(f"select {texts or 1} from {a} except select {texts or 1} from {b} limit 1").fetchall()
            for a, b in (("left_rows", "right_rows"), ("right_rows", "left_rows"))
        ]
        return [f"{counts[0]} against {counts[1]} rows; only left {only[0]}, only right {only[1]}"]
    floats = [n for n in names if kinds[n] in ("DOUBLE", "FLOAT")]
    exact = [n for n in names if n not in floats]
    order = ", ".join(map(quote, [*exact, *floats]))
    found = []
    db.execute(
        "create or replace temp table both_rows as "
        f"select {', '.join(f'a.{quote(n)} as a_{i}, b.{quote(n)} as b_{i}' for i, n in enumerate(names))} "
        f"from (select * from left_rows order by {order}) as a positional join (select * from right_rows order by {order}) as b"
    )
    for i, name in enumerate(names):
        differs = f"a_{i} is distinct from b_{i}"
        if name in floats:
            near = f"isfinite(a_{i}) and isfinite(b_{i}) and abs(a_{i} - b_{i}) <= 1e-9 * greatest(abs(a_{i}), abs(b_{i})) + 1e-12"
            differs += f" and not coalesce({near}, false)"
        rows = db.execute(f"select a_{i}, b_{i}, a_0 from both_rows where {differs} limit 2").fetchall()
        found += [f"{name}: {a!r} against {b!r} near {first!r}" for a, b, first in rows]
    return found[:3]


#: Tables with more rows than this come by UNLOAD, smaller ones over the connection.
UNLOADED = 2000


def rows_of(
    cursor: Any, staging: Staging, role: str, table: str, names: Sequence[str], expected: int
) -> pa.Table:
    """The listed columns of a table on the stand-in, in the column types that it states."""
    cursor.execute(
        "select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        f"from information_schema.columns where table_schema || '.' || table_name = '{table}'"
    )
    types = {str(n): arrow_type(str(k), *rest) for n, k, *rest in cursor.fetchall()}
    query = f"select {', '.join(map(quote, names))} from {table}"
    if expected > UNLOADED:
        name = table.replace(".", "_") + "_"
        cursor.execute(unload_parquet(query, f"{staging.prefix_uri}/{name}", role))
        return staging.read(name)
    cursor.execute(query)
    found = cursor.fetchall()
    arrays = []
    for i, name in enumerate(names):
        kind = types[name]
        if pa.types.is_decimal(kind) and (kind.precision, kind.scale) == (38, 0):
            kind = None  # no declared scale: as the values are
        arrays.append(pa.array([r[i] for r in found], type=kind))
    return pa.Table.from_arrays(arrays, names=list(names))


def relations(db: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> dict[str, list[str]]:
    """schema.table -> columns."""
    marks = ", ".join("?" for _ in schemas)
    found: dict[str, list[str]] = {}
    for schema, table, column in db.execute(
        f"select table_schema, table_name, column_name from information_schema.columns where table_schema in ({marks}) "
        "order by table_schema, table_name, ordinal_position",
        list(schemas),
    ).fetchall():
        found.setdefault(f"{schema}.{table}", []).append(column)
    return found


def differences(
    source: Path,
    stack: Stack,
    schemas: Sequence[str],
    skip: Mapping[str, set[str]] | None = None,
    compared: dict[str, int] | None = None,
) -> dict[str, list[str]]:
    """schema.table -> what differs between DuckDB and the stand-in; relations that are equal are left out.

    ``skip`` names columns that are facts about one run (table -> columns; "*" for every table). ``compared`` gets the
    rows of each table.
    """
    out: dict[str, list[str]] = {}
    connection = stack.connect()
    connection.autocommit = True
    cursor = connection.cursor()
    with (
        duckdb.connect(str(source), read_only=True) as db,
        Staging(stack.s3(), stack.staging_uri, "compare") as staging,
    ):
        for name, columns in relations(db, schemas).items():
            left_out = {*(skip or {}).get("*", ()), *(skip or {}).get(name, ())}
            kept = [c for c in columns if c not in left_out]
            query = f"select {', '.join(map(quote, kept))} from {name}"
            expected = int(db.execute(f"select count(*) from {name}").fetchall()[0][0])
            if compared is not None:
                compared[name] = expected
            try:
                found = compare(
                    db, query, rows_of(cursor, staging, stack.copy_role, name, kept, expected), kept
                )
            except (redshift_connector.Error, pa.ArrowException, duckdb.Error) as error:
                found = [str(error)[:300]]
            if found:
                out[name] = found
    connection.close()
    return out
