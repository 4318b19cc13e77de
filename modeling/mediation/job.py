"""Mediation on the warehouse's features: social channels through brand search."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.mediation.estimator import ASSUMPTION, averaged, mediate
from modeling.mediation.spec import OUTPUTS
from modeling.mmm.threads import one_thread
from modeling.mmm.transforms import Adstock, adstock_series
from modeling.runner import JobResult

MEDIATOR = "search_brand"
CHANNELS = ("instagram_reels", "meta_retargeting", "youtube")
CONTROLS = ("price_index", "promo_index", "in_stock_rate", "holiday_days")
PROXY = "search_interest"
#: Forms that are averaged over: carryover of the channel's pressure, the mediator in logs or as it is.
_DECAYS = (0.2, 0.6)


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: the channels share a mediator."""
    return ["all"]


@one_thread
def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Direct and indirect effects of each channel, the others held fixed.

    Raises:
        Refusal: the mediator or every channel is missing.
    """
    week, media = features["feat_mmm_week"], features["feat_mmm_media_week"]
    if week.empty or media.empty:
        raise Refusal("no closed week with sales and media")
    grid = week.sort_values(["dma_id", "week_start_date"])
    index = pd.MultiIndex.from_frame(grid[["dma_id", "week_start_date"]])
    g, t = grid["dma_id"].nunique(), grid["week_start_date"].nunique()
    homes = grid["tv_homes"].to_numpy(dtype=float).reshape(g, t)
    homes = homes / homes.mean()

    def placed(channel: str, column: str) -> np.ndarray:
        rows = media[media["channel_id"] == channel].set_index(["dma_id", "week_start_date"])[column]
        return np.asarray(rows.reindex(index, fill_value=0.0).to_numpy(dtype=float).reshape(g, t) / homes)

    present = set(media.loc[media["spend_usd"] > 0, "channel_id"])
    channels = [c for c in CHANNELS if c in present]
    if MEDIATOR not in present or not channels:
        raise Refusal(f"no data for {MEDIATOR} or the channels that may act through it")

    def pressure(channel: str, decay: float) -> np.ndarray:
        x = adstock_series(placed(channel, "spend_usd"), Adstock("geometric", decay).weights(13))
        return np.log1p(x / max(float(x.mean()), 1e-9))

    shown = placed(MEDIATOR, "impressions")
    outcome = grid["revenue_usd"].to_numpy(dtype=float).reshape(g, t) / homes
    base = [grid[c].to_numpy(dtype=float).reshape(g, t) for c in CONTROLS]
    interest = np.maximum(grid[PROXY].to_numpy(dtype=float).reshape(g, t), 1e-9)
    proxy = np.log(interest)[None]
    pressures = {d: {c: pressure(c, d) for c in sorted(present - {MEDIATOR})} for d in _DECAYS}
    rows = []
    for channel in channels:
        forms, shares = [], []
        for others in pressures.values():
            controls = np.stack([*base, *(v for c, v in others.items() if c != channel)])
            x = others[channel]
            shares.append(float((x * homes).sum() / x.sum()))
            for mediator in (np.log1p(shown), shown):
                forms.append(mediate(x, mediator, outcome, controls, seed=seed, proxies=proxy, draws=80))
        found, scale = averaged(forms), float(np.mean(shares))
        rows.append(
            {
                "mediator": MEDIATOR,
                "channel_id": channel,
                "direct_effect": found.direct.value * scale,
                "direct_p05": found.direct.low * scale,
                "direct_p95": found.direct.high * scale,
                "indirect_effect": found.indirect.value * scale,
                "indirect_p05": found.indirect.low * scale,
                "indirect_p95": found.indirect.high * scale,
                "share_mediated": found.share.value,
                "share_p05": found.share.low,
                "share_p95": found.share.high,
                "verdict": found.verdict,
                "robustness_value": found.robustness,
                "instrument_f": found.instrument_f,
            }
        )
    frame = pd.DataFrame(rows)
    last = (grid["week_start_date"].max() + pd.Timedelta(days=6)).date()
    return JobResult(
        {"mediation": frame[list(OUTPUTS["mediation"])]},
        {"assumption": ASSUMPTION, "verdicts": dict(zip(frame["channel_id"], frame["verdict"], strict=True))},
        (grid["week_start_date"].min().date(), last),
    )
