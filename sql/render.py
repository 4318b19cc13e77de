"""Table definitions as text for one engine."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sql.catalog import BUILT_SCHEMAS, MANAGED_SCHEMAS, Column, Table, tables
from sql.roles import OWNER

ENGINES = ("duckdb", "redshift")
_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")


def identifier(name: str) -> str:
    """``name`` if it is a plain lower-case name; definitions never need quoting.

    Raises:
        ValueError: anything else.
    """
    if not _NAME.match(name):
        raise ValueError(f"not a plain name: {name!r}")
    return name


def column_type(column: Column, engine: str) -> str:
    """The engine's type; DuckDB keeps text unlimited, as the intake makes it."""
    if engine == "duckdb":
        return (
            "varchar"
            if column.type.startswith("varchar")
            else column.type.replace("double precision", "double")
        )
    return column.type


def create_table(table: Table, engine: str) -> str:
    """CREATE TABLE of one table, without a closing semicolon."""
    if engine == "duckdb":
        body = ", ".join(f'"{identifier(c.name)}" {column_type(c, engine)}' for c in table.columns)
        return f'create table {identifier(table.schema)}."{identifier(table.name)}" ({body})'
    lines = []
    for column in table.columns:
        # The leading sort column stays raw: a compressed one makes range-restricted scans read more blocks.
        encoding = "raw" if table.sort[:1] == (column.name,) else column.encoding
        lines.append(f"  {identifier(column.name)} {column.type} encode {encoding}")
    kind, _, key = table.distribution.partition(":")
    distribution = f"diststyle key distkey ({identifier(key)})" if key else f"diststyle {kind}"
    sort = f"\ncompound sortkey ({', '.join(map(identifier, table.sort))})" if table.sort else ""
    return (
        f"create table {identifier(table.schema)}.{identifier(table.name)} (\n"
        + ",\n".join(lines)
        + f"\n)\n{distribution}{sort}"
    )


def create_schema(name: str, engine: str) -> str:
    """CREATE SCHEMA, owned by the administrator on Redshift."""
    owner = f" authorization {OWNER}" if engine == "redshift" else ""
    return f"create schema if not exists {identifier(name)}{owner}"


def definition(engine: str) -> Iterable[str]:
    """Every statement that makes the schemas and tables of an empty warehouse."""
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r} (allowed: {', '.join(ENGINES)})")
    schemas = MANAGED_SCHEMAS + (BUILT_SCHEMAS if engine == "redshift" else ())
    for schema in schemas:
        yield create_schema(schema, engine)
    for table in tables():
        yield create_table(table, engine)
