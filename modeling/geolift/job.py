"""The geo lift job: every registered experiment that has run, and A/A tests on the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from modeling.errors import InputError, Refusal
from modeling.geolift.analysis import Lift, Options, analyse
from modeling.geolift.covariates import adjust, media_pressure
from modeling.geolift.panel import Floats, Panel, build_panel
from modeling.geolift.placebo_tests import placebo_rate
from modeling.geolift.spec import OUTPUTS
from modeling.runner import JobResult

COMPARED = ("did_log", "synthetic_control", "tbr")
BASE_WEEKS = 8  # weeks before a test that say how its DMAs' spend relates to the controls'
#: What else moves unevenly over places. Search interest is left out: media under test move it.
CAUSES = ("price_index", "promo_index", "in_stock_rate", "temperature_f")
CARRY_WEEKS = (
    1.0  # half-life of other channels' media in weeks; the result hardly changes from half to twice of it
)
AA_TESTS = 500
AA_DONORS = (24, 12)  # where there are places enough, and else; real tests have 40 controls and more
AA_WEEKS = 6


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: experiments are few, and the A/A tests need all of them to know what to avoid."""
    return ["all"]


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Analyse every experiment whose dates lie in the data.

    Raises:
        Refusal: no experiment can be analysed; the message says why for the first one.
    """
    panel = features["feat_geo_lift_panel"]
    rows, series, refused = experiments(features)
    if not rows:
        raise Refusal(refused[0] if refused else "no experiment is registered")
    history = _wide(features["feat_geo_history"], "revenue_usd")
    history = _with_causes(history, other_causes(features), planned_media(features), None)
    outputs = {
        "geo_lift": pd.DataFrame(rows, columns=list(OUTPUTS["geo_lift"])),
        "geo_lift_series": pd.concat(series, ignore_index=True),
        "geo_lift_aa": _placebo_tests(history, panel, seed),
    }
    window = (outputs["geo_lift"]["window_start"].min(), outputs["geo_lift"]["window_end"].max())
    metrics = {"experiments": len(series), "refused": refused}
    return JobResult(outputs, metrics, window, message="; ".join(refused))


def experiments(
    features: Mapping[str, pd.DataFrame],
) -> tuple[list[dict[str, Any]], list[pd.DataFrame], list[str]]:
    """Rows of every experiment that can be analysed, the primary method's series, and why others cannot."""
    panel = features["feat_geo_lift_panel"]
    causes, media = other_causes(features), planned_media(features)
    rows: list[dict[str, Any]] = []
    series: list[pd.DataFrame] = []
    refused: list[str] = []
    for experiment, part in panel.groupby("experiment_id", sort=True):
        try:
            found, line = _experiment(str(experiment), part, causes, media)
        except (InputError, Refusal) as error:
            refused.append(f"{experiment}: {error}")
            continue
        rows += found
        series.append(line)
    return rows, series, refused


def _wide(long: pd.DataFrame, value: str, must_have: tuple[str, ...] = ()) -> Panel:
    weeks = pd.to_datetime(long["week_start_date"]).dt.strftime("%Y-%m-%d")
    return build_panel(weeks, long["dma_id"].astype(str), long[value].astype(float), must_have=must_have)


