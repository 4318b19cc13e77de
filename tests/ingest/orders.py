"""Many deliveries (duplicate, restated, late, overlapping) in many random orders: one state of the warehouse.

``python -m tests.ingest.orders --files 200 --orders 100``. The files are parsed once; each order splits them into a
few runs. A run after the last one must change no row.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from pathlib import Path

import duckdb

from ingest import run as runner
from settings import Settings
from tests.ingest.helpers import ROOT
from tests.ingest.kills import FEEDS, Stage

RUNS = 8


def held(settings: Settings) -> str:
    """Current and superseded rows, without what the order of arrival may name differently among equal contents."""
    connection = duckdb.connect(str(settings.warehouse_path), read_only=True)
    try:
        return str(
            [
                connection.execute(
                    "select count(*), sum(hash(x)::hugeint) from "
                    f"(select * exclude (_file_id, _delivered_at, _line) from raw.{feed}) as x"
                ).fetchall()
                for feed in FEEDS
            ]
        )
    finally:
        connection.close()


def orders(folder: Path, files: int, count: int, seed: int = 1, minutes: float = 600) -> dict[str, object]:
    """Load in ``count`` orders; the number of different states and of second runs that found work."""
    stage, started = Stage(folder, files), time.monotonic()
    items = list(runner.landing_zone(stage.settings, stage.contracts).items())
    states: set[str] = set()
    busy = done = 0
    for number in range(count):
        if time.monotonic() - started > minutes * 60:
            break
        spot, settings = stage.folder_for_trial()
        shuffled = random.Random(seed * 1000 + number).sample(items, len(items))
        for start in range(RUNS):
            runner.run(settings, stage.contracts, items=shuffled[start::RUNS])
        before = held(settings)
        busy += bool(runner.run(settings, stage.contracts)) or held(settings) != before
        states.add(before)
        done += 1
        shutil.rmtree(spot, ignore_errors=True)
    return {
        "deliveries": len(items), "orders": done, "states": len(states), "second_runs_that_changed_something": busy,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_orders.json")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="orders"))
    try:
        report = orders(folder, args.files, args.orders, args.seed, args.minutes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    raise SystemExit(0 if report["states"] == 1 and not report["second_runs_that_changed_something"] else 1)


if __name__ == "__main__":
    main()
