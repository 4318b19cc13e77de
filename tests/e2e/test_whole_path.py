"""The whole path on a small world: kills at any stage, hostile files, second runs, the truth never read."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from demo.chain import run, steps
from tests.e2e import chain

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
WEEKS = "60"


@pytest.fixture(scope="module", autouse=True)
def _hash_key() -> Iterator[None]:
    """One key for all runs: with keys of their own, hashed identifiers and so the marts would differ."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PII_HASH_KEY", "a key for tests that hides nothing")
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    command = [
        sys.executable,
        "-m",
        "simulator",
        "--out",
        str(folder),
        "--seed",
        "11",
        "--weeks",
        WEEKS,
        "--scale",
        "0.3",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def undisturbed(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    landing = shutil.copytree(world / "landing", folder / "landing")
    run(folder, landing)
    return folder


def test_a_second_run_loads_nothing_and_publishes_nothing(undisturbed: Path) -> None:
    before = chain.served(undisturbed), (undisturbed / "serving.duckdb").stat().st_mtime_ns
    with duckdb.connect(str(undisturbed / "warehouse.duckdb"), read_only=True) as db:
        rows = db.execute(
            "select sum(estimated_size) from duckdb_tables() where schema_name in ('raw', 'runs')"
        ).fetchone()
    run(undisturbed, undisturbed / "landing")
    assert (chain.served(undisturbed), (undisturbed / "serving.duckdb").stat().st_mtime_ns) == before
    with duckdb.connect(str(undisturbed / "warehouse.duckdb"), read_only=True) as db:
        again = db.execute(
            "select sum(estimated_size) from duckdb_tables() where schema_name in ('raw', 'runs')"
        ).fetchone()
    assert again == rows


@pytest.mark.parametrize("stage", ["ingest", "core", "fit", "publish"])
def test_a_run_killed_at_any_stage_is_healed_by_the_next(
    stage: str, world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    landing = shutil.copytree(world / "landing", tmp_path / "landing")
    order = list(steps(tmp_path))
    run(tmp_path, landing, only=order[: order.index(stage)])
    warehouse = tmp_path / "warehouse.duckdb"
    begun = time.monotonic()
    started_size = warehouse.stat().st_size if warehouse.exists() else 0

    def ready() -> bool:
        if stage == "ingest":  # in the load phase: the file exists and has grown
            return warehouse.exists() and warehouse.stat().st_size > 4_000_000
        if stage == "core":
            return warehouse.stat().st_size > started_size + 2_000_000
        if stage == "fit":
            return any((tmp_path / "runs").glob("*/fits/*/*/*/run.json"))
        return any(tmp_path.glob("serving.duckdb.*.tmp")) or time.monotonic() - begun > 2.5

    chain.kill_when(tmp_path, landing, stage, ready)
    assert not (tmp_path / "serving.duckdb").exists() or chain.served(tmp_path)[0] == 1
    run(tmp_path, landing)
    assert chain.differences(tmp_path, undisturbed) == []
    assert list(tmp_path.glob("serving.duckdb.*.tmp*")) == []


def test_hostile_files_are_refused_while_everything_else_proceeds(
    world: Path, undisturbed: Path, tmp_path: Path
) -> None:
    landing = shutil.copytree(world / "landing", tmp_path / "landing")
    # the file delivered last: an older one, delivered again, would rightly take its restatement back
    files = (landing / "walmart_store_sales").glob("*.csv.gz")
    sales = max(files, key=lambda path: path.name.split("__")[1])
    (
        landing / "walmart_store_sales" / "walmart_store_sales_20261101_20261101__20261102T080000Z.csv"
    ).write_text("<!doctype html><html><body>503 Service Unavailable</body></html>")
    (
        landing / "walmart_store_sales" / "walmart_store_sales_20261102_20261102__20261103T080000Z.csv.gz"
    ).write_bytes(sales.read_bytes()[:-200])
    lines = gzip.decompress(sales.read_bytes()).decode().splitlines()
    shuffled = [",".join(reversed(line.split(","))) for line in lines]
    other = landing / "walmart_store_sales" / "walmart_store_sales_20261018_20261024__20261130T080000Z.csv"
    other.write_text("\n".join(shuffled) + "\n")
    run(tmp_path, landing)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as db:
        outcomes = dict(
            db.execute(
                "select file_name, outcome || ' ' || coalesce(reason, '') from intake.ledger "
                "where feed = 'walmart_store_sales'"
            ).fetchall()
        )
    assert outcomes["walmart_store_sales_20261101_20261101__20261102T080000Z.csv"].startswith("QF error_page")
    assert outcomes["walmart_store_sales_20261102_20261102__20261103T080000Z.csv.gz"].startswith("QF gzip")
    assert outcomes[other.name].split()[0] in ("REPLACE", "QR", "LOAD")
    query = (
        "select cast(sum(revenue_usd) as varchar), cast(sum(units_sold) as varchar) from marts.fct_pos_week "
        "where retailer_id = 'walmart'"
    )
    totals = []
    for folder in (undisturbed, tmp_path):
        with duckdb.connect(str(folder / "serving.duckdb"), read_only=True) as db:
            totals.append(db.execute(query).fetchall())
    assert totals[0] == totals[1]


def test_the_pipeline_never_reads_the_truth(world: Path, undisturbed: Path) -> None:
    """The undisturbed run had no truth folder beside its landing zone, and answered all the same."""
    assert not (undisturbed / "truth").exists()
    with duckdb.connect(str(undisturbed / "serving.duckdb"), read_only=True) as db:
        assert db.execute("select count(*) from marts.fct_channel_roi").fetchone() > (0,)
