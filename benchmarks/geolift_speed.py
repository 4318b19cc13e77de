"""How long ranked test designs over every DMA take, and one analysis.

    python benchmarks/geolift_speed.py [--geos 210] [--days 180]

Both run on one thread, in this process, through the command line's own entry: CPU seconds are what an idle core takes.
The goals: ranked designs over 210 geographies in 60 s, one analysis in 1 s. Writes benchmarks/results/geolift_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from modeling.__main__ import main as command

RESULTS = Path(__file__).parent / "results" / "geolift_speed.json"


def make_panel(path: Path, geos: int, days: int) -> list[str]:
    """A panel with growth, a week, log-normal sizes and 8 % noise; returns its days."""
    rng = np.random.default_rng(0)
    at = np.arange(days)
    shape = (1 + 0.001 * at) * (1 + 0.1 * np.sin(2 * np.pi * at / 7))
    values = rng.lognormal(8, 1, geos) * shape[:, None] * np.exp(0.08 * rng.standard_normal((days, geos)))
    dates = pd.date_range("2026-01-01", periods=days).strftime("%Y-%m-%d")
    frame = pd.DataFrame(values, index=dates, columns=[str(500 + g) for g in range(geos)])
    frame.rename_axis("date").reset_index().melt("date", var_name="geo", value_name="kpi").to_csv(
        path, index=False
    )
    return list(dates)


def timed(words: list[str]) -> dict[str, float]:
    """CPU and wall seconds of one command."""
    cpu, wall = time.process_time(), time.perf_counter()
    if command(words):
        raise SystemExit("the command failed")
    return {
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "wall_seconds": round(time.perf_counter() - wall, 2),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--geos", type=int, default=210)
    parser.add_argument("--days", type=int, default=180)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        panel, out = Path(name) / "panel.csv", Path(name) / "out"
        days = make_panel(panel, given.geos, given.days)
        design = timed(["geolift", "design", "--panel", str(panel), "--duration", "28", "--out", str(out)])
        ranked = pd.read_csv(out / "designs.csv")
        first, last = days[-28], days[-1]
        treated = str(ranked["treated"].iloc[0]).replace(", ", ",")
        analysis = timed(
            [
                "geolift",
                "--panel",
                str(panel),
                "--treated",
                treated,
                "--start",
                first,
                "--end",
                last,
                "--out",
                str(out),
            ]
        )
    result = {
        "geographies": given.geos,
        "days": given.days,
        "designs": len(ranked),
        "design": design,
        "analysis": analysis,
    }
    print(json.dumps(result, indent=1))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
