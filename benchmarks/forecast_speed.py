"""CPU seconds and peak memory of a whole run (backtests, choice, intervals, forecast), by number of series.

    python -m benchmarks.forecast_speed [--freq W] [--series 45,210,630] [--days 1095]

Weekly: 116 weeks, daily: three years, with two regressors. Each size runs in a process of its own; start-up and
imports are included. Writes benchmarks/results/forecast_speed_<freq>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def one(freq: str, series: int, days: int) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    import numpy as np
    import pandas as pd

    from modeling.forecast.engine import forecast_panel
    from modeling.forecast.panel import Panel

    rng = np.random.default_rng(0)
    horizon = 28 if freq == "D" else 8
    length = days if freq == "D" else 116
    total = length + horizon
    dates = pd.date_range("2023-01-01", periods=total, freq="D" if freq == "D" else "7D")
    wave = 0.3 * np.sin(2 * np.pi * dates.dayofyear.to_numpy() / 365.25)
    week = 0.2 * np.sin(2 * np.pi * dates.dayofweek.to_numpy() / 7)
    promo = (rng.random((series, total)) < 0.1).astype(float)
    media = rng.gamma(2, 1, (series, total))
    level = rng.normal(4, 1, (series, 1))
    y = rng.poisson(np.exp(level + wave + week + 0.3 * promo + 0.05 * np.log1p(media)))[:, :length].astype(
        float
    )
    off = np.zeros((series, total), dtype=bool)
    names = [f"s{i}" for i in range(series)]
    cut = np.zeros(y.shape, dtype=bool)
    exog = np.stack([promo, media], axis=2)
    forecast_panel(Panel(names, dates, y, exog, ["promo", "media"], off, cut, freq, horizon)).table()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"series": series, "cpu_s": round(time.process_time(), 2), "peak_mb": round(peak)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--freq", choices=("D", "W"), default="W")
    parser.add_argument("--series", default="45,210,630")
    parser.add_argument("--days", type=int, default=1095)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.freq, args.one, args.days)
        return
    rows = []
    for count in args.series.split(","):
        words = [sys.executable, "-m", "benchmarks.forecast_speed", "--freq", args.freq, "--one", count]
        done = subprocess.run([*words, "--days", str(args.days)], check=True, capture_output=True, text=True)
        row = json.loads(done.stdout.strip().splitlines()[-1])
        row["cpu_s_per_series"] = round(row["cpu_s"] / row["series"], 4)
        rows.append(row)
        print(row, flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"forecast_speed_{args.freq}.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
