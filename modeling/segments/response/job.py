"""The segment response job: purchases of each segment by place and week against the pressure of each channel.

A customer's segment in a month is the one that behaviour before the month gave, so that the outcome never decides the
membership. Customers, segments and places meet by key only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.runner import JobResult
from modeling.segments.join import segment_shares
from modeling.segments.response.estimator import fit_lifts
from modeling.segments.response.proxy import smooth_proxy
from modeling.segments.response.spec import OUTPUTS

REFERENCE_WEEKS = 12
MAIL = "email"


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One fit for the brand."""
    return ["all"]


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Lift of every segment by every channel.

    Raises:
        Refusal: no segments upstream, or places and weeks that cannot carry the model.
    """
    if "customer_segment" not in upstream or upstream["customer_segment"].empty:
        raise Refusal("no customer segments: the segmentation was refused or has not run")
    members = _members(features["feat_customer_month"], upstream["customer_segment"])
    pressure = features["feat_segment_pressure_week"].copy()
    pressure["week_start_date"] = pd.to_datetime(pressure["week_start_date"])
    weeks = np.sort(pressure["week_start_date"].unique())
    weeks = weeks[weeks >= members["month_start_date"].min().to_datetime64()]
    places = np.sort(pressure["dma_id"].unique())
    if len(weeks) == 0 or len(places) == 0:
        raise Refusal("no media pressure by place and week")
    segments = sorted(members["segment_id"].unique())
    shape = (len(segments), len(places), len(weeks))

    month_of = pd.Series(weeks).dt.to_period("M").dt.start_time.to_numpy()
    member_months = (
        members.groupby(["month_start_date", "dma_id", "segment_id"]).size().rename("customers").reset_index()
    )
    counts = np.zeros(shape)
    for at, month in enumerate(month_of):
        part = member_months[member_months["month_start_date"] == month]
        where = np.searchsorted(places, part["dma_id"])
        known = (where < len(places)) & (
            places[np.minimum(where, len(places) - 1)] == part["dma_id"].to_numpy()
        )
        np.add.at(
            counts,
            (np.searchsorted(segments, part["segment_id"])[known], where[known], at),
            part["customers"].to_numpy()[known],
        )
    bought, mails = _outcomes(features["feat_customer_week"], members, segments, places, weeks)
    exposure, channels, chasing = _exposure(pressure, places, weeks)
    everyone = counts.sum(axis=0)
    reach = mails / np.maximum(everyone, 1.0)
    recent = reach[:, -REFERENCE_WEEKS:][everyone[:, -REFERENCE_WEEKS:] > 0]
    if recent.size and recent.mean() > 0:
        exposure = np.concatenate([exposure, (reach / recent.mean())[None]])
        channels = [*channels, MAIL]
    controls = _controls(pressure, places, weeks)
    fitted = fit_lifts(
        np.where(counts > 0, bought, 0.0),
        counts,
        exposure,
        segments=[str(s) for s in segments],
        channels=channels,
        controls=controls,
        chasing=chasing,
    )
    table = fitted.table.rename(
        columns={"segment": "segment_id", "channel": "channel_id", "low": "effect_p05", "high": "effect_p95"}
    )
    table["segment_id"] = table["segment_id"].astype(int)
    if not fitted.converged:
        table["is_supported"] = False
        table["note"] = "the fit did not settle"
    outputs = {
        "segment_response": table[list(OUTPUTS["segment_response"])],
        "segment_share_week": _shares(features["feat_customer_month"], upstream["customer_segment"], weeks),
    }
    metrics = {
        "dispersion": fitted.dispersion,
        "control_effects": fitted.control_effects.tolist(),
        "supported": int(table["is_supported"].sum()),
        "purchases": float(bought.sum()),
        "converged": fitted.converged,
    }
    window = (pd.Timestamp(weeks[0]).date(), (pd.Timestamp(weeks[-1]) + pd.Timedelta(days=6)).date())
    return JobResult(outputs=outputs, metrics=metrics, window=window)


def _members(months: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """Customers of a month with place and segment, joined by customer and month."""
    left, right = (
        months[["customer_key", "month_start_date", "dma_id"]].copy(),
        segments[["customer_key", "month_start_date", "segment_id"]].copy(),
    )
    for frame in (left, right):
        frame["month_start_date"] = pd.to_datetime(frame["month_start_date"])
    joined = left.merge(right, on=["customer_key", "month_start_date"], how="inner", validate="one_to_one")
    if joined.empty:
        raise Refusal("no customer of the feature mart has a segment: the keys do not match")
    return joined


def _outcomes(
    events: pd.DataFrame, members: pd.DataFrame, segments: list[int], places: np.ndarray, weeks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Purchases by segment, place and week, and delivered mails by place and week."""
    frame = events.copy()
    frame["week_start_date"] = pd.to_datetime(frame["week_start_date"])
    frame["month_start_date"] = frame["week_start_date"].dt.to_period("M").dt.start_time
    frame = frame.merge(members, on=["customer_key", "month_start_date"], how="inner")
    frame = frame[frame["week_start_date"].isin(weeks) & frame["dma_id"].isin(places)]
    s, d, t = (
        np.searchsorted(segments, frame["segment_id"]),
        np.searchsorted(places, frame["dma_id"]),
        np.searchsorted(weeks, frame["week_start_date"].to_numpy()),
    )
    bought = np.zeros((len(segments), len(places), len(weeks)))
    np.add.at(bought, (s, d, t), frame["purchases"].to_numpy(float))
    mails = np.zeros((len(places), len(weeks)))
    np.add.at(mails, (d, t), frame["mails"].to_numpy(float))
    return bought, mails


