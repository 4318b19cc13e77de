"""Both warehouses side by side: move raw tables over, build dbt on each, compare relations row by row."""

from __future__ import annotations

import datetime as dt
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ingest.warehouse_redshift import _fitting
from settings import ROOT
from sql.catalog import MANAGED_SCHEMAS, tables
from sql.transfer import Staging, copy_parquet
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
            rows = db.execute(
                f"select {', '.join(quote(n) for n in names)} from {table.schema}.{quote(table.name)}"
            ).to_arrow_table()
            if not rows.num_rows:
                continue
            fitted = {c.name: _fitting(rows[c.name], c.name, c.type, table.name) for c in table.columns}
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


def _plain(value: Any) -> Any:
    """One form for both drivers; decimals and integers stay exact, floats are compared apart."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, Decimal):
        return value.normalize() if value else Decimal(0)
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    return value


def _key(row: Sequence[Any]) -> tuple[str, ...]:
    return tuple(f"{v:.6g}" if isinstance(v, float) else str(v) for v in row)


def compare(left: Sequence[Sequence[Any]], right: Sequence[Sequence[Any]], names: Sequence[str]) -> list[str]:
    """Differences of two relations with the same columns: decimals exact, floats to 1e-9 relative."""
    if len(left) != len(right):
        only = _only(left, right)
        return [f"{len(left)} against {len(right)} rows{only}"]
    exact = [
        i
        for i, _ in enumerate(names)
        if not any(isinstance(r[i], float) for r in (*left[:2000], *right[:2000]))
    ]
    order = [*exact, *[i for i in range(len(names)) if i not in exact]]

    def arranged(rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        return sorted((tuple(_plain(r[i]) for i in order) for r in rows), key=_key)

    found = []
    for one, two in zip(arranged(left), arranged(right), strict=True):
        for at, (a, b) in enumerate(zip(one, two, strict=True)):
            if isinstance(a, float) or isinstance(b, float):
                same = (
                    a == b
                    if a is None or b is None or isinstance(a, str) or isinstance(b, str)
                    else math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
                )
            else:
                same = a == b
            if not same:
                found.append(f"{names[order[at]]}: {a!r} against {b!r} in {one[:6]}")
    return found[:3]


def _only(left: Sequence[Sequence[Any]], right: Sequence[Sequence[Any]]) -> str:
    a, b = {tuple(map(str, map(_plain, r))) for r in left}, {tuple(map(str, map(_plain, r))) for r in right}
    return f"; only left {sorted(a - b)[:1]}, only right {sorted(b - a)[:1]}"


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
    source: Path, stack: Stack, schemas: Sequence[str], skip: Mapping[str, set[str]] | None = None
) -> dict[str, list[str]]:
    """schema.table -> what differs between DuckDB and the stand-in; relations that are equal are left out.

    ``skip`` names columns that are facts about one run (table -> columns; "*" for every table).
    """
    out: dict[str, list[str]] = {}
    connection = stack.connect()
    cursor = connection.cursor()
    with duckdb.connect(str(source), read_only=True) as db:
        for name, columns in relations(db, schemas).items():
            left_out = {*(skip or {}).get("*", ()), *(skip or {}).get(name, ())}
            kept = [c for c in columns if c not in left_out]
            query = f"select {', '.join(map(quote, kept))} from {name}"
            left = db.execute(query).fetchall()
            try:
                cursor.execute(query)
                right = [tuple(r) for r in cursor.fetchall()]
            except Exception as error:
                connection.rollback()
                out[name] = [str(error)[:300]]
                continue
            if found := compare(left, right, kept):
                out[name] = found
    connection.close()
    return out
