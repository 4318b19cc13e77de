"""The stand-in from a client's side: values, transactions, COPY and UNLOAD, faults, the Data API, start and stop."""

from __future__ import annotations

import datetime
import io
import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector

from settings import ROOT
from standin import stack as stacks
from standin.proxy import Fault
from standin.stack import BUCKET, COPY_ROLE, Stack

pytestmark = pytest.mark.redshift
ROLE = f"iam_role '{COPY_ROLE}'"


def rows(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return [tuple(r) for r in cursor.fetchall()]


def put(stack: Stack, key: str, table: pa.Table | bytes) -> None:
    body = table
    if isinstance(table, pa.Table):
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        body = buffer.getvalue()
    stack.s3().put_object(Bucket=BUCKET, Key=key, Body=body)


@pytest.fixture
def landing(cursor: Any) -> str:
    cursor.execute("drop table if exists public.landing cascade")
    cursor.execute(
        "create table public.landing (id bigint, name varchar(8), amount decimal(18,4), at timestamp)"
    )
    return "public.landing"


def test_it_says_what_it_is(cursor: Any) -> None:
    assert "NOT Amazon Redshift" in rows(cursor, "select version()")[0][0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", 3),
        ("datediff(month, date '2024-01-31', date '2024-02-01')", 1),
        ("datediff(week, date '2024-01-06', date '2024-01-07')", 1),
        ("dateadd(month, 1, date '2024-01-31')", datetime.datetime(2024, 2, 29)),
        ("date_trunc('week', date '2024-01-07')", datetime.datetime(2024, 1, 1)),
        ("json_extract_path_text('{\"a\":{\"b\":1}}', 'a', 'b')", "1"),
        ("json_extract_path_text('{}', 'a')", ""),
        ("regexp_replace('aXbX', 'X', '-')", "a-b-"),
        ("concat('a', null)", None),
        ("split_part('a,b', ',', 5)", ""),
        ("power(2, 0.5)", 2**0.5),
        ("nvl2(null, 1, 2)", 2),
        ("decode('b', 'a', 1, 'b', 2, 3)", 2),
        ("last_day(date '2024-02-03')", datetime.date(2024, 2, 29)),
        ("strtol('ff', 16)", 255),
    ],
)
def test_functions(cursor: Any, expression: str, value: Any) -> None:
    assert rows(cursor, f"select {expression}")[0][0] == value


def test_average_keeps_the_type_of_its_argument(cursor: Any, landing: str) -> None:
    cursor.execute(f"insert into {landing} values (1, 'a', 0.0001, null), (2, 'b', 0.0002, null)")
    assert rows(cursor, f"select avg(id), avg(amount), avg(cast(id as float)) from {landing}") == [
        (1, Decimal("0.0002"), 1.5)
    ]


def test_late_binding_view_survives_its_table(cursor: Any) -> None:
    cursor.execute("drop view if exists public.late")
    cursor.execute("create table public.base as select 1 as a")
    cursor.execute("create view public.late as select a from public.base with no schema binding")
    cursor.execute("drop table public.base")
    cursor.execute("create table public.base as select 2 as a")
    assert rows(cursor, "select a from public.late") == [(2,)]
    cursor.execute("drop view public.late")
    cursor.execute("drop table public.base")


def test_attributes_follow_a_rename(cursor: Any) -> None:
    cursor.execute("drop table if exists public.renamed")
    cursor.execute(
        "create table public.first (a int encode az64, b varchar(9)) diststyle key distkey (a) compound sortkey (b, a)"
    )
    cursor.execute("alter table public.first rename to renamed")
    found = rows(
        cursor, """select diststyle, sortkey1, sortkey_num from svv_table_info where "table" = 'renamed'"""
    )
    assert found == [("KEY(a)", "b", 2)]
    assert rows(cursor, """select "column", encoding, distkey, sortkey from pg_table_def where tablename = 'renamed' order by 1""") == [
        ("a", "az64", True, 2), ("b", "none", False, 1),
    ]  # fmt: skip


def test_unknown_key_column_is_an_error(cursor: Any) -> None:
    with pytest.raises(redshift_connector.Error, match="does not exist"):
        cursor.execute("create table public.wrong (a int) diststyle key distkey (nope)")


def test_text_is_limited_in_bytes(cursor: Any, landing: str) -> None:
    cursor.execute(f"insert into {landing} (name) values ('abcdefgh')")
    with pytest.raises(redshift_connector.Error):
        cursor.execute(f"insert into {landing} (name) values ('äöüßé')")


