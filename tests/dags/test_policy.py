"""DAG policy: every DAG imports fast, explains itself, retries, ends, and leaves the writing to one at a time."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = sorted(p.stem for p in (ROOT / "dags").glob("*.py") if p.name not in ("common.py", "layers.py"))

DUMP = """
import importlib.util, json, sys, time
import airflow.sdk
import airflow.providers.standard.operators.bash, cosmos, cosmos.operators.local
out = {}
for name in sys.argv[1:]:
    begun = time.process_time()
    found = importlib.util.spec_from_file_location(f"dag_file_{name}", f"dags/{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    took = time.process_time() - begun
    dags = [getattr(module, name)()]
    out[name] = {"seconds": took, "dags": [{
        "id": d.dag_id, "doc": d.doc_md or "", "catchup": d.catchup, "max_active_runs": d.max_active_runs,
        "timeout": d.dagrun_timeout.total_seconds() if d.dagrun_timeout else None,
        "tasks": [{"id": t.task_id, "retries": getattr(t, "retries", None) if not t.is_mapped else t.partial_kwargs.get("retries", d.default_args.get("retries")),
                   "timeout": str(getattr(t, "execution_timeout", None) if not t.is_mapped else d.default_args.get("execution_timeout")),
                   "pool": t.pool, "callback": bool(t.on_failure_callback if not t.is_mapped else d.default_args.get("on_failure_callback")), "owner": t.owner,
                   "outlets": [o.name for o in (getattr(t, "outlets", None) or [])],
                   "type": t.task_type, "command": str(getattr(t, "bash_command", "")),
                   "most": t.partial_kwargs.get("max_active_tis_per_dagrun") if t.is_mapped else None,
                   "upstream": sorted(t.upstream_task_ids)} for t in d.tasks],
        "schedule": str(d.schedule)} for d in dags]}
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__PARALLELISM": "3",
           "PYTHONPATH": f"{ROOT / 'dags'}:{ROOT}", "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", DUMP, *DAGS], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return loaded


def _each(dags: dict[str, Any]) -> list[dict[str, Any]]:
    return [d for module in dags.values() for d in module["dags"]]


def test_each_file_is_one_dag_of_the_same_name(dags: dict[str, Any]) -> None:
    assert {name: [d["id"] for d in module["dags"]] for name, module in dags.items()} == {
        n: [n] for n in DAGS
    }


def test_a_file_imports_in_under_two_seconds(dags: dict[str, Any]) -> None:
    assert {n: m["seconds"] for n, m in dags.items() if m["seconds"] >= 2} == {}


def test_each_dag_says_what_to_do_when_it_fails(dags: dict[str, Any]) -> None:
    for dag in _each(dags):
        assert "When it fails" in dag["doc"], dag["id"]
        assert dag["timeout"], dag["id"]
        assert dag["max_active_runs"] == 1, dag["id"]
        assert dag["catchup"] is False, dag["id"]


def test_each_task_retries_ends_and_reports(dags: dict[str, Any]) -> None:
    for dag in _each(dags):
        for task in dag["tasks"]:
            where = f"{dag['id']}.{task['id']}"
            assert task["retries"] and task["retries"] >= 1, where
            assert task["timeout"] != "None", where
            assert task["callback"], where
            assert task["owner"] == "data-engineering", where


WRITERS = ("ingest init", "ingest run", "modeling init", "alerts run", "serving publish")


def test_whatever_opens_the_warehouse_is_in_the_pool_of_one(dags: dict[str, Any]) -> None:
    for dag in _each(dags):
        for task in dag["tasks"]:
            opens = task["type"].startswith("Dbt") or any(w in task["command"] for w in WRITERS)
            opens = opens or task["id"] in ("snapshot", "record", "anything_new", "load_family", "families")
            if opens:
                assert task["pool"] == "warehouse_writer", f"{dag['id']}.{task['id']}"


