"""Demand behind a stock-out: what would have sold, where sales were cut."""

from __future__ import annotations

import numpy as np

from modeling.forecast.panel import Array, Panel
from modeling.forecast.prepare import View

#: Weeks on either side whose errors tell how a cut week would have deviated from its expectation.
NEIGHBOURS = 4


def unconstrained(panel: Panel, country: str = "US") -> Array:
    """(S, T) observations with censored cells lifted to their expected demand, never below what was sold.

    Expected demand is the pooled regression fitted to uncensored cells only, plus the decayed errors of the
    neighbouring periods (errors of retail levels persist for weeks).
    """
    if not panel.censored.any():
        return panel.y.copy()
    view = View(panel, country)
    fit = view.fit
    groups = ("level", "slope", "bend", "year", "week", "payday", "event", "exog")
    fitted = fit.effect(view.design, groups)[:, : panel.length]
    weight = np.zeros_like(fit.resid)
    total = np.zeros_like(fit.resid)
    use = view.use.astype(float)
    for lag in range(1, NEIGHBOURS + 1):
        near = 0.7**lag
        total[:, lag:] += near * (fit.resid * use)[:, :-lag]
        weight[:, lag:] += near * use[:, :-lag]
        total[:, :-lag] += near * (fit.resid * use)[:, lag:]
        weight[:, :-lag] += near * use[:, lag:]
    expected = view.back(fitted + total / (weight + 0.5))
    return np.where(panel.censored, np.maximum(np.nan_to_num(panel.y), expected), panel.y)
