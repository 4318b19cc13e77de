"""The models' door and publishing on Redshift: exports, recorded runs, faults, one atomic swap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector

from modeling.io import open_warehouse
from modeling.io import redshift as door
from serving.redshift import pending_on_redshift, publish_on_redshift
from sql import roles
from standin.proxy import Fault
from standin.stack import Stack
from tests.redshift.conftest import settings_of

pytestmark = pytest.mark.redshift
DAY = dt.date(2026, 10, 18)
RUN = {
    "run_id": "r1", "job": "probe", "unit": "all", "brand_id": "swiftpod", "status": "succeeded", "message": "", "as_of_date": DAY,
    "window_start": DAY, "window_end": DAY, "code_version": "c", "feature_hash": "f", "seed": 1,
    "started_at": dt.datetime(2026, 10, 19), "finished_at": dt.datetime(2026, 10, 19, 1), "cpu_seconds": 1.5, "peak_mb": 10.0,
    "metrics_json": "{}",
}  # fmt: skip


@pytest.fixture
def modeler(warehouse: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The door as the modeller, with one feature mart and one output table."""
    for key, value in warehouse.environment.items():
        monkeypatch.setenv(key, value)
    builder = warehouse.connect(user=roles.BUILDER)
    builder.autocommit = True
    cursor = builder.cursor()
    cursor.execute("drop table if exists features.feat_probe")
    cursor.execute(
        "create table features.feat_probe (day date, zip varchar(5), spend decimal(18,4), share double precision, ok boolean)"
    )
    cursor.execute(
        "insert into features.feat_probe values ('2026-01-02', '00501', 1.25, 0.1, true), ('2026-01-01', null, null, null, false)"
    )
    builder.close()
    admin = warehouse.connect()
    admin.autocommit = True
    for statement in (
        "drop table if exists runs.probe_output",
        "create table runs.probe_output (run_id varchar(64), unit varchar(256), brand_id varchar(64), as_of_date date, "
        "code_version varchar(64), feature_hash varchar(64), week_start_date date, value double precision, n bigint)",
        "grant select, insert, update, delete on runs.probe_output to role wh_modeler",
        "delete from runs.model_run",
    ):
        admin.cursor().execute(statement)
    with open_warehouse(settings_of(warehouse, "svc_modeler")) as opened:
        yield opened
    for statement in (
        "drop table runs.probe_output",
        "drop table features.feat_probe",
        "delete from runs.model_run",
    ):
        admin.cursor().execute(statement)
    admin.close()


@pytest.mark.parametrize("limit", [0, 10**9], ids=["unload", "select"])
def test_an_export_is_the_same_file_either_way_and_on_duckdb(
    modeler: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(door, "UNLOAD_ROWS", limit)
    columns = ["day", "zip", "spend", "share", "ok"]
    assert modeler.export("features.feat_probe", columns, tmp_path / "a.parquet") == 2
    found = pq.read_table(tmp_path / "a.parquet")
    with duckdb.connect() as db:
        db.execute("create table t (day date, zip varchar, spend decimal(18,4), share double, ok boolean)")
        db.execute(
            "insert into t values ('2026-01-02', '00501', 1.25, 0.1, true), ('2026-01-01', null, null, null, false)"
        )
        db.execute(f"copy (select * from t order by all) to '{tmp_path}/b.parquet' (format parquet)")
    wanted = pq.read_table(tmp_path / "b.parquet")
    # DuckDB marks columns without gaps as not null; names, types, order and values are what a fit sees
    assert [(f.name, f.type) for f in found.schema] == [(f.name, f.type) for f in wanted.schema]
    assert found.to_pylist() == wanted.to_pylist()


def output(folder: Path, value: float) -> Path:
    rows = {"run_id": ["r1"] * 2, "unit": ["all"] * 2, "brand_id": ["swiftpod"] * 2, "as_of_date": [DAY] * 2, "code_version": ["c"] * 2,
            "feature_hash": ["f"] * 2, "week_start_date": [DAY, None], "value": [value, None], "n": [1.0, 2.0]}  # fmt: skip
    path = folder / "probe_output.parquet"
    pq.write_table(pa.table(rows), path)
    return path


def test_a_run_is_recorded_once_whatever_fails_on_the_wire(
    warehouse: Stack, modeler: Any, tmp_path: Path
) -> None:
    planned = [
        Fault('copy runs."?probe', "serialization"),
        Fault('insert into runs."?model_run', "drop"),
        Fault("^commit", "drop_after"),
    ]
    warehouse.faults.extend(planned)
    try:
        modeler.record(RUN, {"probe_output": output(tmp_path, 0.5)})
    finally:
        warehouse.faults.clear()
    assert all(f.times == 0 for f in planned)
    assert modeler.query("select count(*), sum(value), sum(n) from runs.probe_output") == [(2, 0.5, 3)]
    assert modeler.query("select run_id, recorded_seq from runs.model_run") == [("r1", 1)]
    assert modeler.record(RUN, {"probe_output": output(tmp_path, 9.0)}) is False, (
        "the same run changes nothing"
    )
    assert modeler.query("select max(value) from runs.probe_output") == [(0.5,)]
    assert modeler.record({**RUN, "run_id": "r2"}, {}) is True
    assert modeler.query("select max(recorded_seq) from runs.model_run") == [(2,)]


def test_what_does_not_fit_leaves_nothing(modeler: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"run_id": ["r1"], "unit": ["all"], "n": [1.5]}), path)
    with pytest.raises(pa.ArrowInvalid):
        modeler.record(RUN, {"probe_output": path})
    assert modeler.query("select count(*) from runs.model_run") == [(0,)]


