"""How far a mean of autocorrelated noise strays: the scale that lift is compared with."""

from __future__ import annotations

import numpy as np

from modeling.geolift.panel import Floats


def autocorrelation(residual: Floats) -> float:
    """Lag-1 autocorrelation of (T,) residuals, corrected for its small-sample bias (Kendall 1954), -0.3 to 0.97."""
    centred = residual - residual.mean()
    power = float(centred @ centred)
    if power <= 0 or len(residual) < 4:
        return 0.0
    raw = float(centred[1:] @ centred[:-1]) / power
    return float(np.clip(raw + (1 + 3 * raw) / len(residual), -0.3, 0.97))


def pooled_autocorrelation(own: float, others: Floats, periods: int) -> float:
    """Own estimate drawn towards the other geographies' mean, as far as their spread is sampling noise; >= 0.

    One series of 30 to 90 periods tells little about its own autocorrelation; the donors have the same calendar
    and tell the rest. Weight on the own estimate = between-geography variance / (that + sampling variance).
    """
    if len(others) < 3:
        return max(own, 0.0)
    centre = float(np.mean(others))
    sampling = (1 - centre**2) / periods
    between = max(float(np.var(others, ddof=1)) - sampling, 0.0)
    return max(centre + between / (between + sampling) * (own - centre), 0.0)


def mean_difference_variance(rho: float, before: int, after: int) -> float:
    """Variance of (mean of ``after`` periods - mean of the ``before`` periods just ahead), unit-variance AR(1)."""
    if rho == 0:
        return 1 / before + 1 / after
    cross = rho * (1 - rho**before) * (1 - rho**after) / (1 - rho) ** 2
    return (
        _sum_variance(rho, before) / before**2
        + _sum_variance(rho, after) / after**2
        - 2 * cross / (before * after)
    )


def _sum_variance(rho: float, count: int) -> float:
    """Variance of a sum of ``count`` periods of unit-variance AR(1) noise."""
    return count + 2 * rho * (count / (1 - rho) - (1 - rho**count) / (1 - rho) ** 2)


def variance_of(residual: Floats, rho: float) -> float:
    """Variance of the noise from (T,) demeaned residuals, allowing for the mean that was taken out of them."""
    count = len(residual)
    lost = _sum_variance(rho, count) / count
    return float(residual @ residual) / max(count - lost, 1.0)
