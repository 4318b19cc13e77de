"""Geo tests of many simulated worlds against their truth, with and without what else is known of the places.

    python benchmarks/geolift_worlds.py [--seeds 7,21,22,23,24] [--first 300 --worlds 15] [--rows FILE]

A world is built in memory; its weekly sales, prices, stock and spend by DMA go through the geo lift job's own code as
the warehouse's features would (files, intake and dbt are left out, which is what makes many worlds affordable). The
truth is expected sales with the test minus without it. Prints, for each experiment: how many intervals of the
primary method hold the truth, root mean square error and mean width in percentage points of lift.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from modeling.geolift.job import experiments
from simulator.config import CHANNELS, CRM_CHANNELS, MEDIATOR, PRODUCTS, Options
from simulator.demand import week_starts
from simulator.truth import lift_table
from simulator.world import World, build_world

RESULTS = Path(__file__).parent / "results" / "geolift_worlds.json"
CHASING = {MEDIATOR, "meta_retargeting", *(c.name for c in CHANNELS if c.retailer)}


def features_of(world: World) -> dict[str, pd.DataFrame]:
    """The job's inputs, as the warehouse would have them from complete partner files."""
    weeks = pd.to_datetime(week_starts(world.options))
    dmas, count = world.geo.dma_id, world.geo.count
    revenue = (world.units * world.price).sum(axis=(1, 2))
    listed = np.array([p.list_price_usd for p in PRODUCTS])[None, None, :, None]
    sold = world.units * listed
    mass = np.maximum(sold.sum(axis=(1, 2)), 1e-9)
    taking_part = np.zeros(count, dtype=bool)
    for test in world.tests:
        taking_part |= test.treated | test.control
    long = {
        "week_start_date": np.tile(weeks, count),
        "dma_id": np.repeat(dmas, len(weeks)),
    }
    week = pd.DataFrame(
        {
            **long,
            "price_index": ((world.price / listed * sold).sum(axis=(1, 2)) / mass).ravel(),
            "promo_index": ((world.demand.promo[None] * sold).sum(axis=(1, 2)) / mass).ravel(),
            "in_stock_rate": (
                (world.demand.available * world.demand.base).sum(axis=(1, 2))
                / world.demand.base.sum(axis=(1, 2))
            ).ravel(),
            "temperature_f": world.demand.temperature.ravel(),
        }
    )
    media = pd.concat(
        [
            pd.DataFrame(
                {
                    **long, "channel_id": c.name, "spend_usd": world.spend(c.name).ravel(),
                    "channel_group": "crm" if c.name in CRM_CHANNELS else "bought", "is_demand_chasing": c.name in CHASING,
                }
            )
            for c in CHANNELS
        ]
    )  # fmt: skip
    panels = []
    for test in world.tests:
        own = np.flatnonzero(test.treated | test.control)
        panels.append(
            pd.DataFrame(
                {
                    "experiment_id": test.experiment_id, "channel_id": test.channel, "kind": test.kind,
                    "start_date": weeks[test.start_week], "end_date": weeks[test.end_week - 1],
                    "dma_id": np.repeat(dmas[own], len(weeks)),
                    "arm": np.repeat(np.where(test.treated[own], "treated", "control"), len(weeks)),
                    "week_start_date": np.tile(weeks, len(own)), "revenue_usd": revenue[own].ravel(),
                    "spend_usd": world.spend(test.channel)[own].ravel(),
                }
            )
        )  # fmt: skip
    wanted = set(dmas[taking_part])
    return {
        "feat_geo_lift_panel": pd.concat(panels),
        "feat_mmm_week": week[week["dma_id"].isin(wanted)],
        "feat_mmm_media_week": media[media["dma_id"].isin(wanted)],
    }


