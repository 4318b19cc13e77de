"""Do the intervals of elasticity, promotion lift and price x promotion hold what was planted?

    python benchmarks/elasticity_promo.py [--worlds 100]

Worlds of weekly sales by series: prices that walk, promotions of one or two weeks at four depths, and households that
buy ahead: a share of what a promotion sold extra is missing in the three weeks after it, more after deep ones. Kinds
differ in how many series there are and whether they share prices. Prints a table, writes
benchmarks/results/elasticity_promo.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modeling.elasticity.estimator import Columns, Estimate, PriceElasticity

RESULTS = Path(__file__).parent / "results" / "elasticity_promo.json"
COLUMNS = Columns("units", "price", "promo", "series", "week")


@dataclass(frozen=True)
class Kind:
    """Series and weeks; `noise` of log units; `counts`: small whole numbers, some of them zero."""

    series: int = 18
    weeks: int = 130
    noise: float = 0.06
    counts: bool = False


KINDS = {
    "18 series": Kind(),
    "4 series": Kind(series=4),
    "one series": Kind(series=1, weeks=156),
    "60 short series": Kind(series=60, weeks=60),
    "small counts": Kind(series=24, noise=0.1, counts=True),
}


def make_world(seed: int, kind: Kind) -> tuple[pd.DataFrame, dict[str, float]]:
    """A panel and what was planted: elasticity, promotion lift in percent, interaction."""
    rng = np.random.default_rng(seed)
    elasticity, lift = -rng.uniform(1.2, 2.4), rng.uniform(0.1, 0.35)
    interaction, pull = -rng.uniform(0.0, 0.5), rng.uniform(0.05, 0.3)
    n, t = kind.series, kind.weeks
    week = np.arange(t)
    demand = np.cumsum(rng.normal(0, 0.01, t)) + 0.08 * np.sin(2 * np.pi * week / 52.18)
    parts = []
    for s in range(n):
        steps = np.where(rng.random(t) < 0.12, rng.normal(0, 0.04, t), 0.0)
        regular = rng.uniform(1, 3) + np.clip(np.cumsum(steps), -0.25, 0.25)
        start = rng.random(t) < 0.1
        second = np.r_[False, start[:-1] & (rng.random(t - 1) < 0.4)] & ~start
        depth = np.where(start, rng.choice([0.1, 0.15, 0.2, 0.3], t), 0.0)
        depth = np.where(second, np.r_[0.0, depth[:-1]], depth)
        promo = (depth > 0).astype(float)
        log_cut = np.log1p(-depth)
        extra = np.where(promo > 0, np.exp((elasticity + interaction) * log_cut + lift) - 1.0, 0.0)
        borrowed = np.zeros(t)
        for lag, weight in ((1, 0.5), (2, 0.3), (3, 0.2)):
            borrowed[lag:] += pull * weight * extra[:-lag]
        error = np.zeros(t)
        for k in range(1, t):
            error[k] = 0.5 * error[k - 1] + rng.normal(0, kind.noise)
        log_units = (
            rng.normal(1.5 if kind.counts else 7, 0.5)
            + elasticity * (regular - regular.mean() + log_cut)
            + promo * (lift + interaction * log_cut)
            + np.log1p(-np.minimum(borrowed, 0.6))
            + demand
            + error
        )
        units = rng.poisson(np.exp(log_units)) if kind.counts else np.exp(log_units)
        parts.append(
            pd.DataFrame(
                {
                    "series": f"s{s}",
                    "week": pd.Timestamp("2023-01-01") + pd.to_timedelta(7 * week, unit="D"),
                    "units": units,
                    "price": np.exp(regular + log_cut),
                    "promo": promo,
                }
            )
        )
    truth = {
        "elasticity": elasticity,
        "promo_lift_pct": 100 * np.expm1(lift),
        "interaction": interaction,
        "promo_lift_net_pct": 100 * np.expm1(lift) * (1 - pull),
    }
    return pd.concat(parts, ignore_index=True), truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=5000)
    args = parser.parse_args()
    table = []
    for name, kind in KINDS.items():
        rows = []
        for seed in range(args.seed, args.seed + args.worlds):
            data, truth = make_world(seed, kind)
            found = PriceElasticity(COLUMNS).fit(data)
            for what, real in truth.items():
                made: Estimate | None = getattr(found, what)
                if made is not None:
                    rows.append(
                        (what, made.low <= real <= made.high, made.value - real, made.high - made.low)
                    )
        frame = pd.DataFrame(rows, columns=["quantity", "held", "error", "width"])
        for what, part in frame.groupby("quantity", sort=False):
            table.append(
                {
                    "kind": name,
                    "quantity": what,
                    "worlds": len(part),
                    "intervals_hold": float(part["held"].mean()),
                    "mean_error": float(part["error"].mean()),
                    "median_absolute_error": float(part["error"].abs().median()),
                    "mean_width": float(part["width"].mean()),
                }
            )
        print(
            pd.DataFrame(table[-4:]).round(3).to_string(index=False, header=name == next(iter(KINDS))),
            flush=True,
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
