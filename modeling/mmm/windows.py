"""Readings for a part of the history: launch returns, wasted spend by place, weekly intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from modeling.mmm.estimator import Posterior
from modeling.mmm.panel import Panel
from modeling.mmm.posterior import (
    Decomposition,
    money_weight,
    point_of,
    quantiles,
    supported,
    thin,
)
from modeling.mmm.transforms import Array, adstock_series

_WINDOW_DRAWS = 120
#: A cell is called wasted when the next dollar earns less than a dollar with at least this probability.
WASTE_PROBABILITY = 0.8


def launch_weeks(panel: Panel, weeks: int) -> slice:
    """The last `weeks` periods."""
    t = panel.shape[1]
    return slice(max(0, t - weeks), t)


def _pressure_in(posterior: Posterior, i: int, reading: int, a: int, window: slice) -> tuple[Array, Array]:
    """(G, W) adstocked exposure in the window: carried in from before, and of the window's own exposure."""
    d = posterior.dictionaries[i]
    kernel = d.grid.adstocks[a].weights(d.grid.length)
    x = d.readings[reading] / d.reference[reading]
    start = max(0, window.start - d.grid.length)
    x = x[:, start:]
    inside = slice(window.start - start, window.stop - start)
    before = x.copy()
    before[:, inside] = 0.0
    part = np.zeros_like(x)
    part[:, inside] = x[:, inside]
    return adstock_series(before, kernel)[:, inside], adstock_series(part, kernel)[:, inside]


def window_draws(posterior: Posterior, i: int, window: slice, step: float = 0.01) -> tuple[Array, Array]:
    """(D, G) money that the window's spend causes in the window over a dark window, and its marginal (what `step` more
    of it brings, per unit of relative increase)."""
    index = thin(posterior, _WINDOW_DRAWS)
    d = posterior.dictionaries[i]
    g = posterior.panel.shape[0]
    weight = money_weight(posterior)[:, window]
    gain, more = np.zeros((len(index), g)), np.zeros((len(index), g))
    cache: dict[int, tuple[Array, Array]] = {}
    pressed: dict[tuple[int, int], tuple[Array, Array]] = {}
    for row, s in enumerate(index):
        if posterior.draws.gamma[s, i] == 0.0:
            continue
        j = int(posterior.draws.candidate[s, i])
        if j not in cache:
            reading, a, sat = d.parts(j)
            if (reading, a) not in pressed:
                pressed[reading, a] = _pressure_in(posterior, i, reading, a, window)
            carried, own = pressed[reading, a]
            curve = d.grid.saturations[sat]
            lit = curve.apply(carried + own)
            scaled = weight * d.scale[j]
            cache[j] = (
                ((lit - curve.apply(carried)) * scaled).sum(axis=1),
                ((curve.apply(carried + own * (1 + step)) - lit) * scaled).sum(axis=1) / step,
            )
        gain[row] = posterior.draws.gamma[s, i] * cache[j][0]
        more[row] = posterior.draws.coefficient[s, i] * cache[j][1]
    return gain, more


def channel_window(
    posterior: Posterior, i: int, window: slice, draws: tuple[Array, Array] | None = None
) -> dict[str, Any]:
    """A channel's return in the window: what its spend there caused there (carryover from before is not its).

    `draws`: :func:`window_draws` of the window, if they are known already.
    """
    c = posterior.channels[i]
    spend = float(posterior.panel.spend[c][:, window].sum())
    gain, more = draws or window_draws(posterior, i, window)
    known = np.full(1, supported(posterior)[i])
    low, _, high = quantiles(gain.sum(axis=1))
    m_low, _, m_high = quantiles(more.sum(axis=1))
    mid = point_of(gain.sum(axis=1)[:, None], known)[0]
    m_mid = point_of(more.sum(axis=1)[:, None], known)[0]

    def per(value: Array) -> float:
        return float(value) / spend if spend > 0 else float("nan")

    return {
        "spend_usd": spend,
        "contribution_usd": float(mid),
        "contribution_p05_usd": float(low),
        "contribution_p95_usd": float(high),
        "roi": per(mid),
        "roi_p05": per(low),
        "roi_p95": per(high),
        "marginal_roi": per(m_mid),
        "marginal_roi_p05": per(m_low),
        "marginal_roi_p95": per(m_high),
    }


def wasted_spend(
    posterior: Posterior, window: slice, draws: list[tuple[Array, Array]] | None = None
) -> pd.DataFrame:
    """Channel x DMA: spend in the window, marginal return, probability that it is below one.

    `draws`: :func:`window_draws` of the window for each modelled channel, if they are known already.
    """
    panel = posterior.panel
    frames = []
    for i, c in enumerate(posterior.channels):
        spend = panel.spend[c][:, window].sum(axis=1)
        _, more = draws[i] if draws else window_draws(posterior, i, window)
        paid = spend > 0
        marginal = more[:, paid] / spend[paid]
        low, mid, high = quantiles(marginal)
        chance = (marginal < 1.0).mean(axis=0)
        frames.append(
            pd.DataFrame(
                {
                    "channel_id": panel.channels[c],
                    "dma_id": np.array(panel.geos, dtype=object)[paid],
                    "spend_usd": spend[paid],
                    "marginal_roi": mid,
                    "marginal_roi_p05": low,
                    "marginal_roi_p95": high,
                    "probability_wasted": chance,
                    "wasted_spend_usd": np.where(chance >= WASTE_PROBABILITY, spend[paid], 0.0),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def weekly_intervals(posterior: Posterior, parts: Decomposition) -> tuple[dict[str, Array], dict[str, Array]]:
    """National 5 % and 95 % points by week of each channel, and of the baseline that takes what media leaves."""
    panel = posterior.panel
    index = thin(posterior, _WINDOW_DRAWS)
    weight = money_weight(posterior)
    total = np.zeros((len(index), panel.shape[1]))
    low: dict[str, Array] = {}
    high: dict[str, Array] = {}
    for i, c in enumerate(posterior.channels):
        d = posterior.dictionaries[i]
        national = np.einsum("rgt,gt->rt", d.basis, weight)
        draws = posterior.draws.gamma[index, i][:, None] * (
            d.coefs[:, posterior.draws.candidate[index, i]].T @ national
        )
        total += draws
        point = parts.components[panel.channels[c]].sum(axis=0)
        a, _, b = quantiles(draws)
        low[panel.channels[c]], high[panel.channels[c]] = np.minimum(a, point), np.maximum(b, point)
    base = parts.components["baseline"].sum(axis=0)
    shift = sum(parts.components[panel.channels[c]].sum(axis=0) for c in posterior.channels) - total
    a, _, b = quantiles(base + shift)
    low["baseline"], high["baseline"] = np.minimum(a, base), np.maximum(b, base)
    return low, high
