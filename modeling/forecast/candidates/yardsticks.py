"""Forecasts that need no fit: last season, the last four weeks, last year carried to today's level."""

from __future__ import annotations

import numpy as np

from modeling.forecast.panel import Array
from modeling.forecast.prepare import View


def _filled(view: View) -> Array:
    return np.where(view.use, np.maximum(np.nan_to_num(view.panel.y), 0.0), np.nan)


def _mean(values: Array, axis: int) -> Array:
    seen = np.isfinite(values)
    count = seen.sum(axis=axis)
    total = np.where(seen, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _or_level(view: View, values: Array) -> Array:
    return np.where(np.isfinite(values), values, four_week_level(view)[:, None])


def four_week_level(view: View) -> Array:
    """(S,) mean of the last four observed weeks, or of all there is."""
    y = _filled(view)
    window = 28 if view.panel.freq == "D" else 4
    recent = _mean(y[:, -window:], 1)
    return np.where(np.isfinite(recent), recent, np.nan_to_num(_mean(y, 1)))


def seasonal_naive(view: View) -> Array:
    """The newest observation of the same weekday (daily) or of the same week a year before (weekly)."""
    y = _filled(view)
    season, horizon, length = view.season, view.panel.horizon, view.panel.length
    if length < season:
        return _or_level(view, np.full((len(y), horizon), np.nan))
    out = np.full((len(y), horizon), np.nan)
    for h in range(horizon):
        for back in range(1, 4):
            t = length + h - season * (h // season + back)
            if 0 <= t < length:
                out[:, h] = np.where(np.isfinite(out[:, h]), out[:, h], y[:, t])
    return _or_level(view, out)


def four_week_mean(view: View) -> Array:
    """Mean of the last four weeks, by weekday on daily data."""
    y = _filled(view)
    horizon, length = view.panel.horizon, view.panel.length
    if view.panel.freq == "W":
        return np.repeat(four_week_level(view)[:, None], horizon, axis=1)
    out = np.full((len(y), horizon), np.nan)
    for h in range(min(7, horizon)):
        steps = [length + h - 7 * k for k in range(1, 5)]
        columns = [t for t in steps if 0 <= t < length]
        if columns:
            out[:, h::7] = _mean(y[:, columns], 1)[:, None]
    return _or_level(view, out)


def last_year(view: View) -> Array:
    """The same weeks of last year times this year's level over last year's, the ratio drawn towards one.

    Weekday-aligned (364 days); daily values are averaged over the neighbouring weeks to tame noise.
    """
    y = _filled(view)
    year, horizon, length = view.year, view.panel.horizon, view.panel.length
    window = 56 if view.panel.freq == "D" else 8
    if length < year + window:
        return np.full((len(y), horizon), np.nan)
    shifts = (-7, 0, 7) if view.panel.freq == "D" else (0,)
    weights = (0.25, 0.5, 0.25) if view.panel.freq == "D" else (1.0,)
    out = np.zeros((len(y), horizon))
    total = np.zeros_like(out)
    for h in range(horizon):
        base = length + h - year
        for shift, weight in zip(shifts, weights, strict=True):
            t = base + shift
            while t >= length:
                t -= year
            value = y[:, t] if t >= 0 else np.full(len(y), np.nan)
            seen = np.isfinite(value)
            out[:, h] += np.where(seen, weight * value, 0.0)
            total[:, h] += np.where(seen, weight, 0.0)
    out = np.where(total > 0, out / np.maximum(total, 1e-9), np.nan)
    both = np.isfinite(y[:, -window:]) & np.isfinite(y[:, length - year - window : length - year])
    now = np.where(both, y[:, -window:], 0.0).sum(axis=1)
    then = np.where(both, y[:, length - year - window : length - year], 0.0).sum(axis=1)
    prior = 0.15 * window * view.level
    ratio = np.clip((now + prior) / (then + prior), 0.3, 3.0)
    return np.asarray(out * ratio[:, None])