# ---- COPY and UNLOAD ------------------------------------------------------------------------------------
def test_copy_parquet_keeps_empty_text_apart_from_null(cursor: Any, warehouse: Stack, landing: str) -> None:
    data = pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "name": ["", None],
            "amount": pa.array([Decimal("1.2500"), None], pa.decimal128(18, 4)),
            "at": pa.array([datetime.datetime(2024, 1, 1, 5), None], pa.timestamp("us")),
        }
    )
    put(warehouse, "copy/empty/a.parquet", data)
    cursor.execute(f"copy {landing} from 's3://{BUCKET}/copy/empty/' {ROLE} format as parquet")
    assert rows(cursor, "select pg_last_copy_count()") == [(2,)]
    assert rows(cursor, f"select * from {landing} order by id") == [
        (1, "", Decimal("1.2500"), datetime.datetime(2024, 1, 1, 5)),
        (2, None, None, None),
    ]


def test_the_same_copy_twice_on_one_connection_reads_the_object_again(
    cursor: Any, warehouse: Stack, landing: str
) -> None:
    statement = f"copy {landing} (id) from 's3://{BUCKET}/copy/again/' {ROLE} format as parquet"
    for value in (1, 2):  # the client prepares once and executes twice
        put(warehouse, "copy/again/a.parquet", pa.table({"id": pa.array([value], pa.int64())}))
        cursor.execute(statement)
    assert rows(cursor, f"select id from {landing} order by 1") == [(1,), (2,)]


@pytest.mark.parametrize(
    ("columns", "data", "message"),
    [
        ("(id, name)", {"id": pa.array([1], pa.int64())}, "Unmatched number of columns"),
        ("(id)", {"id": ["x"]}, "incompatible Parquet schema"),
        ("(amount)", {"amount": [1.5]}, "incompatible Parquet schema"),
        ("(name)", {"name": ["far too long"]}, "too long|check"),
    ],
)
def test_copy_parquet_is_strict(
    cursor: Any, warehouse: Stack, landing: str, columns: str, data: dict[str, Any], message: str
) -> None:
    put(warehouse, "copy/strict/a.parquet", pa.table(data))
    with pytest.raises(redshift_connector.Error, match=message):
        cursor.execute(f"copy {landing} {columns} from 's3://{BUCKET}/copy/strict/' {ROLE} format as parquet")
    assert rows(cursor, f"select count(*) from {landing}") == [(0,)]


def test_manifest_missing_and_truncated_files_are_refused(
    cursor: Any, warehouse: Stack, landing: str
) -> None:
    put(warehouse, "copy/m/a.parquet", pa.table({"id": pa.array([1], pa.int64())}))
    url = f"s3://{BUCKET}/copy/m/a.parquet"
    copy = f"copy {landing} (id) from 's3://{BUCKET}/copy/m.manifest' {ROLE} format as parquet manifest"
    for entry, message in (
        ({"url": url + ".gone", "mandatory": True}, "does not exist"),
        ({"url": url, "mandatory": True, "meta": {"content_length": 3}}, "size mismatch"),
    ):
        put(warehouse, "copy/m.manifest", json.dumps({"entries": [entry]}).encode())
        with pytest.raises(redshift_connector.Error, match=message):
            cursor.execute(copy)
    with pytest.raises(redshift_connector.Error, match="prefix"):
        cursor.execute(f"copy {landing} from 's3://{BUCKET}/nothing/here' {ROLE} csv")


def test_copy_csv_and_json(cursor: Any, warehouse: Stack, landing: str) -> None:
    put(warehouse, "copy/csv/a.csv", b'id,name,amount\n1,"a, b",1.5\n2,,\n')
    cursor.execute(
        f"copy {landing} (id, name, amount) from 's3://{BUCKET}/copy/csv/' {ROLE} csv ignoreheader 1"
    )
    put(warehouse, "copy/json/a.json", b'{"id": 3, "name": "j", "other": 1}\n{"id": 4}\n')
    cursor.execute(f"copy {landing} (id, name) from 's3://{BUCKET}/copy/json/' {ROLE} format as json 'auto'")
    assert rows(cursor, f"select id, name, amount from {landing} order by id") == [
        (1, "a, b", Decimal("1.5000")), (2, "", None), (3, "j", None), (4, "", None),
    ]  # fmt: skip


def test_copy_rolls_back_with_its_transaction(warehouse: Stack, landing: str) -> None:
    put(warehouse, "copy/rollback/a.parquet", pa.table({"id": pa.array([1], pa.int64())}))
    connection = warehouse.connect()
    cursor = connection.cursor()
    cursor.execute(f"copy {landing} (id) from 's3://{BUCKET}/copy/rollback/' {ROLE} format as parquet")
    assert rows(cursor, f"select count(*) from {landing}") == [(1,)]
    connection.rollback()
    assert rows(cursor, f"select count(*) from {landing}") == [(0,)]
    connection.close()


