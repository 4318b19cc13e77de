"""The segmentation job: customers of the newest month clustered, every month assigned, moves and values told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.runner import JobResult
from modeling.segments.behaviour import CLUSTERED, TOLD, Prior, fit_priors, in_units, pooled, scores, telling
from modeling.segments.cluster import Segmentation, segment
from modeling.segments.drift import drift, migration
from modeling.segments.geography import cluster_places
from modeling.segments.gifting import gift_response
from modeling.segments.profile import profiles
from modeling.segments.spec import OUTPUTS
from modeling.segments.value import (
    TRUSTED_ERROR,
    expected_basket,
    expected_purchases,
    fit_value,
    hold_out_error,
    probability_active,
    summarise,
)

LEAST_SEGMENTS = 3  # two only say who buys more and who buys less
MOST_SEGMENTS = 7
VALUE_WEEKS = 52
HOLD_OUT_WEEKS = 26


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One fit for the brand."""
    return ["all"]


def fit(
    marts: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Segment the newest month's customers by how they buy; assign every month by nearest centroid.

    Segments are numbered from the most frequent buyers down. Retailers are told of a segment, and do not form it.

    Raises:
        Refusal: no customers with half a year of behaviour, or too few of them.
    """
    months = marts["feat_customer_month"]
    if months.empty:
        raise Refusal("no customer has half a year of coupon behaviour yet")
    months = months.assign(month_start_date=pd.to_datetime(months["month_start_date"]))
    months = months.sort_values(["month_start_date", "customer_key"]).reset_index(drop=True)
    newest = months["month_start_date"].max()
    is_now = (months["month_start_date"] == newest).to_numpy()
    fitted, priors = find_segments(months[is_now], seed)
    score = scores(months, priors)
    table = months[["customer_key", "month_start_date"]].assign(segment_id=fitted.assign(score))
    seen = in_units(months[is_now], priors)
    told = [f for f in (*CLUSTERED, *TOLD) if seen[f].nunique() > 1]
    about = profiles(seen, fitted, told)
    # Words compare customers, whose scores are drawn to the middle; figures are of whole segments and need no drawing.
    about[told] = pooled(months[is_now], fitted.labels).loc[about["segment"], told].to_numpy()
    everybody = pooled(months[is_now], np.ones(is_now.sum(), dtype=np.int64)).iloc[0]
    value, value_metrics = _values(
        marts["feat_customer_week"], table[table["month_start_date"] == newest], fitted.k
    )
    outputs: dict[str, pd.DataFrame] = {
        "segment": about.rename(columns={"segment": "segment_id", "name": "segment_name"}).merge(
            value, on="segment_id"
        ),
        "segment_profile": _long(about, everybody, told),
        "segment_selection": fitted.selection,
        "customer_segment": table,
        "segment_migration": migration(table),
        "segment_drift": drift(table, fitted.k),
    }
    metrics: dict[str, Any] = {"k": fitted.k, "reason": fitted.reason, "customers": int(is_now.sum()), "features": list(fitted.features), "reliability": {n: round(p.reliability, 3) for n, p in priors.items()}, **value_metrics}  # fmt: skip
    try:
        geography = cluster_places(marts["feat_geo_cluster_week"], seed=seed)
        outputs |= {"geo_cluster": geography.clusters, "geo_cluster_score": geography.scores}
        metrics["geography"] = geography.reason
    except Refusal as refusal:
        outputs |= {t: pd.DataFrame(columns=list(OUTPUTS[t])) for t in ("geo_cluster", "geo_cluster_score")}
        metrics["geography"] = f"not supported: {refusal}"
    outputs["gift_response"] = gift_response(marts["fct_gift_expenditure"], marts["fct_gift_order"])
    outputs = {name: frame[list(OUTPUTS[name])] for name, frame in outputs.items()}
    window = (table["month_start_date"].min().date(), newest.date())
    return JobResult(outputs=outputs, metrics=metrics, window=window, message=fitted.reason)


def find_segments(now: pd.DataFrame, seed: int) -> tuple[Segmentation, dict[str, Prior]]:
    """Segments of the customers of one month of ``feat_customer_month``, and the priors that their scores stand on.

    Raises:
        Refusal: too few customers, or none that differ by more than chance.
    """
    priors = fit_priors(now)
    score = scores(now, priors)
    features = [f for f in telling(priors) if score[f].nunique() > 1]
    if not features:
        raise Refusal("customers differ by no more than chance: there is nothing to tell segments by")
    fitted = segment(
        score,
        features,
        seed=seed,
        select_on=2500,
        least_k=LEAST_SEGMENTS,
        most_k=MOST_SEGMENTS,
        scaling="spread",
        rank_by="purchase_rate" if "purchase_rate" in features else None,
    )
    return fitted, priors


def _long(about: pd.DataFrame, everybody: pd.Series, told: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"segment_id": row["segment"], "feature": f, "centroid": row[f], "overall_mean": everybody[f]}
            for row in about.to_dict("records")
            for f in told
        ]
    )


def _values(weeks: pd.DataFrame, members: pd.DataFrame, k: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Expected purchases and value of the next year by segment, supported where a hold-out says so."""
    empty = {
        "expected_purchases_52w": float("nan"),
        "expected_value_52w_usd": float("nan"),
        "probability_active": float("nan"),
    }
    base = pd.DataFrame({"segment_id": range(1, k + 1)})
    try:
        start = pd.to_datetime(weeks["week_start_date"]).min()
        events = pd.DataFrame(
            {
                "customer_key": weeks["customer_key"],
                "week": (pd.to_datetime(weeks["week_start_date"]) - start).dt.days // 7,
                "purchases": weeks["purchases"].astype(float),
                "value_usd": weeks["value_usd"].astype(float),
            }
        )
        events = events[events["purchases"] > 0]
        end = int(events["week"].max()) if len(events) else 0
        history = summarise(events, end)
        model = fit_value(history)
        error = hold_out_error(events, end, HOLD_OUT_WEEKS)
    except Refusal as refusal:
        note = f"not supported: {refusal}"
        return base.assign(**empty, is_value_supported=False, value_note=note), {"value": note}
    bought = expected_purchases(model, history, VALUE_WEEKS)
    each = pd.DataFrame(
        {
            "customer_key": history["customer_key"],
            "expected_purchases_52w": bought,
            "expected_value_52w_usd": bought * expected_basket(model, history),
            "probability_active": probability_active(model, history),
        }
    )
    joined = members[["customer_key", "segment_id"]].merge(
        each, on="customer_key", how="inner", validate="one_to_one"
    )
    mean = joined.groupby("segment_id")[list(empty)].mean().reset_index()
    supported = abs(error) <= TRUSTED_ERROR
    words = f"purchases of the last {HOLD_OUT_WEEKS} weeks predicted with {error:+.1%} error from what came before"
    note = words if supported else f"not supported: {words}"
    table = base.merge(mean, on="segment_id", how="left").assign(
        is_value_supported=supported, value_note=note
    )
    return table, {"value": note, "value_parameters": list(model.purchases)}
