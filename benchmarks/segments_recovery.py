"""How much of the planted customer segments do the found ones recover, and how much could be recovered at all?

    python benchmarks/segments_recovery.py [--seeds 10]

Each seed is a new simulated world of 116 weeks; a customer's last 52 weeks become the columns that
``feat_customer_month`` has. Compared by adjusted Rand index (Hubert and Arabie 1985) with the planted membership:

- found: the segmentation job itself;
- raw: K-means on raw shares and logs of half a year, retailer shares among them (scaled to 0..1, k = 5);
- most: the most probable segment for somebody who knows every planted number (rates, baskets, open rates, retailer
  tastes): no rule that sees the same year can do better on average. ``without retailer`` leaves the retailer out.

Writes benchmarks/results/segments_recovery.json. The planted membership is used here only, never by the pipeline.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.special import gammaln
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from benchmarks.segments_world import draw_customers
from modeling.segments.job import find_segments
from simulator.config import SEGMENT_BASKET, SEGMENT_RATE, SEGMENT_SHARE
from simulator.crm import OPEN_RATE, RETAILER_TASTE, Crm
from simulator.geography import load_geography

WEEKS, LAST, SPLIT = 116, 112, 13  # weeks of data, the week of the month's start, weeks that count as recent
RESULTS = Path(__file__).parent / "results" / "segments_recovery.json"


def year(crm: Crm, weeks: int, seed: int) -> pd.DataFrame:
    """Columns of ``feat_customer_month`` for the customers known at week :data:`LAST`, and ``planted``."""
    who, count = crm.customers, len(crm.customers.dma)
    inside = (crm.redeem_week < LAST) & (crm.redeem_week >= LAST - weeks)
    person = crm.redeem_person[inside]

    def tally(which: np.ndarray | None = None, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(person if which is None else person[which], weights=weights, minlength=count)

    bought, retailer = tally(), crm.redeem_retailer[inside]
    mailed = (crm.send_week < LAST) & (crm.send_week >= LAST - weeks)
    last = np.full(count, LAST - weeks)
    np.maximum.at(last, person, crm.redeem_week[inside])
    frame = pd.DataFrame(
        {
            "planted": who.segment,
            "observed_days": 7 * np.minimum(weeks, LAST - 1 - who.joined),
            "recency_days": 7 * (LAST - last),
            "purchases": bought,
            "recent_purchases": tally(crm.redeem_week[inside] >= LAST - SPLIT),
            "clips": bought + np.random.default_rng(seed).binomial(bought, 0.25),
            "value_usd": tally(weights=crm.redeem_basket_cents[inside] / 100),
            "log_value": tally(weights=np.log(crm.redeem_basket_cents[inside] / 100)),
            "discount_usd": tally(weights=crm.redeem_discount_cents[inside] / 100),
            "amazon_purchases": tally(retailer == 0),
            "walmart_purchases": tally(retailer == 1),
            "target_purchases": tally(retailer == 2),
            "mails": np.bincount(crm.send_person[mailed], minlength=count),
            "opens": np.bincount(crm.send_person[mailed & (crm.opened == 1)], minlength=count),
        }
    )
    return frame[who.joined < LAST].reset_index(drop=True)


def most_probable(frame: pd.DataFrame, *, retailer: bool) -> np.ndarray:
    """Planted segment of highest posterior probability, given the planted numbers."""
    bought = frame["purchases"].to_numpy(float)
    weeks = np.maximum(frame["observed_days"].to_numpy(float) / 7, 1e-9)
    level = (
        bought.sum() / (weeks * np.array(SEGMENT_RATE)[frame["planted"]]).sum()
    )  # season and media, on average
    there = frame[["amazon_purchases", "walmart_purchases", "target_purchases"]].to_numpy(float)
    choice = np.log(0.2 / 3 + 0.8 * np.eye(3))
    score = np.tile(np.log(np.array(SEGMENT_SHARE)), (len(frame), 1))
    for s in range(len(SEGMENT_SHARE)):
        rate, shape = SEGMENT_RATE[s] * level * weeks, 3.0
        score[:, s] += gammaln(shape + bought) - shape * np.log1p(rate / shape)
        score[:, s] += bought * np.log(rate / (shape + rate))
        opened = np.log(OPEN_RATE[s] / (1 - OPEN_RATE[s]))
        score[:, s] += frame["opens"] * opened + frame["mails"] * np.log(1 - OPEN_RATE[s])
        middle = np.log(SEGMENT_BASKET[s]) - 0.06
        score[:, s] += (middle * frame["log_value"] - 0.5 * bought * middle**2) / 0.35**2
        if retailer:
            score[:, s] += np.log(np.exp(there @ choice) @ np.array(RETAILER_TASTE[s]))
    return np.asarray(score.argmax(axis=1))


def raw_clusters(frame: pd.DataFrame) -> np.ndarray:
    """K-means with k = 5 on raw behaviour, retailer shares included."""
    some = np.maximum(frame["purchases"].to_numpy(float), 1)
    value = frame["value_usd"].to_numpy(float)
    columns = [
        frame["recency_days"].to_numpy(float),
        np.log1p(frame["purchases"].to_numpy(float)),
        np.log1p(value / some),
        np.where(value > 0, frame["discount_usd"] / np.maximum(value, 1e-9), 0.0),
        frame["amazon_purchases"] / some,
        frame["walmart_purchases"] / some,
    ]
    points = np.column_stack(columns)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    return np.asarray(KMeans(5, n_init=5, random_state=0).fit_predict(points))


def main() -> None:
    """Run all seeds, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    geo, started, rows = load_geography(), time.process_time(), []
    for seed in range(30_000, 30_000 + given.seeds):
        crm = draw_customers(seed, WEEKS, geo).crm
        half, whole = year(crm, 26, seed), year(crm, 52, seed)
        planted = whole["planted"].to_numpy()
        fitted, _ = find_segments(whole, seed)
        choice = fitted.selection[fitted.selection["is_chosen"]].iloc[0]
        rows.append(
            {
                "seed": seed,
                "k": fitted.k,
                "features": len(fitted.features),
                "stability": float(choice["stability"]),
                "found": adjusted_rand_score(planted, fitted.labels),
                "raw": adjusted_rand_score(half["planted"], raw_clusters(half)),
                "most": adjusted_rand_score(planted, most_probable(whole, retailer=True)),
                "most_without_retailer": adjusted_rand_score(planted, most_probable(whole, retailer=False)),
            }
        )
        print({k: round(v, 3) for k, v in rows[-1].items()}, fitted.features, flush=True)
    table = pd.DataFrame(rows)
    means = table.drop(columns="seed").mean().round(4).to_dict()
    result = {
        "seeds": given.seeds,
        "mean": means,
        "each": rows,
        "cpu_seconds": round(time.process_time() - started, 1),
    }
    print(means)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
