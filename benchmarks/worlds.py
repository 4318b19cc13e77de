"""Accuracy against the truth: the whole path over several made-up worlds, every estimate scored.

    python -m benchmarks.worlds --seeds 21,22,23 [--jobs geolift,mmm,...]
    python -m benchmarks.worlds --done 7:.data/truth:.data/serving.duckdb     (a world that has been published already)

Writes benchmarks/results/worlds.json and docs/accuracy.md.

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
        return rows_of(seed, folder / "truth", folder / "serving.duckdb")


def rows_of(seed: int, truth: Path, serving: Path) -> list[dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "simulator",
        "score",
        "--truth",
        str(truth),
        "--warehouse",
        str(serving),
        "--format",
        "json",
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return [{"seed": seed, **row} for row in rows]


def document(rows: list[dict[str, Any]]) -> str:
    """The page: one line for each kind of estimate, then every interval that misses."""
    seeds = sorted({r["seed"] for r in rows})
    lines = [
        "# How close the answers come to the truth", "",
        f"Written by `benchmarks/worlds.py` from {len(seeds)} made-up world(s) (seed {', '.join(map(str, seeds))}): partner files through "
        "intake, dbt, fits and marts, then scored against the truth that the pipeline never reads. Attribution has no interval here: "
        "its rows measure how far credit lies from cause.", "",
        "| question | estimates | with interval | interval holds the truth | median relative error |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in summary(rows):
        error = "" if row["median_relative_error"] is None else f"{100 * row['median_relative_error']:.1f} %"
        lines.append(
            f"| {row['question']} | {row['estimates']} | {row['with_interval']} | {row['intervals_that_hold_the_truth']} | {error} |"
        )
    lines += [
        "",
        "## Intervals that miss",
        "",
        "| seed | question | item | estimate | interval | truth |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        if r.get("covered") is not None and str(r["covered"]).lower() not in ("yes", "true"):
            lines.append(
                f"| {r['seed']} | {r['question']} | {r['item']} | {r['estimate']:.3f} | {r['low']:.3f} to {r['high']:.3f} | {r['truth']:.3f} |"
            )
    lines += [
        "",
        "A demand-chasing channel without a test of its own keeps a wide interval on purpose.", "",
    ]  # fmt: skip
    return "\n".join(lines)


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
    parser.add_argument("--seeds", default="21,22,23,24,25", help="worlds to make and run; empty for none")
    parser.add_argument(
        "--done", action="append", default=[], help="SEED:TRUTH:SERVING of a world that has been run"
    )
    parser.add_argument("--jobs", help="comma-separated model jobs (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "worlds.json")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for done in args.done:
        seed, truth, serving = done.split(":")
        rows += rows_of(int(seed), Path(truth).resolve(), Path(serving).resolve())
    for seed in [int(s) for s in args.seeds.split(",") if s]:
        rows += score(seed, args.jobs)
        print(f"seed {seed}: {len(rows)} rows so far", file=sys.stderr, flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    content = {"seeds": sorted({r["seed"] for r in rows}), "summary": summary(rows), "rows": rows}
    args.out.write_text(json.dumps(content, indent=1) + "\n")
    (ROOT / "docs" / "accuracy.md").write_text(document(rows))
    print(
        f"{'question':22s} {'estimates':>9s} {'intervals':>9s} {'hold truth':>10s} {'median rel. error':>18s}"
    )
    for row in summary(rows):
        print(f"{row['question']:22s} {row['estimates']:9d} {row['with_interval']:9d} "
              f"{row['intervals_that_hold_the_truth']:10d} {row['median_relative_error'] if row['median_relative_error'] is not None else '-':>18}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
