"""The runner: repeatable identity, waves, refusals and failures as rows, recording once."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from modeling import runner, runner_cli
from modeling.errors import Refusal
from modeling.io import RUN_TABLES
from modeling.io.base import COMMON_COLUMNS
from modeling.io.duckdb import DuckDBWarehouse
from modeling.runner import JobResult, Snapshot, write_output
from settings import load_settings

SPEC_A = {
    "JOB": "first",
    "REQUIRES": (),
    "INPUTS": {"feat_x": ("brand_id", "k", "y")},
    "OUTPUTS": {
        "first_out": {"k": "bigint", "value_usd": "decimal(18,4)", "day": "date", "share": "double precision"}
    },
}
SPEC_B = {
    "JOB": "second",
    "REQUIRES": ("first",),
    "INPUTS": {"feat_x": ("brand_id", "y")},
    "OUTPUTS": {"second_out": {"n": "bigint"}},
}


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Two made-up rooms; ``behaviour`` decides what the first one does."""
    behaviour: dict[str, Any] = {"calls": 0, "raise": None, "columns": None}

    def fit_first(features: Any, unit: str, *, seed: int, upstream: Any) -> JobResult:
        behaviour["calls"] += 1
        if behaviour["raise"]:
            raise behaviour["raise"]
        frame = pd.DataFrame(
            {
                "k": [1, 2],
                "value_usd": [0.1, 2 / 3],
                "day": pd.to_datetime(["2024-01-07"] * 2),
                "share": [0.5, None],
            }
        )
        return JobResult(
            {"first_out": frame[behaviour["columns"] or list(frame)]}, {"r": 1.0}, (dt.date(2024, 1, 1), None)
        )

    def fit_second(features: Any, unit: str, *, seed: int, upstream: Any) -> JobResult:
        return JobResult({"second_out": pd.DataFrame({"n": [len(upstream.get("first_out", []))]})})

    for name, spec, fit in (("first", SPEC_A, fit_first), ("second", SPEC_B, fit_second)):
        monkeypatch.setitem(sys.modules, f"modeling.{name}", types.ModuleType(f"modeling.{name}"))
        for part, content in (("spec", spec), ("job", {"units": lambda features: ["all"], "fit": fit})):
            module = types.ModuleType(f"modeling.{name}.{part}")
            vars(module).update(content)
            monkeypatch.setitem(sys.modules, f"modeling.{name}.{part}", module)
    monkeypatch.setattr(runner, "JOBS", ("first", "second"))
    yield behaviour


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    frame = pd.DataFrame({"brand_id": ["a", "a", "b"], "k": [1, 2, 1], "y": [1.0, 2.0, 3.0]})
    frame.to_parquet(tmp_path / "feat_x.parquet")
    hashes = {"a": "h1", "b": "h2"}
    manifest = {
        "tables": {"feat_x": {"columns": ["brand_id", "k", "y"], "hashes": hashes}},
        "as_of": {"a": "2024-01-13"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return Snapshot(tmp_path)


def fit(snapshot: Snapshot, job: str = "first", seed: int = 1) -> dict[str, Any]:
    return runner.fit_unit(snapshot, job, "a", "all", out=snapshot.path / "fits", seed=seed)


def test_equal_inputs_are_fitted_once(rooms: dict[str, Any], snapshot: Snapshot) -> None:
    first = fit(snapshot)
    assert fit(snapshot)["run_id"] == first["run_id"]
    assert rooms["calls"] == 1
    assert fit(snapshot, seed=2)["run_id"] != first["run_id"]
    assert rooms["calls"] == 2


def test_changed_features_make_another_run(rooms: dict[str, Any], snapshot: Snapshot) -> None:
    first = fit(snapshot)["run_id"]
    manifest = json.loads((snapshot.path / "manifest.json").read_text())
    manifest["tables"]["feat_x"]["hashes"]["a"] = "h3"
    (snapshot.path / "manifest.json").write_text(json.dumps(manifest))
    assert fit(snapshot)["run_id"] != first


def test_only_the_brand_s_rows_reach_a_job(rooms: dict[str, Any], snapshot: Snapshot) -> None:
    assert snapshot.features("first", "a")["feat_x"]["brand_id"].unique().tolist() == ["a"]
    assert snapshot.brands("first") == ["a", "b"]


def test_a_refusal_is_a_result_and_a_crash_is_a_failed_run(
    rooms: dict[str, Any], snapshot: Snapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    rooms["raise"] = Refusal("three rows cannot\n  carry it")
    refused = fit(snapshot)
    assert (refused["status"], refused["message"]) == ("refused", "three rows cannot carry it")
    rooms["raise"] = ZeroDivisionError("boom")
    failed = fit(snapshot, seed=2)
    assert failed["status"] == "failed"
    assert "ZeroDivisionError: boom" in failed["message"]
    rooms["raise"] = None
    assert fit(snapshot, seed=2)["status"] == "succeeded"  # a failed run is tried again


def test_undeclared_columns_are_refused(rooms: dict[str, Any], snapshot: Snapshot) -> None:
    rooms["columns"] = ["k", "day"]
    with pytest.raises(ValueError, match="value_usd"):
        fit(snapshot)


def test_waves_follow_what_jobs_require(rooms: dict[str, Any]) -> None:
    assert runner.waves(("second", "first")) == [["first"], ["second"]]
    sys.modules["modeling.first.spec"].REQUIRES = ("second",)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="wait for each other"):
        runner.waves(("first", "second"))
    sys.modules["modeling.first.spec"].REQUIRES = ()  # type: ignore[attr-defined]


def test_a_later_job_reads_what_an_earlier_one_wrote(rooms: dict[str, Any], snapshot: Snapshot) -> None:
    fit(snapshot)
    run = fit(snapshot, "second")
    path = runner.unit_dir(snapshot.path / "fits", "second", "a", "all") / "second_out.parquet"
    assert pd.read_parquet(path)["n"].tolist() == [2]
    assert run["as_of_date"] == "2024-01-13"


def test_recording_twice_changes_nothing(rooms: dict[str, Any], snapshot: Snapshot, tmp_path: Path) -> None:
    settings = load_settings({"WAREHOUSE_PATH": str(tmp_path / "w" / "w.duckdb")})
    fit(snapshot)
    fit(snapshot, "second")
    assert runner_cli.record(settings, snapshot.path) == {"recorded": 2, "unchanged": 0}
    with duckdb.connect(str(settings.warehouse_path)) as db:
        before = db.execute("select * from runs.model_run order by all").fetchall()
        assert db.execute("select sum(value_usd) from runs.first_out").fetchone() == (
            __import__("decimal").Decimal("0.7667"),
        )
    assert runner_cli.record(settings, snapshot.path) == {"recorded": 0, "unchanged": 2}
    with duckdb.connect(str(settings.warehouse_path)) as db:
        assert db.execute("select * from runs.model_run order by all").fetchall() == before
        assert db.execute("select count(*) from runs.first_out").fetchone() == (2,)


def test_a_failure_while_recording_leaves_no_trace(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.ensure_tables({**RUN_TABLES, "t": {"n": "bigint"}})
        run = {"run_id": "r", "unit": "all", "job": "j", "brand_id": "a", "status": "succeeded"}
        with pytest.raises(duckdb.Error):
            warehouse.record(run, {"t": tmp_path / "missing.parquet"})
        assert warehouse.query("select count(*) from runs.model_run") == [(0,)]


def test_new_output_columns_are_added_to_old_tables(tmp_path: Path) -> None:
    with DuckDBWarehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.ensure_tables({"t": {"n": "bigint"}})
        warehouse.ensure_tables({"t": {"n": "bigint", "note": "varchar(64)"}})
        assert warehouse.query(
            "select count(*) from information_schema.columns where table_name = 't' and column_name = 'note'"
        ) == [(1,)]


def test_the_dag_has_the_stages_that_the_jobs_need() -> None:
    stages = runner.stages(runner.JOBS)
    assert sorted(j for group in stages.values() for j in group) == sorted(runner.JOBS)
    at = {j: list(stages).index(name) for name, group in stages.items() for j in group}
    for job in runner.JOBS:
        for needed in runner.spec(job).REQUIRES:
            assert 0 < at[needed] < at[job], f"{job} needs {needed}"
    dag = (Path(runner.__file__).resolve().parents[1] / "dags" / "fit_models.py").read_text()
    assert f"WAVES = {len(stages) - 1}\n" in dag


def test_old_snapshots_and_dead_halves_go(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "middle", "old", ".snapshot-live", ".snapshot-dead", "no_snapshot")):
        folder = tmp_path / name
        folder.mkdir()
        if name in ("new", "middle", "old", ".snapshot-dead"):
            (folder / "manifest.json").write_text("{}")
        moment = dt.datetime.now().timestamp() - age * (60 if name != ".snapshot-dead" else 30_000)
        os.utime(folder, (moment, moment))
    assert runner_cli.prune(tmp_path, keep=2) == [".snapshot-dead", "old"]
    assert sorted(f.name for f in tmp_path.iterdir()) == [".snapshot-live", "middle", "new", "no_snapshot"]


def test_money_is_rounded_once_to_the_marts_decimals(tmp_path: Path) -> None:
    """Engines round a double between two decimals differently: 15 digits of 202856.14124999998 end in a five."""
    run = dict.fromkeys(COMMON_COLUMNS)
    frame = pd.DataFrame(
        {
            "spend_usd": [202856.14124999998, np.nan, -0.00005001],
            "share": [1 / 3, 2 / 3, 0.0],
            "credited_value_usd": [1 / 3, 1 / 3, 1 / 3],
        }
    )
    columns = dict.fromkeys(frame, "double precision")
    write_output(frame, columns, run, tmp_path / "found.parquet")
    there = pq.read_table(tmp_path / "found.parquet").to_pandas()
    assert there.spend_usd.tolist()[::2] == [202856.1412, -0.0001] and np.isnan(there.spend_usd[1])
    assert there.share.tolist() == frame.share.tolist()
    assert there.credited_value_usd.tolist() == [0.333333] * 3  # a split of cents: its mart keeps six


def test_money_decimals_are_those_of_the_marts() -> None:
    """A money column that a mart keeps with other than four decimals is known here, and no other."""
    other = set()
    for path in (Path(runner.__file__).parents[1] / "dbt" / "models" / "marts" / "outputs").rglob("*.yml"):
        for model in yaml.safe_load(path.read_text()).get("models", []):
            for column in model.get("columns", []):
                kind = column.get("data_type", "").replace(" ", "")
                if column["name"].endswith("_usd") and kind.startswith("decimal") and kind != "decimal(18,4)":
                    other.add((column["name"], int(kind.rstrip(")").split(",")[1])))
    assert other == set(runner.MONEY_DECIMALS.items())