def _exposure(
    pressure: pd.DataFrame, places: np.ndarray, weeks: np.ndarray
) -> tuple[np.ndarray, list[str], list[str]]:
    """Saturated pressure (C, D, T), 1 at the recent mean: ``2z / (1 + z)`` of pressure z relative to that mean.

    The curve is the half-saturation one at recent pressure: a lift is read at that pressure, so that another curve
    through the same point changes it little.
    """
    homes = pressure.groupby("dma_id")["tv_homes"].first().reindex(places).to_numpy(float)
    share = homes / homes.sum()
    stack, names = [], []
    for channel, part in pressure.groupby("channel_id"):
        grid = part.pivot(index="dma_id", columns="week_start_date", values="pressure_usd_per_home")
        z = grid.reindex(index=places, columns=weeks).fillna(0.0).to_numpy(float)
        mean = float((z[:, -REFERENCE_WEEKS:] * share[:, None]).sum() / min(REFERENCE_WEEKS, len(weeks)))
        if mean <= 0:
            continue
        z = np.maximum(z, 0.0) / mean
        stack.append(2 * z / (1 + z))
        names.append(str(channel))
    if not stack:
        raise Refusal("no channel had pressure in the last weeks")
    chasing = pressure.loc[pressure["is_demand_chasing"].astype(bool), "channel_id"].unique()
    return np.stack(stack), names, sorted(map(str, chasing))


def _controls(pressure: pd.DataFrame, places: np.ndarray, weeks: np.ndarray) -> np.ndarray | None:
    """The demand proxy, smoothed; None where it has gaps."""
    one = pressure.drop_duplicates(["dma_id", "week_start_date"])
    grid = one.pivot(index="dma_id", columns="week_start_date", values="search_interest").reindex(
        index=places, columns=weeks
    )
    values = grid.to_numpy(float)
    if not np.isfinite(values).all() or (values <= 0).any():
        return None
    return smooth_proxy(np.log(values))[0][None]


def _shares(months: pd.DataFrame, segments: pd.DataFrame, weeks: np.ndarray) -> pd.DataFrame:
    """Share of each segment among the customers of a place in the month of each week: what a sales model may use."""
    people, labels = months.copy(), segments.copy()
    for frame in (people, labels):
        frame["member"] = (
            frame["customer_key"] + "|" + pd.to_datetime(frame["month_start_date"]).dt.strftime("%Y-%m")
        )
    people["month"] = pd.to_datetime(people["month_start_date"])
    wide = segment_shares(people, labels, key="member", by=["month", "dma_id"], segment="segment_id")
    columns = [c for c in wide.columns if c.startswith("share_")]
    long = wide.melt(
        id_vars=["month", "dma_id", "customers"],
        value_vars=columns,
        var_name="segment_id",
        value_name="share",
    )
    long["segment_id"] = long["segment_id"].str.removeprefix("share_").astype(int)
    long["customers"] = (long["share"] * long["customers"]).round().astype(int)
    calendar = pd.DataFrame({"week_start_date": pd.to_datetime(weeks)})
    calendar["month"] = calendar["week_start_date"].dt.to_period("M").dt.start_time
    joined = calendar.merge(long, on="month").sort_values(["week_start_date", "dma_id", "segment_id"])
    return joined[list(OUTPUTS["segment_share_week"])].reset_index(drop=True)