def score(seed: int) -> list[dict[str, Any]]:
    """One row per experiment, method and knowledge of the places."""
    world = build_world(Options(seed=seed))
    truth = lift_table(world).set_index("experiment_id")
    features = features_of(world)
    out = []
    for told in (False, True):
        given = features if told else {"feat_geo_lift_panel": features["feat_geo_lift_panel"]}
        for row in experiments(given)[0]:
            real = truth.loc[row["experiment_id"]]
            out.append(
                {
                    "seed": seed, "experiment": row["experiment_id"], "told": told, "method": row["method"],
                    "primary": row["is_primary"], "lift_pct": row["lift_pct"], "low": row["lift_ci_low"],
                    "high": row["lift_ci_high"], "truth_pct": float(real["lift_pct"]),
                    "iroas": row["iroas"], "iroas_low": row["iroas_ci_low"], "iroas_high": row["iroas_ci_high"],
                    "truth_iroas": float(real["iroas"]), "note": row["note"],
                }
            )  # fmt: skip
    return out


def main() -> None:
    """Run the worlds and write benchmarks/results/geolift_worlds.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="7,21,22,23,24")
    parser.add_argument("--first", type=int, default=300)
    parser.add_argument("--worlds", type=int, default=15, help="further worlds, from seed --first on")
    parser.add_argument("--rows", type=Path, help="keeps scored worlds; a further run adds to them")
    args = parser.parse_args()
    seeds = [int(s) for s in args.seeds.split(",") if s]
    seeds += list(range(args.first, args.first + args.worlds))
    began = time.process_time()
    rows = json.loads(args.rows.read_text()) if args.rows and args.rows.exists() else []
    known = {row["seed"] for row in rows}
    for seed in [s for s in seeds if s not in known]:
        rows += score(seed)
        if args.rows:
            args.rows.write_text(json.dumps(rows))
        print(f"seed {seed}: {time.process_time() - began:.0f} CPU s", file=sys.stderr, flush=True)
    frame = pd.DataFrame(rows)
    frame["held"] = (frame["low"] <= frame["truth_pct"]) & (frame["truth_pct"] <= frame["high"])
    frame["iroas_held"] = frame["iroas_low"].le(frame["truth_iroas"]) & frame["truth_iroas"].le(
        frame["iroas_high"]
    )
    frame["error"] = frame["lift_pct"] - frame["truth_pct"]
    frame["width"] = frame["high"] - frame["low"]
    print(
        f"{'experiment':18s} {'told':5s} {'rows':10s} {'held':>9s} {'iROAS':>9s} {'rmse pp':>8s} {'bias pp':>8s} {'width pp':>8s}"
    )
    table = []
    parts = [(name, told, primary) for name in [*dict.fromkeys(frame["experiment"]), "all"]
             for told in (False, True) for primary in (True, False)]  # fmt: skip
    for name, told, primary in parts:
        part = frame[(frame["told"] == told) & (frame["primary"] | (not primary))]
        part = part if name == "all" else part[part["experiment"] == name]
        line = {
            "experiment": name, "told": told, "rows": "primary" if primary else "every", "tests": len(part),
            "held": int(part["held"].sum()), "iroas_held": int(part["iroas_held"].sum()),
            "rmse_pp": float(np.sqrt((part["error"] ** 2).mean())), "bias_pp": float(part["error"].mean()),
            "width_pp": float(part["width"].mean()),
        }  # fmt: skip
        table.append(line)
        held, iroas = (f"{line[k]}/{line['tests']}" for k in ("held", "iroas_held"))
        print(
            f"{name:18s} {told!s:5s} {line['rows']:10s} {held:>9s} {iroas:>9s} {line['rmse_pp']:8.2f} "
            f"{line['bias_pp']:8.2f} {line['width_pp']:8.2f}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    content = {"seeds": sorted(set(frame["seed"])), "summary": table, "rows": frame.to_dict("records")}
    RESULTS.write_text(json.dumps(content, indent=1, default=str) + "\n")
    print(f"{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
