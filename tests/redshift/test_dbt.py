"""The whole pipeline on the stand-in: every dbt model, every fit, twice with changed data, all equal to DuckDB's.

The fits run through the fit_models DAG itself, on feature tables that hold the very rows of DuckDB's, so that their
outputs must be the same to the last bit; that dbt makes those rows on both engines is a test of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from modeling import runner
from settings import ROOT
from standin.stack import Stack
from tests.redshift import gifting, parity

pytestmark = pytest.mark.redshift

#: Facts about one run of one warehouse, not about the data.
SKIP = {
    "*": {"loaded_at", "ingest_run_id", "run_seq", "started_at", "finished_at", "cpu_seconds", "peak_mb", "recorded_seq"},
    "marts.fct_data_quality": {"checked_at"},
}  # fmt: skip
#: Deliveries stamped from this day on arrive only in the second round.
SECOND_ROUND = "20261018"
#: Long enough for every job to give an answer or to say why it cannot; the jobs of the first round are the quick ones.
WEEKS, SCALE = os.environ.get("REDSHIFT_TEST_WEEKS", "40"), "0.05"
FIRST_JOBS = ("attribution", "elasticity", "frequency")


@dataclass
class Rounds:
    """What two rounds left behind."""

    differences: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    dbt: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    relations: set[str] = field(default_factory=set)
    compared: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    catalog: dict[str, Any] = field(default_factory=dict)


def python(*arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def later(path: Path) -> bool:
    stamp = re.search(r"__(\d{8})T", path.name)
    return bool(stamp) and stamp[1] >= SECOND_ROUND


class Pipeline:
    """The same steps on both warehouses, side by side; what they leave is in ``found``."""

    def __init__(self, stack: Stack, work: Path) -> None:
        self.stack, self.work, self.found = stack, work, Rounds()
        self.file = work / "w.duckdb"
        self.local = {
            "WAREHOUSE_TARGET": "duckdb", "WAREHOUSE_PATH": str(self.file), "LANDING_URI": str(work / "landing"),
            "RUNS_DIR": str(work / "runs"), "SERVING_PATH": str(work / "s.duckdb"), "PII_HASH_KEY": "0123456789abcdef",
        }  # fmt: skip

    def remote(self, user: str) -> dict[str, str]:
        login = {"REDSHIFT_USER": user, "REDSHIFT_PASSWORD": self.stack.user_passwords[user]}
        return {**self.local, **self.stack.environment, **login, "RUNS_DIR": str(self.work / "runs_redshift")}

    def deliver(self, files: Sequence[Path], world: Path) -> None:
        for path in files:
            target = self.work / "landing" / path.relative_to(world)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy2(path, target)
        python("ingest", "init", env=self.local)
        python("ingest", "run", "--quiet", env=self.local)
        python("modeling", "init", env=self.local)
        schemas = ("raw", "raw_history", "intake")
        self.found.rows.append(parity.transfer(self.file, self.stack, schemas))

    def build(self, name: str, *chosen: str) -> None:
        """dbt on both; data tests run on the stand-in (DuckDB's have a suite of their own)."""
        untested = ["--exclude-resource-types", "test", "unit_test"]
        with ThreadPoolExecutor(2) as pool:
            duck = pool.submit(parity.dbt, ["build", *chosen, *untested], self.local, self.work / "duckdb")
            red = pool.submit(
                parity.dbt, ["build", *chosen], self.remote("svc_transformer"), self.work / "redshift"
            )
            self.found.dbt[f"duckdb {name}"], self.found.dbt[f"redshift {name}"] = duck.result(), red.result()
        for engine in ("duckdb", "redshift"):
            done = self.found.dbt[f"{engine} {name}"]
            if done.returncode and "Done." not in done.stdout:
                raise RuntimeError(f"{engine} {name}: {done.stdout[-3000:]}")

    def compare(self, name: str, *schemas: str) -> None:
        self.found.differences[name] = parity.differences(
            self.file, self.stack, schemas, SKIP, self.found.compared
        )

    def fit(self, jobs: Sequence[str] | None = None) -> None:
        """Fit on DuckDB by command and on the stand-in by the DAG (some jobs only: by command on both)."""
        inputs = {t for job in jobs or runner.JOBS for t in runner.spec(job).INPUTS if t.startswith("feat_")}
        parity.copy_built(self.file, self.stack, inputs)
        chosen = ["--jobs", ",".join(jobs)] if jobs else []
        with ThreadPoolExecutor(2) as pool:
            duck = pool.submit(python, "modeling", "run", *chosen, env=self.local)
            modeler = self.remote("svc_modeler")
            if jobs:
                red = pool.submit(python, "modeling", "run", *chosen, env=modeler)
            else:
                red = pool.submit(self._dag, modeler)
            duck.result(), red.result()

    def _dag(self, env: dict[str, str]) -> str:
        home = {
            "AIRFLOW_HOME": str(self.work / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"), "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        }  # fmt: skip
        python("airflow", "db", "migrate", env={**env, **home})
        return python("airflow", "dags", "test", "fit_models", env={**env, **home})


@pytest.fixture(scope="module")
def rounds(warehouse: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    work = tmp_path_factory.mktemp("dbt")
    python(
        "simulator", "--out", str(work / "world"), "--seed", "7", "--weeks", WEEKS, "--scale", SCALE, env={}
    )
    world = work / "world" / "landing"
    gifting.deliver(world)
    files = [p for p in world.rglob("*") if p.is_file()]
    pipeline, before = Pipeline(warehouse, work), len(warehouse.statements())
    found = pipeline.found
    for number, jobs in ((1, FIRST_JOBS), (2, None)):
        pipeline.deliver([p for p in files if number == 2 or not later(p)], world)
        pipeline.build(f"core {number}", "--exclude", "tag:outputs")
        pipeline.compare(f"core {number}", "features")
        pipeline.fit(jobs)
        pipeline.build(f"outputs {number}", "--select", "tag:outputs")
        pipeline.compare(f"all {number}", "features", "marts", "runs")
    with parity.duckdb.connect(str(pipeline.file), read_only=True) as db:
        found.relations = set(parity.relations(db, ("features", "marts")))
        found.statuses = dict(
            db.execute("select status, count(*) from runs.model_run group by all").fetchall()
        )
    found.log = warehouse.statements()[before:]
    remote = pipeline.remote("svc_transformer")
    found.dbt["redshift docs"] = parity.dbt(["docs", "generate"], remote, work / "redshift")
    if found.dbt["redshift docs"].returncode == 0:
        found.catalog = json.loads((work / "redshift" / "target" / "catalog.json").read_text())
    yield found


def said(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(line for line in done.stdout.splitlines() if re.search(r"ERROR|FAIL|Error|Done", line))[
        -3000:
    ]


@pytest.mark.parametrize("step", ["core 1", "outputs 1", "core 2", "outputs 2"])
def test_the_whole_project_builds(rounds: Rounds, step: str) -> None:
    for engine in ("duckdb", "redshift"):
        done = rounds.dbt[f"{engine} {step}"]
        assert done.returncode == 0, said(done)


@pytest.mark.parametrize("step", ["core 1", "core 2", "all 1", "all 2"])
def test_every_table_equals_duckdb(rounds: Rounds, step: str) -> None:
    """Features as dbt built them ("core"), then all features, marts and run outputs, row by row."""
    assert rounds.differences[step] == {}


def test_the_comparison_compared_something(rounds: Rounds) -> None:
    """Names the tables without a row: nothing was compared there but their columns."""
    assert len(rounds.relations) > 80
    empty = sorted(name for name, rows in rounds.compared.items() if not rows)
    print(f"{len(rounds.compared)} tables, {sum(rounds.compared.values()):,} rows; empty: {', '.join(empty)}")
    assert rounds.relations <= set(rounds.compared)
    assert len(empty) < len(rounds.compared) // 4, empty


def test_the_gifting_pack_has_rows_on_both(rounds: Rounds) -> None:
    """Orphans among them: they are refused by the warehouse, not by the loader."""
    for mart in ("dim_gift", "dim_gift_client", "dim_gift_recipient", "dim_gift_service", "fct_gift_order", "fct_gift_expenditure", "fct_gift_engagement"):  # fmt: skip
        assert rounds.compared[f"marts.{mart}"], mart
    assert rounds.compared["marts.fct_quarantine"]


def test_every_job_ran_on_the_standin(rounds: Rounds) -> None:
    print(rounds.statuses)
    assert rounds.statuses["succeeded"] >= 8 and not rounds.statuses.get("failed")
    assert rounds.compared["runs.model_run"] >= len(runner.JOBS)


def test_the_second_round_brought_rows(rounds: Rounds) -> None:
    assert rounds.rows[1] > rounds.rows[0] > 10_000


def test_docs_generate(rounds: Rounds) -> None:
    assert rounds.dbt["redshift docs"].returncode == 0, said(rounds.dbt["redshift docs"])
    built = {f"{n['metadata']['schema']}.{n['metadata']['name']}" for n in rounds.catalog["nodes"].values()}
    assert rounds.relations <= built
    assert rounds.catalog["errors"] is None


def test_nothing_was_refused_or_passed_unread(rounds: Rounds) -> None:
    if not rounds.log:
        pytest.skip("a real cluster keeps its own log")
    statements = [s for s in rounds.log if s["event"] == "sql"]
    assert len(statements) > 1000
    assert not [s["refused"] for s in statements if "refused" in s]
    assert not [s["error"] for s in statements if "error" in s]
    assert not [
        s["sql"][:200] for s in statements if any(r.startswith("UNPARSED") for r in s.get("rules", []))
    ]


def test_distribution_and_sort_keys_are_as_declared(rounds: Rounds, cursor: Any) -> None:
    project = yaml.safe_load((ROOT / "dbt" / "dbt_project.yml").read_text())["models"]["warehouse"]["marts"]
    declared = {
        name: config
        for folder in ("media", "sales", "customer")
        for name, config in project[folder].items()
        if isinstance(config, dict) and not name.startswith("+")
    }
    cursor.execute(
        """select "table", diststyle, sortkey1, sortkey_num from svv_table_info where "schema" = 'marts'"""
    )
    found = {str(t): (str(d), str(s), int(n)) for t, d, s, n in cursor.fetchall()}
    assert len(declared) >= 8
    for name, config in declared.items():
        assert found[name] == (f"KEY({config['+dist']})", config["+sort"][0], len(config["+sort"])), name
    assert found["dim_dma"][0] == found["dim_calendar"][0] == "ALL"