def other_causes(features: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Price, promotion, stock and weather, each weeks x DMAs; empty where the feature is not there."""
    week = features.get("feat_mmm_week", pd.DataFrame())
    return {} if week.empty else {name: _pivot(week, name) for name in CAUSES}


def planned_media(features: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Spend of channels that are bought by plan, each weeks x DMAs.

    Channels that follow demand (brand search, retargeting, retail media) and those whose cost is customers' doing
    (mails, coupons) may be moved by the test itself: taking them out would take away a part of the effect.
    """
    media = features.get("feat_mmm_media_week", pd.DataFrame())
    if media.empty:
        return {}
    media = media[~media["is_demand_chasing"].astype(bool) & (media["channel_group"] != "crm")]
    return {str(name): _pivot(part, "spend_usd") for name, part in media.groupby("channel_id", sort=True)}


def _pivot(long: pd.DataFrame, value: str) -> pd.DataFrame:
    weeks = pd.to_datetime(long["week_start_date"]).dt.strftime("%Y-%m-%d")
    frame = pd.DataFrame(
        {"week": weeks, "dma": long["dma_id"].astype(str), "value": long[value].astype(float)}
    )
    return frame.pivot(index="week", columns="dma", values="value").sort_index()


def _with_causes(
    panel: Panel, causes: Mapping[str, pd.DataFrame], media: Mapping[str, pd.DataFrame], tested: str | None
) -> Panel:
    """The panel with what else is known of its DMAs; the tested channel's own spend is no covariate."""

    def cells(frame: pd.DataFrame) -> Floats:
        return np.asarray(frame.reindex(index=panel.periods, columns=panel.geos).to_numpy(), dtype=np.float64)

    known: dict[str, Floats] = {}
    for name, frame in causes.items():
        values = cells(frame)
        if np.isnan(values).mean() < 0.05:  # a few weeks without a price: the place's usual one
            usual = np.nan_to_num(np.nanmean(values, axis=0), nan=float(np.nanmean(values)))
            known[name] = np.where(np.isnan(values), usual[None], values)
    level = panel.values.mean(axis=0)
    for name, frame in media.items():
        if name == tested:
            continue
        # Carried over every week that media know, also those in which some retailer's sales are not complete.
        weeks = sorted(set(frame.index) | set(panel.periods))
        spend = np.nan_to_num(frame.reindex(index=weeks, columns=panel.geos).to_numpy(dtype=np.float64))
        pressure = media_pressure(spend, level, CARRY_WEEKS)
        known[name] = pressure[[weeks.index(p) for p in panel.periods]]
    return replace(panel, covariates=known)


@dataclass(frozen=True)
class _Facts:
    experiment_id: str
    channel_id: str
    kind: str
    start: str
    end: str
    treated: tuple[str, ...]


def _experiment(
    name: str, part: pd.DataFrame, causes: Mapping[str, pd.DataFrame], media: Mapping[str, pd.DataFrame]
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """One row per method, and the series of the primary one. Dates and DMAs are the registered ones."""
    first = part.iloc[0]
    treated = tuple(sorted(part.loc[part["arm"] == "treated", "dma_id"].astype(str).unique()))
    if not treated:
        raise Refusal("no treated DMA is registered")
    facts = _Facts(
        name,
        str(first["channel_id"]),
        str(first["kind"]),
        str(pd.Timestamp(first["start_date"]).date()),
        str(pd.Timestamp(first["end_date"]).date()),
        treated,
    )
    panel = _with_causes(_wide(part, "revenue_usd", treated), causes, media, facts.channel_id)
    change = spend_change(_wide(part, "spend_usd"), treated, facts.start, facts.end)
    primary = analyse(panel, treated, facts.start, facts.end, Options())
    rows = [_row(facts, primary, change, is_primary=True)]
    for method in COMPARED:
        if method != primary.method:
            other = analyse(panel, treated, facts.start, facts.end, Options(method=method))
            rows.append(_row(facts, other, change, is_primary=False))
    line = pd.DataFrame(
        {
            "experiment_id": name,
            "date_day": pd.to_datetime(primary.periods).date,
            "observed": primary.observed,
            "counterfactual": primary.counterfactual,
            "low": primary.low,
            "high": primary.high,
        }
    )
    return rows, line


def spend_change(panel: Panel, treated: tuple[str, ...], start: str, end: str) -> float:
    """Spend in the treated geographies during the test, less what the controls' spend says it would have been.

    The relation of treated to control spend is that of the last :data:`BASE_WEEKS` weeks before the test.
    """
    periods = np.array(panel.periods)
    test = (periods >= start) & (periods <= end)
    before = np.flatnonzero(periods < start)[-BASE_WEEKS:]
    own = panel.columns([g for g in panel.geos if g in set(treated)]).sum(axis=1)
    others = panel.columns(panel.without(treated)).sum(axis=1)
    base = float(others[before].sum())
    expected = float(own[before].sum()) / base * float(others[test].sum()) if base > 0 else 0.0
    return float(own[test].sum()) - expected


def _row(facts: _Facts, lift: Lift, change: float, *, is_primary: bool) -> dict[str, Any]:
    low, high = sorted((lift.incremental_low, lift.incremental_high))
    quantile = float(stats.t.ppf(0.975, lift.noise["degrees_of_freedom"]))
    ratios: list[float | None] = [None, None, None]
    if abs(change) > 0:
        ends = sorted((low / change, high / change))
        ratios = [lift.incremental / change, ends[0], ends[1]]
    note = "; ".join(lift.notes)
    if not is_primary:
        note = "; ".join(["comparison with the primary method", *lift.notes])
    return {
        "experiment_id": facts.experiment_id,
        "channel_id": facts.channel_id,
        "kind": facts.kind,
        "method": lift.method,
        "is_primary": is_primary,
        "window_start": pd.Timestamp(facts.start).date(),
        "window_end": pd.Timestamp(facts.end).date(),
        "treated_dmas": ";".join(facts.treated),
        "att": lift.att,
        "incremental_revenue_usd": lift.incremental,
        "std_error_usd": (high - low) / (2 * quantile),
        "incremental_p025_usd": low,
        "incremental_p975_usd": high,
        "lift_pct": None if lift.lift is None else 100 * lift.lift,
        "lift_ci_low": None if lift.lift_low is None else 100 * lift.lift_low,
        "lift_ci_high": None if lift.lift_high is None else 100 * lift.lift_high,
        "p_value": lift.p_value,
        "spend_usd": change,
        "iroas": ratios[0],
        "iroas_ci_low": ratios[1],
        "iroas_ci_high": ratios[2],
        "pre_period_fit": lift.fit,
        "note": note[:2000],
    }


def _evened(history: Panel, busy: list[tuple[str, str, str]]) -> Panel:
    """The history without its covariates' moves, fitted once on all places: a dozen would fit their own noise."""
    if not history.covariates:
        return history
    known = np.ones(history.values.shape, dtype=bool)
    periods = np.array(history.periods)
    for dma, start, end in busy:
        if dma in history.geos:
            known[(periods >= start) & (periods <= end), history.geos.index(dma)] = False
    if not known.any(axis=1).all():
        return replace(history, covariates={})
    return replace(history, values=adjust(history.values, history.covariates, known).values, covariates={})


def _placebo_tests(history: Panel, experiments: pd.DataFrame, seed: int) -> pd.DataFrame:
    treated = experiments[experiments["arm"] == "treated"].drop_duplicates(["experiment_id", "dma_id"])
    starts, ends = (pd.to_datetime(treated[c]).dt.strftime("%Y-%m-%d") for c in ("start_date", "end_date"))
    busy = list(zip(treated["dma_id"].astype(str), starts, ends, strict=True))
    history = _evened(history, busy)
    columns = list(OUTPUTS["geo_lift_aa"])
    try:
        donors = AA_DONORS[0] if len(history.geos) >= 2 * AA_DONORS[0] else AA_DONORS[1]
        rate = placebo_rate(history, AA_WEEKS, tests=AA_TESTS, donors=donors, busy=busy, seed=seed)
    except Refusal:
        return pd.DataFrame(
            columns=columns
        )  # a short history supports experiments before it supports A/A tests
    row = {
        "method": "did_log",
        "duration_weeks": AA_WEEKS,
        "tests": rate.tests,
        "significant": rate.significant,
        "false_positive_rate": rate.rate,
        "rate_low": rate.low,
        "rate_high": rate.high,
        "mean_abs_lift_pct": 100 * rate.mean_abs_lift,
        "window_start": pd.Timestamp(rate.first).date(),
        "window_end": pd.Timestamp(rate.last).date(),
    }
    return pd.DataFrame([row], columns=columns)