def test_assets_join_the_dags_without_sensors(dags: dict[str, Any]) -> None:
    made = {o for d in _each(dags) for t in d["tasks"] for o in t["outlets"]}
    assert {"warehouse/raw", "warehouse/core_marts", "warehouse/model_runs", "warehouse/published"} <= made
    assert not [t["id"] for d in _each(dags) for t in d["tasks"] if "Sensor" in t["type"]]


def test_publishing_comes_after_the_tests(dags: dict[str, Any]) -> None:
    tasks = {t["id"]: t for t in dags["publish"]["dags"][0]["tasks"]}
    seen, todo = set[str](), ["swap_in"]
    while todo:
        upstream = tasks[todo.pop()]["upstream"]
        todo += [u for u in upstream if u not in seen]
        seen.update(upstream)
    assert "build_output_marts" in seen


@pytest.mark.parametrize("name", DAGS)
def test_dag_files_say_when_not_what(name: str) -> None:
    """No estimator, no SQL, no file format in a DAG file: it names commands and assets."""
    tree = ast.parse((ROOT / "dags" / f"{name}.py").read_text())
    imported = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert imported <= {
        "__future__",
        "airflow",
        "common",
        "layers",
        "json",
        "pathlib",
        "datetime",
        "typing",
        "itertools",
    }
    assert not [
        n for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value.lower().lstrip().startswith(("select ", "insert ", "create "))
    ]  # fmt: skip


def test_fits_that_nothing_waits_for_leave_a_slot_to_the_waves(dags: dict[str, Any]) -> None:
    most = {t["id"]: t["most"] for t in dags["fit_models"]["dags"][0]["tasks"] if t["id"].startswith("fit_")}
    assert most == {"fit_alone": 2, "fit_wave_0": None, "fit_wave_1": None, "fit_wave_2": None}


FIRST = """
import importlib.util, json, sys
from datetime import timedelta
from unittest.mock import patch
from airflow._shared.timezones.timezone import datetime
import airflow.timetables.trigger as trigger
out = {}
for name in sys.argv[1:]:
    found = importlib.util.spec_from_file_location(f"dag_file_{name}", f"dags/{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    timetable = getattr(module, name)().timetable
    if hasattr(timetable, "_expression"):
        again = trigger.CronTriggerTimetable.deserialize(trigger.CronTriggerTimetable.serialize(timetable))
        date = again._get_prev(datetime(2026, 11, 30))
        with patch.object(trigger, "utcnow", lambda: date + timedelta(seconds=30)):
            out[name] = again._calc_first_run() > date
print(json.dumps(out))
"""


def test_a_first_start_just_after_a_date_waits_for_the_next(tmp_path: Path) -> None:
    """Else the demo's own run of a DAG meets a scheduled one that started by itself, and waits for it."""
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
           "PYTHONPATH": f"{ROOT / 'dags'}:{ROOT}"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", FIRST, *DAGS], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    waits = json.loads(done.stdout.strip().splitlines()[-1])
    assert waits == dict.fromkeys(["ingest", "maintenance", "mix_comparison", "segments"], True)


DEAL = """
import importlib.util, json, sys
import common
common.run_json = lambda *parts: json.loads(sys.argv[1])
found = importlib.util.spec_from_file_location("dag_file_ingest", "dags/ingest.py")
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
task = module.ingest().get_task("families")
print(json.dumps([c.partition(" -m ")[2] for c in task.python_callable()]))
"""


def test_files_of_no_feed_get_a_run_of_their_own(tmp_path: Path) -> None:
    waiting = [{"family": f"f{i}", "feeds": [f"feed{i}"], "new_files": 9 - i} for i in range(6)]
    waiting.append({"family": "unknown", "feeds": [], "new_files": 2})
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
           "PYTHONPATH": f"{ROOT / 'dags'}:{ROOT}"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", DEAL, json.dumps(waiting)],
        env=env, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    commands = json.loads(done.stdout.strip().splitlines()[-1])
    assert commands[-1] == "ingest run" and len(commands) == 5
    dealt = sorted(f for c in commands[:-1] for f in c.rpartition(" ")[2].split(","))
    assert dealt == [f"feed{i}" for i in range(6)]
