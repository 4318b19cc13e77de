"""The whole dbt project on the stand-in, twice with changed data between, and every mart equal to DuckDB's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import ROOT
from standin.stack import Stack
from tests.redshift import parity

pytestmark = pytest.mark.redshift

#: Facts about one run of one warehouse, not about the data.
SKIP = {"*": {"loaded_at", "ingest_run_id", "run_seq"}, "marts.fct_data_quality": {"checked_at"}}
#: Deliveries stamped from this day on arrive only in the second round.
SECOND_ROUND = "20261018"


@dataclass
class Rounds:
    """What two rounds left behind."""

    differences: list[dict[str, list[str]]] = field(default_factory=list)
    redshift: list[subprocess.CompletedProcess[str]] = field(default_factory=list)
    duckdb: list[subprocess.CompletedProcess[str]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    relations: set[str] = field(default_factory=set)
    log: list[dict[str, Any]] = field(default_factory=list)


def python(*arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def later(path: Path) -> bool:
    stamp = re.search(r"__(\d{8})T", path.name)
    return bool(stamp) and stamp[1] >= SECOND_ROUND


@pytest.fixture(scope="module")
def rounds(warehouse: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    work = tmp_path_factory.mktemp("dbt")
    python(
        "simulator", "--out", str(work / "world"), "--seed", "7", "--weeks", "16", "--scale", "0.05", env={}
    )
    all_files = [p for p in (work / "world" / "landing").rglob("*") if p.is_file()]
    landing = work / "landing"
    local = {
        "WAREHOUSE_TARGET": "duckdb", "WAREHOUSE_PATH": str(work / "w.duckdb"), "LANDING_URI": str(landing),
        "RUNS_DIR": str(work / "runs"), "SERVING_PATH": str(work / "s.duckdb"), "PII_HASH_KEY": "0123456789abcdef",
    }  # fmt: skip
    builder = {
        "REDSHIFT_USER": "svc_transformer",
        "REDSHIFT_PASSWORD": warehouse.user_passwords["svc_transformer"],
    }
    remote = {**local, **warehouse.environment, **builder}
    found, before = Rounds(), len(warehouse.statements())
    for number in (1, 2):
        for path in all_files:
            if number == 2 or not later(path):
                target = landing / path.relative_to(work / "world" / "landing")
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    shutil.copy2(path, target)
        python("ingest", "init", env=local)
        python("ingest", "run", "--quiet", env=local)
        python("modeling", "init", env=local)
        found.rows.append(parity.transfer(work / "w.duckdb", warehouse))
        with ThreadPoolExecutor(2) as pool:  # both engines at once: most of dbt's time is its own
            duck = pool.submit(parity.dbt, ["build"], local, work / "duckdb")
            red = pool.submit(parity.dbt, ["build"], remote, work / "redshift")
            found.duckdb.append(duck.result())
            found.redshift.append(red.result())
        found.differences.append(
            parity.differences(work / "w.duckdb", warehouse, ("features", "marts"), SKIP)
        )
    with parity.duckdb.connect(str(work / "w.duckdb"), read_only=True) as db:
        found.relations = set(parity.relations(db, ("features", "marts")))
    found.log = warehouse.statements()[before:]
    found.redshift.append(parity.dbt(["docs", "generate"], remote, work / "redshift"))
    found.relations |= {"docs:" + str(work / "redshift" / "target" / "catalog.json")}
    yield found


def said(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(line for line in done.stdout.splitlines() if re.search(r"ERROR|FAIL|Error|Done", line))[
        -3000:
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_the_whole_project_builds(rounds: Rounds, number: int) -> None:
    assert rounds.duckdb[number - 1].returncode == 0, said(rounds.duckdb[number - 1])
    assert rounds.redshift[number - 1].returncode == 0, said(rounds.redshift[number - 1])


@pytest.mark.parametrize("number", [1, 2])
def test_every_mart_equals_duckdb(rounds: Rounds, number: int) -> None:
    assert len(rounds.relations) > 50
    assert rounds.differences[number - 1] == {}


def test_the_second_round_brought_rows(rounds: Rounds) -> None:
    assert rounds.rows[1] > rounds.rows[0] > 10_000


def test_docs_generate(rounds: Rounds) -> None:
    assert rounds.redshift[2].returncode == 0, said(rounds.redshift[2])
    catalog = json.loads(Path(next(r for r in rounds.relations if r.startswith("docs:"))[5:]).read_text())
    built = {f"{n['metadata']['schema']}.{n['metadata']['name']}" for n in catalog["nodes"].values()}
    assert {r for r in rounds.relations if not r.startswith("docs:")} <= built
    assert catalog["errors"] is None


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
