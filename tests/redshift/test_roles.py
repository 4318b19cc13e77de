"""Six roles x every object x every verb, tried for real; row-level policy of the multi-brand reader."""

from __future__ import annotations

import re
from typing import Any

import pytest
import redshift_connector

from sql import roles
from sql.__main__ import secure_published
from sql.migrate import RedshiftConnection
from sql.session import error_text
from standin.stack import Stack

pytestmark = pytest.mark.redshift

BUILT = {
    "staging": "stg_media__spend",
    "intermediate": "int_media__spend",
    "features": "feat_mmm_week",
    "marts": "fct_media_week",
    "seeds": "channels",
    "published": "fct_media_week",
}
#: Views as dbt makes them, over a table of the loader's and over one of its own.
VIEWS = {"staging.stg_role_test": "raw.roundel", "marts.role_test": "marts.fct_media_week"}


@pytest.fixture(scope="module")
def built(warehouse: Stack) -> Stack:
    """One object in each schema that dbt fills, made by the transformer as dbt makes them."""
    builder = warehouse.connect(user=roles.BUILDER)
    builder.autocommit = True
    cursor = builder.cursor()
    for schema, name in BUILT.items():
        cursor.execute(f"drop table if exists {schema}.{name} cascade")
        cursor.execute(
            f"create table {schema}.{name} (brand_id varchar(64), spend_usd decimal(18,4)) diststyle even"
        )
        cursor.execute(f"insert into {schema}.{name} values ('swiftpod', 1), ('other', 2)")
    for name, below in VIEWS.items():
        cursor.execute(f"drop view if exists {name}")
        cursor.execute(f"create view {name} as select * from {below}")
    builder.close()
    admin = warehouse.connect()
    secure_published(RedshiftConnection(admin))
    admin.close()
    return warehouse


def _objects(stack: Stack) -> list[tuple[str, str, bool]]:
    """Every relation with one of its columns, and whether it is a view."""
    admin = stack.connect()
    cursor = admin.cursor()
    cursor.execute(
        "select table_schema || '.' || table_name, min(column_name), bool_or(table_type = 'VIEW') "
        "from information_schema.columns join information_schema.tables using (table_schema, table_name) where table_schema in "
        "('control','raw','raw_history','intake','runs','seeds','staging','intermediate','features','marts','published') "
        "group by 1 order by 1"
    )
    found = [(str(a), str(b), bool(c)) for a, b, c in cursor.fetchall()]
    admin.close()
    return found


def _attempt(cursor: Any, verb: str, table: str, column: str) -> str | None:
    """None when allowed, else the refusal."""
    statement = {
        "select": f"select {column} from {table} where 1 = 0",
        "insert": f"insert into {table} ({column}) select null where 1 = 0",
        "update": f"update {table} set {column} = null where false",
        "delete": f"delete from {table} where false",
    }[verb]
    try:
        cursor.execute(statement)
    except redshift_connector.Error as error:
        return error_text(error)
    return None


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_every_cell_of_the_matrix(built: Stack, role: str) -> None:
    connection = built.connect(user=roles.ROLES[role])
    connection.autocommit = True
    cursor = connection.cursor()
    wrong, cells = [], 0
    for table, column, is_view in _objects(built):
        for verb in roles.VERBS:
            cells += 1
            refusal = _attempt(cursor, verb, table, column)
            expected = roles.allowed(role, table, verb)
            # An owner may do everything with its own table: the transformer with what dbt built.
            expected = expected or (role == "wh_transformer" and table.split(".")[0] in BUILT)
            denied = "permission denied"
            if is_view and verb != "select":
                # Redshift's views take no rows from anybody. PostgreSQL's simple ones hand them to the table below,
                # with the rights of the view's owner: for roles that may write in the schema either answer is right.
                if expected:
                    continue
                denied = "permission denied|cannot (insert into|update|delete from) view"
            if expected != (refusal is None) or (refusal and not re.search(denied, refusal)):
                wrong.append((table, verb, refusal))
    connection.close()
    assert not wrong, wrong[:5]
    assert cells >= 4 * 75


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_who_may_create(built: Stack, role: str) -> None:
    connection = built.connect(user=roles.ROLES[role])
    connection.autocommit = True
    cursor = connection.cursor()
    for schema in (*roles.MANAGED_SCHEMAS, *roles.BUILT_SCHEMAS, "public"):
        try:
            cursor.execute(f"create table {schema}.probe_{role} (a int)")
            created = True
            cursor.execute(f"drop table {schema}.probe_{role}")
        except redshift_connector.Error as error:
            created = False
            assert "permission denied" in error_text(error)
        assert created == (schema in roles.CREATE_IN.get(role, ())), (role, schema)
    for statement in (
        "create user intruder password 'Abcdefgh1'",
        "create role intruder",
        "create schema intruder",
    ):
        if role != "wh_admin":
            with pytest.raises(redshift_connector.Error, match="permission denied"):
                cursor.execute(statement)
    connection.close()


