"""Candidate models behind one interface: a function from a :class:`~modeling.forecast.prepare.View` to forecasts.

A candidate returns an (S, H) array in units of y, NaN where it cannot speak for a series. It may read the whole
panel (pooling) but only up to the view's origin.
"""

from __future__ import annotations

from collections.abc import Callable

from modeling.forecast.candidates import (
    boosting,
    counts,
    regression,
    single,
    smoothing,
    structural,
    yardsticks,
)
from modeling.forecast.panel import Array
from modeling.forecast.prepare import View

Candidate = Callable[[View], Array]

#: Cheap candidates, run for every series at every origin.
BATCHED: dict[str, Candidate] = {
    "seasonal_naive": yardsticks.seasonal_naive,
    "four_week_mean": yardsticks.four_week_mean,
    "last_year": yardsticks.last_year,
    "ets": smoothing.ets,
    "ets_exog": smoothing.ets_exog,
    "mstl_ets": smoothing.mstl_ets,
    "theta": smoothing.theta,
    "harmonic_ar": regression.harmonic_ar,
    "harmonic_pooled": regression.harmonic_pooled,
    "harmonic_arma": structural.harmonic_arma,
    "trend_season": structural.trend_season,
    "level_factor": counts.level_factor,
    "gradient_boosting": boosting.gradient_boosting,
}
#: Fitted one series at a time, a hundred times dearer: run on a stated part of the series.
SLOW: dict[str, Candidate] = {"prophet": single.prophet, "sarimax": single.sarimax}
#: What every other model has to beat; a yardstick is chosen where it is better.
YARDSTICKS = ("seasonal_naive", "four_week_mean")

__all__ = ["BATCHED", "SLOW", "YARDSTICKS", "Candidate", "View"]
