"""The frequency job: one response per channel, and the money beyond its knee by DMA."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.frequency.response import Response, fit_response, resample, share_beyond
from modeling.frequency.spec import OUTPUTS
from modeling.runner import JobResult

DRAWS = 60
OVERLAP = (
    "people reached on two platforms are counted on each: no cross-platform identity is assumed, so waste across "
    "platforms is not included; heavily exposed people may differ from others"
)


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: all channels together."""
    return ["all"]


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Fit every channel that reports frequency groups.

    Raises:
        Refusal: no channel does.
    """
    reach = features["feat_frequency"]
    if reach.empty:
        raise Refusal("no reach by frequency was reported")
    spend = features["feat_frequency_spend"]
    responses, wastes = [], []
    for channel, rows in reach.groupby("channel_id", sort=True):
        name = str(channel)
        try:
            response, draws = _channel(rows, seed)
        except ValueError as error:
            responses.append(_response_row(name, None, [], rows, str(error)))
            continue
        responses.append(_response_row(name, response, draws, rows, OVERLAP))
        wastes += _waste_rows(name, response, draws, rows, spend[spend["channel_id"] == channel])
    outputs = {
        "frequency_response": pd.DataFrame(responses, columns=list(OUTPUTS["frequency_response"])),
        "frequency_waste": pd.DataFrame(wastes, columns=list(OUTPUTS["frequency_waste"])),
    }
    window = (reach["window_start"].min(), reach["window_end"].max())
    metrics = {r["channel_id"]: r["knee_frequency"] for r in responses}
    return JobResult(outputs, {"knees": metrics, "draws": DRAWS}, (window[0].date(), window[1].date()))


def _groups(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(G,) mean frequency of each group, (K, G) persons and actions by place and window."""
    key = ["dma_id", "grain", "window_start"]
    wide = rows.pivot_table(
        index=key,
        columns="frequency_group",
        values=["reach_persons", "clickouts"],
        aggfunc="sum",
        fill_value=0,
    )
    persons = wide["reach_persons"].to_numpy(dtype=np.float64)
    actions = wide["clickouts"].to_numpy(dtype=np.float64)
    totals = rows.groupby("frequency_group")[["impressions", "reach_persons"]].sum()
    # The open last group counts with the exposures its people really had.
    frequency = (totals["impressions"] / totals["reach_persons"].clip(lower=1)).to_numpy(dtype=np.float64)
    return frequency, persons, actions


def _channel(rows: pd.DataFrame, seed: int) -> tuple[Response, list[Response]]:
    frequency, persons, actions = _groups(rows)
    response = fit_response(frequency, persons.sum(axis=0), actions.sum(axis=0))
    return response, resample(frequency, persons, actions, draws=DRAWS, seed=seed)


def _knees(draws: list[Response]) -> np.ndarray:
    found = np.array([d.knee for d in draws], dtype=np.float64)
    return found[np.isfinite(found)]


def _interval(response: Response, draws: list[Response]) -> tuple[float, float]:
    knees = _knees(draws)
    if not np.isfinite(response.knee) or len(knees) < len(draws) / 2:
        return float("nan"), float("nan")
    # The response is only seen at whole exposures, so no interval is narrower than half an exposure each way.
    low, high = np.quantile(knees, [0.05, 0.95])
    return min(float(low), response.knee - 0.5), max(float(high), response.knee + 0.5)


def _response_row(
    channel: str, response: Response | None, draws: list[Response], rows: pd.DataFrame, note: str
) -> dict[str, object]:
    low, high = (float("nan"), float("nan")) if response is None else _interval(response, draws)
    return {
        "channel_id": channel,
        "shape": "unknown" if response is None else response.shape,
        "knee_frequency": float("nan") if response is None else response.knee,
        "knee_p05": low,
        "knee_p95": high,
        "slope_before": float("nan") if response is None else response.slope_before,
        "slope_after": float("nan") if response is None else response.slope_after,
        "dispersion": float("nan") if response is None else response.dispersion,
        "clickouts": float(rows["clickouts"].sum()),
        "note": note[:400],
    }


def _waste_rows(
    channel: str, response: Response, draws: list[Response], rows: pd.DataFrame, spend: pd.DataFrame
) -> list[dict[str, object]]:
    """Money beyond the knee in the newest window that has the finest grain, by DMA."""
    fine = rows[rows["grain"] == "dma"] if (rows["grain"] == "dma").any() else rows
    window = fine["window_start"].max()
    fine = fine[fine["window_start"] == window]
    end = fine["window_end"].max()
    paid = spend[(spend["window_start"] == window) & (spend["spend_usd"] > 0)]
    low, high = _interval(response, draws)
    overall = _mix(fine)
    by_place = {str(place): _mix(part) for place, part in fine.groupby("dma_id")}
    out = []
    for row in paid.sort_values("dma_id").itertuples():
        mix = by_place.get(str(row.dma_id), overall)
        money = float(row.spend_usd)
        useless = response.wasted_per_exposure

        def wasted(
            knee: float, mix: tuple[np.ndarray, np.ndarray] = mix, scale: float = money * useless
        ) -> float:
            return round(scale * share_beyond(mix[0], mix[1], knee), 4)

        out.append(
            {
                "channel_id": channel,
                "dma_id": str(row.dma_id),
                "window_start": window.date(),
                "window_end": end.date(),
                "knee_frequency": response.knee,
                "knee_p05": low,
                "knee_p95": high,
                "spend_usd": round(money, 4),
                "waste_usd": wasted(response.knee),
                "waste_p05_usd": wasted(high),  # a later knee wastes less
                "waste_p95_usd": wasted(low),
                "is_assumed": str(row.dma_id) not in by_place,
            }
        )
    return out


def _mix(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(G,) mean frequency and persons of the rows."""
    totals = rows.groupby("frequency_group")[["impressions", "reach_persons"]].sum()
    persons = totals["reach_persons"].to_numpy(dtype=np.float64)
    return totals["impressions"].to_numpy(dtype=np.float64) / np.maximum(persons, 1), persons
