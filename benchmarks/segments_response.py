"""Are planted effects by segment and channel recovered, and do the intervals hold them as often as they say?

    python benchmarks/segments_response.py [--seeds 200] [--weeks 116] [--diagnose 30]

Each seed is a new simulated world: demand, media plans, customers, mails and redemptions. The estimator gets what a
warehouse would have (counts by segment, place and week, pressure, a noisy proxy of demand), and the membership of the
segments, whose finding is tested apart. The first ``--diagnose`` seeds are also fitted with demand itself as the
control, which shows how much of what the demand-chasing channels miss is the proxy's noise. Prints coverage of the 90 % intervals, bias and width by channel, and writes
benchmarks/results/segments_response.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads only spin
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.segments_world import draw_customers
from modeling.segments.response.estimator import fit_lifts
from modeling.segments.response.proxy import smooth_proxy
from simulator.config import SEGMENT_LIFT, SEGMENTS
from simulator.geography import Geography, load_geography

CHASING = ("meta_retargeting", "search_brand")


def one_seed(seed: int, weeks: int, geo: Geography, *, true_demand: bool = False) -> pd.DataFrame:
    """Estimates and truth of one world: segment, channel, effect, low, high, truth, is_supported.

    With ``true_demand`` the control is demand itself and not the noisy proxy that a warehouse would have.
    """
    world = draw_customers(seed, weeks, geo)
    demand, pressure, crm = world.demand, world.pressure, world.crm
    who = crm.customers
    shape = (len(SEGMENTS), geo.count, weeks)
    bought, members = np.zeros(shape), np.zeros(shape)
    np.add.at(bought, (who.segment[crm.redeem_person], who.dma[crm.redeem_person], crm.redeem_week), 1)
    for week in range(weeks):
        here = who.joined < week
        np.add.at(members, (who.segment[here], who.dma[here], week), 1)
    channels = list(SEGMENT_LIFT)
    exposure = np.stack([pressure.get(c, crm.email_pressure) for c in channels])
    noise = np.random.default_rng([seed, 99]).normal(0.0, 0.04, demand.latent.shape)
    proxy = demand.latent if true_demand else smooth_proxy(1.2 * demand.latent + noise)[0]
    fitted = fit_lifts(
        bought, members, exposure, segments=SEGMENTS, channels=channels, controls=proxy[None], chasing=CHASING
    )
    table = fitted.table.copy()
    table["truth"] = [
        SEGMENT_LIFT[c][SEGMENTS.index(s)] for s, c in zip(table["segment"], table["channel"], strict=True)
    ]
    table["seed"] = seed
    table["converged"] = fitted.converged
    for column in ("effect", "truth"):
        table[f"{column}_contrast"] = table[column] - table.groupby("channel")[column].transform("mean")
    return table


def _chasing_with_demand_known(tables: list[pd.DataFrame]) -> list[dict[str, object]]:
    """Coverage and bias of the demand-chasing channels where demand itself is the control."""
    if not tables:
        return []
    table = pd.concat(tables, ignore_index=True)
    table = table[table["channel"].isin(CHASING)]
    table["covered"] = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    table["error"] = table["effect"] - table["truth"]
    found = table.groupby("channel").agg(coverage=("covered", "mean"), bias=("error", "mean"))
    return list(found.round(4).reset_index().assign(seeds=len(tables)).to_dict("records"))


def main() -> None:
    """Run all seeds, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=116)
    parser.add_argument("--diagnose", type=int, default=30)
    given = parser.parse_args()
    geo, started = load_geography(), time.process_time()
    parts = []
    for seed in range(given.seeds):
        parts.append(one_seed(20_000 + seed, given.weeks, geo))
        if seed % 20 == 19:
            print(f"{seed + 1} seeds, {time.process_time() - started:.0f} CPU s", flush=True)
    known = [one_seed(20_000 + s, given.weeks, geo, true_demand=True) for s in range(given.diagnose)]
    table = pd.concat(parts, ignore_index=True)
    table["covered"] = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    table["error"] = table["effect"] - table["truth"]
    table["contrast_error"] = table["effect_contrast"] - table["truth_contrast"]
    by = table.groupby("channel").agg(
        supported=("is_supported", "mean"), coverage=("covered", "mean"), bias=("error", "mean"),
        rmse=("error", lambda e: float(np.sqrt((e**2).mean()))), std_error=("std_error", "mean"),
        contrast_bias=("contrast_error", lambda e: float(np.abs(e.groupby([table.loc[e.index, "segment"]]).mean()).max())),
    )  # fmt: skip
    firm = table[table["is_supported"]]
    per_seed = firm.groupby("seed")["covered"].mean()
    result = {
        "seeds": given.seeds,
        "weeks": given.weeks,
        "level": 0.90,
        "coverage_supported": float(firm["covered"].mean()),
        "coverage_standard_error": float(per_seed.std() / np.sqrt(len(per_seed))),
        "coverage_by_segment": firm.groupby("segment")["covered"].mean().round(4).to_dict(),
        "bias_supported": float(firm["error"].mean()),
        "correlation_with_truth": float(np.corrcoef(firm["effect"], firm["truth"])[0, 1]),
        "converged": float(table.groupby("seed")["converged"].first().mean()),
        "cpu_seconds": round(time.process_time() - started, 1),
        "channels": by.round(4).reset_index().to_dict("records"),
        "demand_known": _chasing_with_demand_known(known),
    }
    print(by.round(4).to_string())
    print({k: v for k, v in result.items() if k != "channels"})
    out = Path(__file__).parent / "results" / "segments_response.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