def test_missing_tables_say_who_makes_them(modeler: Any) -> None:
    with pytest.raises(door.TablesMissing, match="python -m sql migrate"):
        modeler.ensure_tables({"nowhere": {"a": "bigint"}})


# ---- publishing -----------------------------------------------------------------------------------------
@pytest.fixture
def marts(warehouse: Stack) -> Iterator[Any]:
    """Two marts and the list of versions, as the builder; ``published`` is empty."""
    admin = warehouse.connect()
    admin.autocommit = True
    cursor = admin.cursor()
    for schema in ("marts", "published"):
        cursor.execute(
            "select table_name, table_type from information_schema.tables "
            f"where table_schema = '{schema}' order by table_type desc"
        )
        for table, kind in list(cursor.fetchall()):  # views first: a table takes those that read it along
            what = "view" if kind == "VIEW" else "table"
            cursor.execute(f"drop {what} if exists {schema}.{table} cascade")
    cursor.execute("delete from runs.published_version")
    builder = warehouse.connect(user=roles.BUILDER)
    builder.autocommit = True
    built = builder.cursor()
    built.execute(
        "create table marts.fct_a (brand_id varchar(64), usd decimal(18,4), rate double precision, ok boolean) diststyle key distkey (brand_id)"
    )
    built.execute("create table marts.dim_b (name varchar(20)) diststyle all")
    built.execute("insert into marts.fct_a values ('swiftpod', 1.5, 0.1, true), ('other', 2, null, null)")
    built.execute(
        "create view marts.fct_published_version as select version, published_at from runs.published_version"
    )
    yield built
    built.execute("drop view marts.fct_published_version")
    builder.close()
    admin.close()


def test_publish_swaps_once_and_only_when_something_changed(
    warehouse: Stack, marts: Any, cursor: Any, tmp_path: Path
) -> None:
    settings = replace(settings_of(warehouse, roles.BUILDER), serving_path=tmp_path / "served.duckdb")
    assert pending_on_redshift(settings)
    first = publish_on_redshift(settings)
    assert (first["version"], first["changed"], first["tables"], first["rows"]) == (1, True, 3, 2)
    assert not pending_on_redshift(settings)
    assert publish_on_redshift(settings) == {**first, "changed": False}
    marts.execute("update marts.fct_a set usd = 3 where brand_id = 'other'")
    assert publish_on_redshift(settings)["version"] == 2
    cursor.execute("select sum(usd) from published.fct_a")
    assert float(cursor.fetchone()[0]) == 4.5
    cursor.execute(
        """select diststyle from svv_table_info where "schema" = 'published' and "table" = 'fct_a'"""
    )
    assert cursor.fetchone()[0] == "KEY(brand_id)", "the copy keeps the mart's distribution"


def test_a_publish_writes_the_file_that_dashboard_api_and_report_read(
    warehouse: Stack, marts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings_of(warehouse, roles.BUILDER), serving_path=tmp_path / "served.duckdb")
    for key, value in warehouse.environment.items():
        monkeypatch.setenv(key, value)

    def served() -> list[tuple[Any, ...]]:
        with duckdb.connect(str(settings.serving_path), read_only=True) as db:
            return db.execute("select brand_id, usd, rate, ok from marts.fct_a order by 1").fetchall()

    publish_on_redshift(settings)
    assert served() == [("other", Decimal("2.0000"), None, None), ("swiftpod", Decimal("1.5000"), 0.1, True)]
    settings.serving_path.unlink()
    assert pending_on_redshift(settings), "a reader without a file waits for a publish"
    monkeypatch.setattr(door, "UNLOAD_ROWS", 1)
    assert publish_on_redshift(settings)["changed"]
    assert served()[1] == ("swiftpod", Decimal("1.5000"), 0.1, True), "the same by UNLOAD"
    assert not list(tmp_path.glob("*.tmp*"))


def test_readers_never_see_half_a_publish(warehouse: Stack, marts: Any, cursor: Any, tmp_path: Path) -> None:
    settings = replace(settings_of(warehouse, roles.BUILDER), serving_path=tmp_path / "served.duckdb")
    publish_on_redshift(settings)
    before = settings.serving_path.read_bytes()
    marts.execute("insert into marts.dim_b values ('new')")
    marts.execute("delete from marts.fct_a")
    warehouse.faults.append(Fault("insert into published.fct_a", "drop", 99))
    try:
        with pytest.raises(redshift_connector.InterfaceError):
            publish_on_redshift(settings)
    finally:
        warehouse.faults.clear()
    cursor.execute("select (select count(*) from published.fct_a), (select count(*) from published.dim_b)")
    assert list(cursor.fetchone()) == [2, 0], "still the old version, whole"
    assert settings.serving_path.read_bytes() == before and not list(tmp_path.glob("*.tmp*"))
    assert publish_on_redshift(settings)["changed"]
    cursor.execute("select (select count(*) from published.fct_a), (select count(*) from published.dim_b)")
    assert list(cursor.fetchone()) == [0, 1]
