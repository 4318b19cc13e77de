"""Accuracy against the truth: the whole path over several made-up worlds, every estimate scored.

    python -m benchmarks.worlds --seeds 21,22,23 [--jobs geolift,mmm,...] [--out benchmarks/results/worlds.json]

For each seed: partner files, intake, dbt, fits, marts, then ``python -m simulator score``. Prints, for each kind of
estimate, how many intervals hold the truth and the median absolute relative error; every row is in the JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.chain import run  # noqa: E402


def score(seed: int, jobs: str | None) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix=f"world-{seed}-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "simulator", "--out", str(folder), "--seed", str(seed)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        run(
            folder,
            folder / "landing",
            only=["ingest", "prepare", "core", "fit", "outputs", "publish"],
            jobs=jobs,
        )
        command = [sys.executable, "-m", "simulator", "score", "--truth", str(folder / "truth"), "--warehouse",
                   str(folder / "serving.duckdb"), "--format", "json"]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return [{"seed": seed, **row} for row in rows]


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = []
    for question in dict.fromkeys(r["question"] for r in rows):
        asked = [r for r in rows if r["question"] == question]
        held = [r for r in asked if r.get("covered") is not None]
        errors = [
            abs(float(r["estimate"]) / float(r["truth"]) - 1)
            for r in asked
            if r.get("truth") not in (None, 0) and r.get("estimate") is not None
        ]
        table.append({
            "question": question, "estimates": len(asked), "with_interval": len(held),
            "intervals_that_hold_the_truth": sum(str(r["covered"]).lower() in ("yes", "true") for r in held),
            "median_relative_error": round(statistics.median(errors), 3) if errors else None,
        })  # fmt: skip
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="21,22,23,24,25")
    parser.add_argument("--jobs", help="comma-separated model jobs (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "worlds.json")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in [int(s) for s in args.seeds.split(",")]:
        rows += score(seed, args.jobs)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(
            json.dumps(
                {"seeds": sorted({r["seed"] for r in rows}), "summary": summary(rows), "rows": rows}, indent=1
            )
            + "\n"
        )
        print(f"seed {seed}: {len(rows)} rows so far", file=sys.stderr, flush=True)
    print(
        f"{'question':22s} {'estimates':>9s} {'intervals':>9s} {'hold truth':>10s} {'median rel. error':>18s}"
    )
    for row in summary(rows):
        print(f"{row['question']:22s} {row['estimates']:9d} {row['with_interval']:9d} "
              f"{row['intervals_that_hold_the_truth']:10d} {row['median_relative_error'] if row['median_relative_error'] is not None else '-':>18}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
