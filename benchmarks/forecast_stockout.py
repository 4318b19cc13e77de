"""Bias from stock-outs against the simulator's true demand, with and without lifting what stock cut.

    python -m benchmarks.forecast_stockout --warehouse FILE --truth DIR

WAREHOUSE is a built warehouse, DIR the truth of the same world. First table: in the cells (DMA, retailer, week)
where stock cut sales, what was sold and what the lifted history says against true demand. Second: bias of the next
four weeks' forecast for DMAs with a cut in the eight weeks before the origin, from the history as sold and as
lifted, and beside them the DMAs without (whose bias is the season's, not the stock's). Writes
benchmarks/results/forecast_stockout.json.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import duckdb  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from modeling.forecast import job, spec  # noqa: E402
from modeling.forecast.censor import unconstrained  # noqa: E402
from modeling.forecast.engine import forecast_panel  # noqa: E402

RESULTS = Path(__file__).parent / "results"
AHEAD, RECENT, ORIGINS = 4, 8, (13, 26, 39)
CHEAP = ("ets_exog", "mstl_ets", "harmonic_pooled")


def read(warehouse: Path) -> dict[str, pd.DataFrame]:
    names = ("feat_forecast_product_week", "feat_forecast_promotion_week")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            name: connection.execute(f"select {', '.join(spec.INPUTS[name])} from features.{name}").df()
            for name in names
        }


def grids(features: dict[str, pd.DataFrame], truth: pd.DataFrame, retailer: str) -> dict[str, np.ndarray]:
    """(D, T) arrays by DMA: sold, lifted, true demand; and the panel's regressor."""
    sales = features["feat_forecast_product_week"]
    first = pd.to_datetime(sales["week_start_date"]).min()
    weeks = (pd.to_datetime(sales["week_start_date"]).max() - first).days // 7 + 1
    grid = pd.date_range(first, periods=weeks + job.HORIZON, freq="7D")
    products = job.product_panel(features, retailer, grid)
    dma_of = [n.split("|", 1)[0] for n in products.names]
    lifted = unconstrained(products)
    dmas, sold = job._sum_by(dma_of, products.y)
    _, whole = job._sum_by(dma_of, lifted)
    part = truth[truth["retailer_id"] == retailer]
    demand = part.pivot(index="dma_id", columns="week_start_date", values="demand_units")
    demand = demand.reindex(index=dmas, columns=grid[:weeks]).to_numpy(dtype=float)
    return {
        "dmas": np.array(dmas),
        "sold": sold,
        "lifted": whole,
        "demand": demand,
        "depth": job._depth(products, lifted),
        "grid": grid,
    }


def history(found: dict[str, np.ndarray], retailer: str) -> dict[str, object]:
    cut = (found["demand"] > found["sold"]) & np.isfinite(found["demand"])
    demand = found["demand"][cut].sum()
    return {
        "retailer": retailer,
        "cells": int(cut.sum()),
        "bias_as_sold": round(found["sold"][cut].sum() / demand - 1, 4),
        "bias_lifted": round(found["lifted"][cut].sum() / demand - 1, 4),
        "wape_as_sold": round(np.abs(found["sold"] - found["demand"])[cut].sum() / demand, 4),
        "wape_lifted": round(np.abs(found["lifted"] - found["demand"])[cut].sum() / demand, 4),
        "bias_all_as_sold": round(found["sold"].sum() / np.nansum(found["demand"]) - 1, 4),
        "bias_all_lifted": round(found["lifted"].sum() / np.nansum(found["demand"]) - 1, 4),
    }


def ahead(found: dict[str, np.ndarray], retailer: str) -> list[dict[str, object]]:
    cut = found["demand"] > found["sold"]
    rows: dict[str, np.ndarray] = {}
    for back in ORIGINS:
        end = found["sold"].shape[1] - back
        hit = cut[:, end - RECENT : end].any(axis=1)
        true = found["demand"][:, end : end + AHEAD].sum(axis=1)
        for kind in ("sold", "lifted"):
            panel = job._panel(
                list(found["dmas"]),
                found["grid"][: end + AHEAD],
                found[kind][:, :end],
                found["depth"][:, : end + AHEAD, None],
                ["discount"],
            )
            panel = panel.until(end, AHEAD)
            mean = forecast_panel(panel, models=CHEAP, origins=4).mean.sum(axis=1)
            for name, at in (("hit", hit), ("spared", ~hit)):
                total = rows.setdefault(f"{name}/{kind}", np.zeros(3))
                total += np.array([mean[at].sum(), true[at].sum(), at.sum()])
    out: list[dict[str, object]] = []
    for name in ("hit", "spared"):
        sold, lifted = rows[f"{name}/sold"], rows[f"{name}/lifted"]
        if sold[2]:
            out.append(
                {
                    "retailer": retailer,
                    "dmas": name,
                    "series": int(sold[2]),
                    "bias_from_sold": round(sold[0] / sold[1] - 1, 4),
                    "bias_from_lifted": round(lifted[0] / lifted[1] - 1, 4),
                }
            )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    args = parser.parse_args()
    features = read(args.warehouse)
    truth = pd.read_csv(args.truth / "demand_dma_week.csv", dtype={"dma_id": str})
    truth["week_start_date"] = pd.to_datetime(truth["week_start_date"])
    past, future = [], []
    for retailer in sorted(features["feat_forecast_product_week"]["retailer_id"].unique()):
        found = grids(features, truth, retailer)
        past.append(history(found, retailer))
        future += ahead(found, retailer)
    print(pd.DataFrame(past).to_string(index=False))
    print(pd.DataFrame(future).to_string(index=False))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "forecast_stockout.json").write_text(
        json.dumps({"history": past, "forecast": future}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
