"""Harmonic regression with autoregressive errors: a SARIMAX whose season is waves instead of states.

Piecewise trend, yearly waves, weekdays, paydays, events and regressors on the working scale; the same terms as
Prophet's, with errors that remember.
"""

from __future__ import annotations

import numpy as np

from modeling.forecast.linear import Fit, forecast_errors
from modeling.forecast.panel import Array
from modeling.forecast.prepare import View

ALL = ("level", "slope", "bend", "year", "week", "payday", "event", "exog")


def harmonic_ar(view: View) -> Array:
    """Every series' own coefficients, drawn towards the pool by what the data say."""
    return _forecast(view, view.fit)


def harmonic_pooled(view: View) -> Array:
    """The pool's coefficients for season, events and regressors; own level and trend."""
    return _forecast(view, view.fits[1])


def _forecast(view: View, fit: Fit) -> Array:
    length, horizon = view.panel.length, view.panel.horizon
    path = fit.effect(view.design, ALL)[:, length:]
    # a trend that goes on at its last slope is the commonest large error: let it fade
    slope = fit.effect(view.design, ("slope", "bend"))
    rate = slope[:, length] - slope[:, length - 1]
    steps = np.arange(1, horizon + 1)
    damping = 0.98 if view.panel.freq == "D" else 0.92
    faded = np.cumsum(damping**steps) - steps
    return view.back(path + rate[:, None] * faded[None, :] + forecast_errors(fit, horizon))
