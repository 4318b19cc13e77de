"""Definitions from one source on both engines; migrations forward and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.contracts import load_contracts
from ingest.schema import statements
from sql import catalog, migrate
from sql.catalog import Column, Table
from sql.render import definition
from standin.gate import NotOnRedshift
from standin.rewrite import rewrite

SMALL = [Table("raw", "probe", (Column("id", "bigint"), Column("name", "varchar(16)")), "even", ("id",))]
WIDER = [dataclasses.replace(SMALL[0], columns=(*SMALL[0].columns, Column("amount", "decimal(18,6)")))]


def test_the_redshift_definition_is_legal() -> None:
    for statement in definition("redshift"):
        try:
            rewrite(statement)
        except NotOnRedshift as refusal:
            raise AssertionError(f"{statement[:80]}: {refusal}") from refusal


def test_duckdb_definition_equals_what_the_intake_makes() -> None:
    """No second copy of a column list: a contract changed in one place shows in both engines."""
    made, rendered = duckdb.connect(), duckdb.connect()
    for statement in statements(load_contracts().values()):
        made.execute(statement)
    for statement in definition("duckdb"):
        rendered.execute(statement)
    query = (
        "select table_schema, table_name, column_name, data_type, ordinal_position from information_schema.columns "
        "where table_schema in ('raw', 'raw_history', 'intake') order by all"
    )
    assert made.execute(query).fetchall() == rendered.execute(query).fetchall()


def test_every_table_has_distribution_and_encoding() -> None:
    for table in catalog.tables():
        names = {c.name for c in table.columns}
        assert set(table.sort) <= names, table.qualified
        kind, _, key = table.distribution.partition(":")
        assert kind in ("even", "all", "key") and (not key or key in names), table.qualified


@pytest.fixture(params=["duckdb", pytest.param("redshift", marks=pytest.mark.redshift)])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "duckdb":
        yield migrate.DuckDBConnection(duckdb.connect(str(tmp_path / "w.duckdb")))
        return
    stack = request.getfixturevalue("warehouse")
    name = "migrations"
    admin = stack.connect()
    admin.autocommit = True
    admin.cursor().execute("drop database if exists migrations")
    admin.cursor().execute("create database migrations")
    own = stack.connect(database=name)
    yield migrate.RedshiftConnection(own)
    own.close()
    admin.cursor().execute("drop database migrations")
    admin.close()


CONTROL = [t for t in catalog.tables() if t.schema == "control"]


def test_forward_and_back(connection: Any) -> None:
    before = migrate.live_columns(connection)
    assert migrate.migrate(connection, CONTROL + SMALL) == 1
    assert migrate.migrate(connection, CONTROL + SMALL) is None, "a second run changes nothing"
    first = migrate.live_columns(connection)
    connection.run("insert into raw.probe select 1, 'kept'")
    assert migrate.migrate(connection, CONTROL + WIDER) == 2
    assert migrate.live_columns(connection)["raw.probe"]["amount"] == "decimal(18,6)"
    assert migrate.rollback(connection, 1) == 1
    assert migrate.live_columns(connection) == first
    assert connection.run("select * from raw.probe") == [(1, "kept")]
    with pytest.raises(migrate.MigrationRefused, match=r"raw\.probe"):
        migrate.rollback(connection, 0)
    migrate.rollback(connection, 0, with_data=True)
    assert migrate.live_columns(connection) == before


def test_a_column_with_values_is_not_dropped_by_accident(connection: Any) -> None:
    migrate.migrate(connection, CONTROL + SMALL)
    migrate.migrate(connection, CONTROL + WIDER)
    connection.run("insert into raw.probe select 1, 'a', 2.5")
    with pytest.raises(migrate.MigrationRefused, match=r"raw\.probe\.amount"):
        migrate.rollback(connection, 1)
    assert connection.run("select amount from raw.probe")[0][0] is not None


def test_another_type_is_refused_by_name(connection: Any) -> None:
    migrate.migrate(connection, CONTROL + SMALL)
    other = [dataclasses.replace(SMALL[0], columns=(Column("id", "date"), SMALL[0].columns[1]))]
    with pytest.raises(migrate.MigrationRefused, match=r"raw\.probe\.id is bigint, the catalog says date"):
        migrate.migrate(connection, CONTROL + other)


def test_text_grows_and_never_shrinks(connection: Any) -> None:
    migrate.migrate(connection, CONTROL + SMALL)
    longer = [dataclasses.replace(SMALL[0], columns=(SMALL[0].columns[0], Column("name", "varchar(64)")))]
    version = migrate.migrate(connection, CONTROL + longer)
    if connection.engine == "redshift":
        assert version == 2 and migrate.live_columns(connection)["raw.probe"]["name"] == "varchar(64)"
        assert migrate.migrate(connection, CONTROL + SMALL) is None
    else:
        assert version is None, "DuckDB text has no length"


def test_a_failed_step_leaves_nothing(connection: Any) -> None:
    broken = [*CONTROL, *SMALL, Table("raw", "zz_broken", (Column("a", "no_such_type"),), "even", ("a",))]
    with pytest.raises(Exception, match="no_such_type"):
        migrate.migrate(connection, broken)
    assert migrate.live_columns(connection) == {}
