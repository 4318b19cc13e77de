"""Median and mean of series that often sell nothing: one number cannot be both.

The combination minimises absolute error over weights only; for sparse counts the median lies well below the mean.
Two factors per class of zero share, learnt from left-out forecasts and drawn towards one: the median's minimises
the absolute error, the mean's makes totals unbiased. Series that sell nearly always keep their median, and their
mean is corrected only for a bias that origin after origin confirms.
"""

from __future__ import annotations

import numpy as np

from modeling.forecast.panel import Array, Mask

#: Classes by share of periods without a sale; below the first edge the median is left alone.
EDGES = (0.15, 0.35, 0.55, 0.75)
GRID = np.linspace(0.0, 1.2, 25)
#: Weight of a factor of one, in observations.
PRIOR = 60.0


def factors(forecast: Array, actual: Array, valid: Mask, zero_share: Array) -> tuple[Array, Array]:
    """(S,) factors for the median and for the mean.

    Args:
        forecast, actual, valid: (O, S, H) left-out forecasts and what came.
        zero_share: (S,) share of open periods without a sale.
    """
    median, mean = np.ones(len(zero_share)), np.ones(len(zero_share))
    kind = np.searchsorted(EDGES, zero_share, side="right")
    busy = kind == 0
    mean[busy] = _confirmed(forecast, actual, valid & busy[None, :, None])
    for k in range(1, len(EDGES) + 1):
        members = kind == k
        use = valid & members[None, :, None]
        n = int(use.sum())
        if n < 40:
            continue
        f, y = forecast[use], actual[use]
        best = GRID[int(np.argmin([np.abs(y - c * f).sum() for c in GRID]))]
        ratio = float(np.clip(y.sum() / max(f.sum(), 1e-12), 0.7, 1.5))
        median[members] = (n * best + PRIOR) / (n + PRIOR)
        mean[members] = (n * ratio + PRIOR) / (n + PRIOR)
    return median, mean


def _confirmed(forecast: Array, actual: Array, use: Mask) -> float:
    """Ratio of outcome to forecast where it differs from one by 2.5 standard errors over origins, else one."""
    there = use.any(axis=(1, 2))
    if there.sum() < 4:
        return 1.0
    f, y = np.where(use, forecast, 0.0)[there], np.where(use, actual, 0.0)[there]
    ratio = y.sum(axis=(1, 2)) / np.maximum(f.sum(axis=(1, 2)), 1e-12)
    error = float(ratio.std(ddof=1)) / np.sqrt(len(ratio))
    return float(np.clip(ratio.mean(), 0.85, 1.25)) if abs(ratio.mean() - 1.0) > 2.5 * error else 1.0
