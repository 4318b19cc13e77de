"""The segmentation job: customers of the newest month clustered, every month assigned, moves and values told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.runner import JobResult
from modeling.segments.cluster import Segmentation, numeric, segment
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

FEATURES = ("recency_days", "log_purchases", "log_basket", "discount_share", "amazon_share", "walmart_share")
MOST_SEGMENTS = 7
VALUE_WEEKS = 52
HOLD_OUT_WEEKS = 26


def behaviour(months: pd.DataFrame) -> pd.DataFrame:
    """Features of customers from ``feat_customer_month``: recency, frequency, basket, coupon depth, retailers.

    Customers without a purchase in the window have the longest recency and zeros elsewhere.
    """
    bought = months["purchases"].to_numpy(float)
    value = months["value_usd"].to_numpy(float)
    some = np.maximum(bought, 1.0)
    return pd.DataFrame(
        {
            "customer_key": months["customer_key"].to_numpy(),
            "month_start_date": pd.to_datetime(months["month_start_date"]).to_numpy(),
            "recency_days": months["recency_days"].to_numpy(float),
            "log_purchases": np.log1p(bought),
            "log_basket": np.log1p(value / some),
            "discount_share": np.where(
                value > 0, months["discount_usd"].to_numpy(float) / np.maximum(value, 1e-9), 0.0
            ),
            "amazon_share": months["amazon_purchases"].to_numpy(float) / some,
            "walmart_share": months["walmart_purchases"].to_numpy(float) / some,
        }
    )


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One fit for the brand."""
    return ["all"]


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Segment the newest month's customers; assign every month by nearest centroid.

    Raises:
        Refusal: no customers with half a year of behaviour, or too few of them.
    """
    months = features["feat_customer_month"]
    if months.empty:
        raise Refusal("no customer has half a year of coupon behaviour yet")
    table = behaviour(months).sort_values(["month_start_date", "customer_key"]).reset_index(drop=True)
    newest = table["month_start_date"].max()
    now = table[table["month_start_date"] == newest].reset_index(drop=True)
    telling = [f for f in FEATURES if now[f].nunique() > 1]
    if not telling:
        raise Refusal("all customers behave alike: there is nothing to tell segments by")
    fitted = segment(now, telling, seed=seed, select_on=2500, most_k=MOST_SEGMENTS)
    table["segment_id"] = fitted.assign(table)
    about = profiles(now, fitted)
    value, value_metrics = _values(
        features["feat_customer_week"], table[table["month_start_date"] == newest], fitted.k
    )
    outputs: dict[str, pd.DataFrame] = {
        "segment": about.rename(columns={"segment": "segment_id", "name": "segment_name"}).merge(
            value, on="segment_id"
        ),
        "segment_profile": _long(about, fitted, now),
        "segment_selection": fitted.selection,
        "customer_segment": table[["customer_key", "month_start_date", "segment_id"]],
        "segment_migration": migration(table[["customer_key", "month_start_date", "segment_id"]]),
        "segment_drift": drift(table, fitted.k),
    }
    metrics: dict[str, Any] = {"k": fitted.k, "reason": fitted.reason, "customers": len(now), **value_metrics}
    try:
        geography = cluster_places(features["feat_geo_cluster_week"], seed=seed)
        outputs |= {"geo_cluster": geography.clusters, "geo_cluster_score": geography.scores}
        metrics["geography"] = geography.reason
    except Refusal as refusal:
        outputs |= {t: pd.DataFrame(columns=list(OUTPUTS[t])) for t in ("geo_cluster", "geo_cluster_score")}
        metrics["geography"] = f"not supported: {refusal}"
    outputs["gift_response"] = gift_response(features["fct_gift_expenditure"], features["fct_gift_order"])
    outputs = {name: frame[list(OUTPUTS[name])] for name, frame in outputs.items()}
    window = (table["month_start_date"].min().date(), newest.date())
    return JobResult(outputs=outputs, metrics=metrics, window=window, message=fitted.reason)


def _long(about: pd.DataFrame, fitted: Segmentation, now: pd.DataFrame) -> pd.DataFrame:
    mean = dict(zip(fitted.features, numeric(now, fitted.features).mean(axis=0), strict=True))
    return pd.DataFrame(
        [
            {"segment_id": row["segment"], "feature": f, "centroid": row[f], "overall_mean": mean[f]}
            for row in about.to_dict("records")
            for f in fitted.features
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
