"""Bring a live warehouse to the declared tables, and back.

A migration is computed, not written by hand: the difference between the catalog and the live columns, as steps that
each know their inverse. The steps are recorded in ``control.migration``; rolling back runs the recorded inverses. Only
changes that keep every row are made (new schema, table or column, longer text); any other difference is refused by
name, because moving data is a decision.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sql.catalog import BUILT_SCHEMAS, MANAGED_SCHEMAS, Column, Table, tables
from sql.render import column_type, create_schema, create_table, identifier


class MigrationRefused(RuntimeError):
    """The live warehouse differs in a way that no safe step bridges; the message lists each difference."""


class Connection(Protocol):
    """What both engines' connections offer once adapted."""

    engine: str

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def in_transaction(self, action: Callable[[], None]) -> None: ...


@dataclass(frozen=True)
class Step:
    """One statement and its inverse; an inverse that would lose rows says which table to count first."""

    up: str
    down: str
    alone: bool = False  # Redshift runs ALTER COLUMN TYPE outside a transaction block only


def live_columns(connection: Connection) -> dict[str, dict[str, str]]:
    """schema.table -> column -> portable type, of the managed schemas."""
    listed = ", ".join(f"'{schema}'" for schema in MANAGED_SCHEMAS)
    rows = connection.run(
        "select table_schema, table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        f"from information_schema.columns where table_schema in ({listed}) order by table_schema, table_name, ordinal_position"
    )
    found: dict[str, dict[str, str]] = {}
    for schema, table, column, kind, length, precision, scale in rows:
        found.setdefault(f"{schema}.{table}", {})[column] = _portable(
            str(kind).lower(), length, precision, scale
        )
    return found


def live_schemas(connection: Connection) -> set[str]:
    """Names of the schemas that exist."""
    return {str(r[0]) for r in connection.run("select schema_name from information_schema.schemata")}


def _portable(kind: str, length: Any, precision: Any, scale: Any) -> str:
    if kind in ("character varying", "varchar"):
        return f"varchar({length})" if length else "varchar"
    if kind == "numeric":
        return f"decimal({precision},{scale})"
    if kind.startswith("timestamp"):
        return "timestamp"
    return {"double": "double precision"}.get(kind, kind)


def _wanted_type(column: Column, engine: str) -> str:
    kind = re.sub(r"\s*,\s*", ",", column.type)
    return "varchar" if engine == "duckdb" and kind.startswith("varchar") else kind


def plan(connection: Connection, declared: Sequence[Table] | None = None) -> list[Step]:
    """Steps from the live warehouse to the catalog; empty when nothing differs.

    Raises:
        MigrationRefused: a column has another type, or text is shorter in the catalog than in the warehouse.
    """
    engine, live = connection.engine, live_columns(connection)
    schemas = live_schemas(connection)
    steps, refused = [], []
    for schema in MANAGED_SCHEMAS + (BUILT_SCHEMAS if engine == "redshift" else ()):
        if schema not in schemas:
            steps.append(Step(create_schema(schema, engine), f"drop schema {schema}"))
    for table in tables() if declared is None else declared:
        there = live.get(table.qualified)
        if there is None:
            steps.append(Step(create_table(table, engine), f"drop table {table.qualified}"))
            continue
        for column in table.columns:
            wanted, found = _wanted_type(column, engine), there.get(column.name)
            where = f"{table.qualified}.{column.name}"
            if found is None:
                name, kind = identifier(column.name), column_type(column, engine)
                add = f"alter table {table.qualified} add column {name} {kind}"
                encoding = f" encode {column.encoding}" if engine == "redshift" else ""
                steps.append(Step(add + encoding, f"alter table {table.qualified} drop column {name}"))
            elif found != wanted:
                longer = _lengthened(found, wanted)
                if longer is None:
                    refused.append(f"{where} is {found}, the catalog says {wanted}")
                elif longer:
                    alter = (
                        f"alter table {table.qualified} alter column {identifier(column.name)} type {wanted}"
                    )
                    # Longer text is harmless to older code, and shortening it back could cut rows: no inverse.
                    steps.append(Step(alter, "", alone=True))
    if refused:
        raise MigrationRefused("; ".join(refused))
    return steps


