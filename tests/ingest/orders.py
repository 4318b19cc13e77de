"""Many deliveries (duplicate, restated, late, overlapping) in many random orders: one state of the warehouse.

``python -m tests.ingest.orders --files 200 --orders 100``. The files are parsed once; each order splits them into a
few runs. A run after the last one must change no row.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb

from ingest import run as runner
from settings import Settings
from tests.ingest.evidence import before, keep
from tests.ingest.helpers import ROOT
from tests.ingest.kills import FEEDS, Stage

RUNS = 8


PARTS = (
    *(f"select * from {schema}.{feed}" for feed in FEEDS for schema in ("raw", "raw_history")),
    "select * from intake.partition_version",
    "select feed, sha256, line, reason, field, row_text from intake.quarantine",
    "select feed, sha256, code, detail, row_count from intake.warning",
)


def held(settings: Settings) -> str:
    """Digest of all that orders must not change: current rows and superseded ones in every column (file, line, times and
    successor included), the versions of every partition, refused rows and warnings. Name and time of the delivery that
    first brought a refused row are facts about the arrival, like the ledger's words, and stay out."""
    connection = duckdb.connect(str(settings.warehouse_path), read_only=True)
    try:
        found = [
            connection.execute(
                f"select count(*), coalesce(sum(hash(x)::hugeint), 0) from ({part}) as x"
            ).fetchone()
            for part in PARTS
        ]
    finally:
        connection.close()
    return hashlib.sha256(str(found).encode()).hexdigest()[:12]


def _rows(settings: Settings) -> list[Counter[str]]:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        return [Counter(map(str, connection.execute(part).fetchall())) for part in PARTS]


def unlike(one: Settings, other: Settings) -> list[str]:
    """What one warehouse holds and the other does not, up to three rows of each part and side."""
    found = []
    for part, here, there in zip(PARTS, _rows(one), _rows(other), strict=True):
        for side, more in (("only first", here - there), ("only other", there - here)):
            found += [f"{side}: {part}: {row}" for row in list(more.elements())[:3]]
    return found


def orders(
    folder: Path, files: int, count: int, seed: int = 1, minutes: float = 600, first: int = 0
) -> dict[str, Any]:
    """Load in ``count`` orders from number ``first`` on; the states met and the second runs that found work."""
    stage, started = Stage(folder, files), time.monotonic()
    items = list(runner.landing_zone(stage.settings, stage.contracts).items())
    states: dict[str, Settings] = {}
    differences: list[str] = []
    busy = done = 0
    for number in range(first, first + count):
        if time.monotonic() - started > minutes * 60:
            break
        spot, settings = stage.folder_for_trial()
        shuffled = random.Random(seed * 1000 + number).sample(items, len(items))
        for start in range(RUNS):
            runner.run(settings, stage.contracts, items=shuffled[start::RUNS])
        before_second = held(settings)
        busy += bool(runner.run(settings, stage.contracts)) or held(settings) != before_second
        done += 1
        if before_second in states:
            shutil.rmtree(spot, ignore_errors=True)
            continue
        if states:
            first_held = next(iter(states.values()))
            differences += [f"order {number}: {text}" for text in unlike(first_held, settings)]
        states[before_second] = settings
    words = Counter(answer["outcome"] for answer in stage.answers.values())
    return {
        "deliveries": len(items), "parsed": words["PARSED"], "orders": done, "states": sorted(states),
        "differences": differences,
        "second_runs_that_changed_something": busy, "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--resume", action="store_true", help="add to the result that is there")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_orders.json")
    args = parser.parse_args()
    old = before(args.out, args.resume)
    first = old.get("orders", 0)
    folder = Path(tempfile.mkdtemp(prefix="orders"))
    try:
        report = orders(folder, args.files, args.orders - first, args.seed, args.minutes, first)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = keep(args.out, old, report, report["orders"])
    print(json.dumps(report, indent=1))
    raise SystemExit(
        0 if len(report["states"]) == 1 and not report["second_runs_that_changed_something"] else 1
    )


if __name__ == "__main__":
    main()