def test_a_new_table_is_readable_without_a_new_grant(built: Stack) -> None:
    builder = built.connect(user=roles.BUILDER)
    builder.autocommit = True
    builder.cursor().execute("create table features.feat_new (brand_id varchar(64))")
    modeler = built.connect(user="svc_modeler")
    modeler.autocommit = True
    modeler.cursor().execute("select * from features.feat_new")
    loader = built.connect(user="svc_loader")
    with pytest.raises(redshift_connector.Error, match="permission denied"):
        loader.cursor().execute("select * from features.feat_new")
    builder.cursor().execute("drop table features.feat_new")


def test_a_new_published_table_is_closed_to_the_reader_until_it_is_secured(built: Stack) -> None:
    builder = built.connect(user=roles.BUILDER)
    builder.autocommit = True
    builder.cursor().execute("create table published.fct_new (brand_id varchar(64))")
    builder.cursor().execute("insert into published.fct_new select 'swiftpod'")
    reader = built.connect(user="svc_analyst")
    reader.autocommit = True
    with pytest.raises(redshift_connector.Error, match="permission denied"):
        reader.cursor().execute("select * from published.fct_new")
    admin = built.connect()
    assert secure_published(RedshiftConnection(admin)) == ["row-level policy on published.fct_new"]
    assert secure_published(RedshiftConnection(admin)) == []
    cursor = reader.cursor()
    cursor.execute("select * from published.fct_new")
    assert list(cursor.fetchall()) == []
    builder.cursor().execute("drop table published.fct_new")


def _brands(stack: Stack, user: str) -> list[str]:
    connection = stack.connect(user=user)
    cursor = connection.cursor()
    cursor.execute("select brand_id from published.fct_media_week order by 1")
    found = [str(r[0]) for r in cursor.fetchall()]
    connection.close()
    return found


def test_a_reader_sees_the_brands_listed_for_it(built: Stack) -> None:
    admin = built.connect()
    admin.autocommit = True
    cursor = admin.cursor()
    cursor.execute("delete from control.brand_reader")
    assert _brands(built, "svc_analyst") == []
    cursor.execute("insert into control.brand_reader values ('svc_analyst', 'swiftpod')")
    assert _brands(built, "svc_analyst") == ["swiftpod"]
    cursor.execute("insert into control.brand_reader values ('svc_analyst', 'other')")
    assert _brands(built, "svc_analyst") == ["other", "swiftpod"]
    assert _brands(built, "svc_bi") == ["other", "swiftpod"]
    cursor.execute("delete from control.brand_reader")
    admin.close()


def test_the_reader_cannot_write_its_own_permission(built: Stack) -> None:
    connection = built.connect(user="svc_analyst")
    connection.autocommit = True
    for statement in (
        "insert into control.brand_reader values ('svc_analyst', 'other')",
        "select * from control.brand_reader",
        "alter table published.fct_media_week row level security off",
        "detach rls policy own_brands on published.fct_media_week from role wh_marketing_analyst",
        "grant role wh_bi_reader to svc_analyst",
    ):
        with pytest.raises(redshift_connector.Error):
            connection.cursor().execute(statement)
    connection.close()


def test_wrong_password_is_refused(built: Stack) -> None:
    with pytest.raises(redshift_connector.Error, match="password authentication failed"):
        built.connect(user="svc_loader", password="wrong-password")