def _lengthened(found: str, wanted: str) -> bool | None:
    """True when text only grows, False when the live text is longer already, None for any other difference."""
    sizes = [re.fullmatch(r"varchar\((\d+)\)", kind) for kind in (found, wanted)]
    if not all(sizes):
        return None
    have, want = (int(m[1]) for m in sizes if m)
    return want > have


def migrate(connection: Connection, declared: Sequence[Table] | None = None) -> int | None:
    """Carry out the plan as one new version; returns its number, or None when nothing differed."""
    steps = plan(connection, declared)
    if not steps:
        return None
    together = [s for s in steps if not s.alone]
    version = [1]

    def apply() -> None:
        for step in together:
            connection.run(step.up)
        version[0] = current_version(connection) + 1
        _record(connection, version[0], together, 0)

    connection.in_transaction(apply)
    for at, step in enumerate((s for s in steps if s.alone), start=len(together)):
        connection.run(step.up)
        _record(connection, version[0], [step], at)
    return version[0]


def _record(connection: Connection, version: int, steps: Sequence[Step], start: int) -> None:
    clock = "getdate()" if connection.engine == "redshift" else "cast(now() as timestamp)"
    mark = "%s" if connection.engine == "redshift" else "?"
    for at, step in enumerate(steps, start=start):
        connection.run(
            f"insert into control.migration (version, step, up_sql, down_sql, applied_at) "
            f"select {mark}, {mark}, {mark}, {mark}, {clock}",
            (version, at, step.up, step.down),
        )


def current_version(connection: Connection) -> int:
    """The newest applied version; 0 for a warehouse that was never migrated."""
    if "control.migration" not in live_columns(connection):
        return 0
    return int(connection.run("select coalesce(max(version), 0) from control.migration")[0][0])


def rollback(connection: Connection, to: int, *, with_data: bool = False) -> int:
    """Undo every version after ``to``, newest first, in one transaction; returns the number of steps undone.

    Raises:
        MigrationRefused: a table or column to drop holds values and ``with_data`` is false.
    """
    if "control.migration" not in live_columns(connection):
        return 0
    rows = connection.run(
        f"select version, step, down_sql from control.migration where version > {int(to)} order by version desc, step desc"
    )
    inverses = [str(r[2]) for r in rows if r[2]]
    if not with_data:
        losing = [found for found in (_would_lose(connection, statement) for statement in inverses) if found]
        if losing:
            raise MigrationRefused(
                f"rolling back would drop values of {', '.join(losing)} (say --with-data to mean it)"
            )

    def undo() -> None:
        if to > 0:
            connection.run(f"delete from control.migration where version > {int(to)}")
        for statement in inverses:
            connection.run(statement)

    connection.in_transaction(undo)
    return len(inverses)


def _would_lose(connection: Connection, statement: str) -> str | None:
    if m := re.match(r"drop table (\S+)$", statement):
        return m[1] if m[1] != "control.migration" and _count(connection, m[1], "1 = 1") else None
    if m := re.match(r"alter table (\S+) drop column (\S+)$", statement):
        return f"{m[1]}.{m[2]}" if _count(connection, m[1], f"{m[2]} is not null") else None
    return None


def _count(connection: Connection, table: str, where: str) -> int:
    return int(connection.run(f"select count(*) from {table} where {where}")[0][0])


class RedshiftConnection:
    """A redshift_connector connection as ``Connection``."""

    engine = "redshift"

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._connection.autocommit = True

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.execute(statement, tuple(parameters) if parameters else None)
        return [tuple(r) for r in cursor.fetchall()] if cursor.description else []

    def in_transaction(self, action: Callable[[], None]) -> None:
        self._connection.autocommit = False
        try:
            action()
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            self._connection.autocommit = True


class DuckDBConnection:
    """A duckdb connection as ``Connection``."""

    engine = "duckdb"

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        done = self._connection.execute(statement, list(parameters))
        return [tuple(r) for r in done.fetchall()] if done.description else []

    def in_transaction(self, action: Callable[[], None]) -> None:
        self._connection.begin()
        try:
            action()
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