def test_unload_keeps_types_and_refuses_a_used_prefix(cursor: Any, warehouse: Stack, landing: str) -> None:
    cursor.execute(
        f"insert into {landing} values (1, '00501', 1.25, '2024-01-01'), (2, '', null, null), (3, null, null, null)"
    )
    unload = f"unload ('select * from {landing} order by id') to 's3://{BUCKET}/unload/a_' {ROLE} format parquet manifest"
    cursor.execute(unload)
    body = warehouse.s3().get_object(Bucket=BUCKET, Key="unload/a_0000_part_00.parquet")["Body"].read()
    table = pq.read_table(io.BytesIO(body))
    assert [str(f.type) for f in table.schema] == ["int64", "string", "decimal128(18, 4)", "timestamp[us]"]
    assert table["name"].to_pylist() == ["00501", "", None]
    with pytest.raises(redshift_connector.Error, match="not empty"):
        cursor.execute(unload)
    cursor.execute(unload + " allowoverwrite")


# ---- faults ---------------------------------------------------------------------------------------------
def test_planned_faults_strike_once(warehouse: Stack, landing: str) -> None:
    connection = warehouse.connect()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f"insert into {landing} (id) values (1)")
    warehouse.faults.append(Fault("delete from", "serialization"))
    with pytest.raises(redshift_connector.Error, match="1023"):
        cursor.execute(f"delete from {landing}")
    assert rows(cursor, f"select count(*) from {landing}") == [(1,)]
    warehouse.faults.append(Fault("delete from", "drop"))
    with pytest.raises(redshift_connector.InterfaceError):
        cursor.execute(f"delete from {landing}")
    check = warehouse.connect()
    assert rows(check.cursor(), f"select count(*) from {landing}") == [(1,)]
    again = warehouse.connect()
    again.autocommit = True
    warehouse.faults.append(Fault("delete from", "drop_after"))
    with pytest.raises(redshift_connector.InterfaceError):
        again.cursor().execute(f"delete from {landing}")
    check.rollback()
    assert rows(check.cursor(), f"select count(*) from {landing}") == [(0,)], (
        "it ran, only its answer was lost"
    )
    check.close()


def test_a_lost_update_is_an_error(warehouse: Stack, landing: str) -> None:
    one, two = warehouse.connect(), warehouse.connect()
    one.cursor().execute(f"insert into {landing} (id) values (1)")
    one.commit()
    rows(two.cursor(), f"select * from {landing}")
    one.cursor().execute(f"update {landing} set name = 'one'")
    one.commit()
    with pytest.raises(redshift_connector.Error, match="could not serialize access"):
        two.cursor().execute(f"update {landing} set name = 'two'")
    one.close()
    two.close()


# ---- the Data API ---------------------------------------------------------------------------------------
def _finished(client: Any, identifier: str) -> dict[str, Any]:
    for _ in range(200):
        found = client.describe_statement(Id=identifier)
        if found["Status"] in ("FINISHED", "FAILED"):
            return dict(found)
        time.sleep(0.02)
    raise TimeoutError(identifier)


def test_data_api(environment: dict[str, str], cursor: Any, landing: str) -> None:
    client = boto3.client("redshift-data")
    insert = f"insert into {landing} (id, name) values (1, ':x')"
    sent = client.batch_execute_statement(
        Database="dev", Sqls=[insert, f"select count(*) as n from {landing}"], ClientToken="t1"
    )
    done = _finished(client, sent["Id"])
    assert done["Status"] == "FINISHED" and len(done["SubStatements"]) == 2
    assert client.get_statement_result(Id=f"{sent['Id']}:2")["Records"] == [[{"longValue": 1}]]
    again = client.batch_execute_statement(Database="dev", Sqls=[insert], ClientToken="t1")
    assert again["Id"] == sent["Id"], "the same token is the same statement"
    bound = client.execute_statement(
        Database="dev",
        Sql=f"select name from {landing} where id = :n",
        Parameters=[{"name": "n", "value": "1"}],
    )
    _finished(client, bound["Id"])
    assert client.get_statement_result(Id=bound["Id"])["Records"] == [[{"stringValue": ":x"}]]
    failed = _finished(
        client, client.batch_execute_statement(Database="dev", Sqls=[insert, "select * from nope"])["Id"]
    )
    assert failed["Status"] == "FAILED" and "does not exist" in failed["Error"]
    assert rows(cursor, f"select count(*) from {landing}") == [(1,)], "a batch is one transaction"


# ---- life -----------------------------------------------------------------------------------------------
def test_up_twice_is_one_and_down_stops_it(tmp_path: Path) -> None:
    folder = tmp_path / "standin"
    first = stacks.up(folder)
    try:
        assert stacks.up(folder) == first
        pid = stacks.running(folder)
        assert pid is not None
        assert (folder / "state.json").stat().st_mode & 0o077 == 0, "the file holds a password"
    finally:
        stopped = stacks.down(folder)
    assert stopped and stacks.running(folder) is None and not stacks.down(folder)


def test_run_gives_the_command_its_settings_and_exit_code(tmp_path: Path) -> None:
    script = "import os, sys; from settings import load_settings; s = load_settings(); print(s.warehouse_target, s.redshift.port); sys.exit(7)"
    done = subprocess.run(
        [sys.executable, "-m", "standin", "run", "--", sys.executable, "-c", script],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith("redshift ")
