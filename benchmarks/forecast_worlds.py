"""Synthetic retail worlds that differ in the ways real sets do; the forecaster is fitted to none of them.

Each world is a long table (series, date, y, regressors). The generators share no code with the models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class World:
    """A set with what a forecaster is told about it."""

    name: str
    freq: str
    horizon: int
    exog: tuple[str, ...]
    table: pd.DataFrame


def _ar(rng: np.random.Generator, length: int, phi: float, sd: float) -> np.ndarray:
    noise = rng.normal(0, sd * np.sqrt(1 - phi**2), length)
    out = np.zeros(length)
    for t in range(1, length):
        out[t] = phi * out[t - 1] + noise[t]
    return out


def closed_sundays(seed: int = 1, series: int = 24, days: int = 850) -> World:
    """Chain stores, daily: fortnightly promotions, closed Sundays and some holidays, a December peak."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2022-01-03", periods=days, freq="D")
    dow, doy = dates.dayofweek.to_numpy(), dates.dayofyear.to_numpy()
    week = np.arange(days) // 7
    rows = []
    shut_days = {(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)}
    for s in range(series):
        promo = ((week % 2 == 0) & (dow < 5)).astype(float)
        school = (((doy > 180) & (doy < 225)) | (doy > 355) | (doy < 6)).astype(float)
        is_open = np.array([d.dayofweek != 6 and (d.month, d.day) not in shut_days for d in dates])
        profile = rng.normal(0, 0.05, 7) + np.array([0.2, 0.02, 0, 0, 0.08, 0.05, 0])
        xmas = 0.45 * np.exp(-(((doy - 352) / 9.0) ** 2)) + 0.2 * np.exp(-(((doy - 95) / 7.0) ** 2))
        mean = (
            rng.normal(8.6, 0.35)
            + profile[dow]
            + rng.normal(0.32, 0.07) * promo
            + rng.normal(0.03, 0.03) * school
            + xmas * rng.uniform(0.6, 1.4)
            + rng.normal(0, 0.06) * np.arange(days) / 365
            + _ar(rng, days, 0.5, 0.07)
        )
        y = np.where(is_open, np.round(np.exp(mean + rng.normal(0, 0.08, days))), 0.0)
        if s % 8 == 3:  # closed for a refit
            a = 200 + 13 * s
            y[a : a + 40], is_open[a : a + 40] = 0.0, False
        rows.append(
            pd.DataFrame(
                {
                    "series": f"store{s:03d}",
                    "date": dates,
                    "y": y,
                    "promo": promo,
                    "open": is_open.astype(int),
                    "school": school,
                }
            )
        )
    return World("closed_sundays", "D", 28, ("promo", "open", "school"), pd.concat(rows, ignore_index=True))


def small_counts(seed: int = 2, series: int = 40, days: int = 1000) -> World:
    """Items of a store, daily: negative binomial counts, price cuts, paydays, stretches without any sale."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2021-06-01", periods=days, freq="D")
    dow, dom, doy = dates.dayofweek.to_numpy(), dates.day.to_numpy(), dates.dayofyear.to_numpy()
    snap = (dom <= 10).astype(float)
    rows = []
    for s in range(series):
        base = np.exp(rng.normal(0.2, 1.1))
        price = np.ones(days)
        for a in rng.integers(0, days, 12):
            price[a : a + rng.integers(7, 21)] = rng.uniform(0.75, 0.9)
        mean = base * np.exp(
            0.25 * (dow >= 5)
            + 0.12 * snap * rng.uniform(0, 2)
            - 1.8 * np.log(price)
            + 0.2 * np.sin(2 * np.pi * (doy / 365 - rng.uniform()))
            + _ar(rng, days, 0.985, 0.35)
        )
        shape = rng.uniform(1.0, 4.0)
        y = rng.poisson(rng.gamma(shape, mean / shape)).astype(float)
        y[(dates.month == 12) & (dates.day == 25)] = 0
        for a in rng.integers(0, days, 2):
            y[a : a + rng.integers(5, 40)] = 0
        start = int(rng.integers(1, 500)) if s % 5 == 0 else 0
        rows.append(
            pd.DataFrame(
                {"series": f"item{s:03d}", "date": dates, "y": y, "price": 4.0 * price, "snap": snap}
            )[start:]
        )
    return World("small_counts", "D", 28, ("price", "snap"), pd.concat(rows, ignore_index=True))


def growing_items(seed: int = 3, series: int = 30, days: int = 1400) -> World:
    """Store-items, daily, no regressor: growth, a strong yearly wave, weekday profile, Poisson-like noise."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2020-01-01", periods=days, freq="D")
    dow, doy = dates.dayofweek.to_numpy(), dates.dayofyear.to_numpy()
    year = np.arange(days) / 365.25
    rows = []
    for s in range(series):
        level = np.exp(rng.normal(3.8, 0.5))
        mean = (
            level
            * (1 + 0.09 * year)
            * (1 + 0.32 * np.sin(2 * np.pi * (doy - 105) / 365.25))
            * (0.8 + 0.07 * dow)
            * np.exp(_ar(rng, days, 0.9, 0.02))
        )
        rows.append(
            pd.DataFrame({"series": f"si{s:02d}", "date": dates, "y": rng.poisson(mean).astype(float)})
        )
    return World("growing_items", "D", 28, (), pd.concat(rows, ignore_index=True))


def departments(seed: int = 4, series: int = 45, weeks: int = 143) -> World:
    """Store departments, weekly: feasts that differ by department, drifting levels, weather, mark-down flags."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2022-02-06", periods=weeks, freq="7D")
    doy = dates.dayofyear.to_numpy()
    time = np.arange(weeks)
    rows = []
    for s in range(series):
        kind = s % 5
        season = [0.1, 0.35, -0.3, 0.05, 0.2][kind] * np.cos(2 * np.pi * (doy - 200) / 365.25)
        feasts = np.zeros(weeks)
        for centre, width, size in (
            (329, 4, [0.5, 0.1, 0.9, 0.0, 0.2][kind]),
            (357, 6, [0.7, 0.2, 1.1, 0.1, 0.3][kind]),
            (100, 5, [0.3, 0.5, 0.0, 0.05, 0.0][kind]),
            (43, 4, [0.0, 0.2, 0.4, 0.0, 0.0][kind]),
        ):
            feasts += size * rng.uniform(0.7, 1.3) * np.exp(-(((doy - centre) / width) ** 2))
        flag = (np.isin(dates.isocalendar().week.to_numpy(), (6, 36, 47, 52))).astype(float)
        markdown = (rng.random(weeks) < 0.15).astype(float)
        temp = 60 + 25 * np.cos(2 * np.pi * (doy - 200) / 365.25) + rng.normal(0, 6, weeks)
        walk = np.cumsum(rng.normal(0, 0.012, weeks))
        y = np.exp(
            rng.normal(9.5, 1.0)
            + season
            + feasts
            + rng.normal(0.12, 0.05) * markdown
            + walk
            + 0.002 * (temp - 60)
            + rng.normal(0, [0.05, 0.1, 0.08, 0.04, 0.15][kind], weeks)
            - 0.0004 * time
        )
        rows.append(
            pd.DataFrame(
                {
                    "series": f"d{s:02d}",
                    "date": dates,
                    "y": np.round(y, 2),
                    "holiday": flag,
                    "markdown": markdown,
                    "temp": np.round(temp, 1),
                }
            )
        )
    return World("departments", "W", 8, ("holiday", "markdown", "temp"), pd.concat(rows, ignore_index=True))


def brand_regions(seed: int = 5, series: int = 60, weeks: int = 116) -> World:
    """A brand by region and retailer, weekly: media with carry-over, promotions, short history, a late shift."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2024-08-04", periods=weeks, freq="7D")
    doy = dates.dayofyear.to_numpy()
    rows = []
    for s in range(series):
        spend = np.maximum(rng.gamma(2.0, 1.0, weeks) * (1 + 0.6 * np.sin(2 * np.pi * doy / 365.25)), 0)
        carried = np.zeros(weeks)
        for t in range(weeks):
            carried[t] = spend[t] + (0.5 * carried[t - 1] if t else 0)
        promo = (rng.random(weeks) < 0.12).astype(float)
        shift = 0.25 * (np.arange(weeks) > 104) * (s % 3 == 0)
        mean = np.exp(
            rng.normal(4.5, 1.0)
            + 0.15 * np.sin(2 * np.pi * (doy / 365.25 - 0.2))
            + 0.06 * np.log1p(carried)
            + 0.3 * promo
            + shift
            + _ar(rng, weeks, 0.85, 0.1)
            + 0.1 * np.arange(weeks) / 52
        )
        y = rng.poisson(mean * np.exp(rng.normal(0, 0.07, weeks))).astype(float)
        rows.append(
            pd.DataFrame(
                {"series": f"r{s:02d}", "date": dates, "y": y, "promo": promo, "media": np.round(carried, 3)}
            )
        )
    return World("brand_regions", "W", 8, ("promo", "media"), pd.concat(rows, ignore_index=True))


def broken_trends(seed: int = 6, series: int = 30, weeks: int = 170) -> World:
    """Weekly lines with growth that stops or turns, weak season, outliers, some slow movers; no regressor."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2021-01-04", periods=weeks, freq="7D")
    doy = dates.dayofyear.to_numpy()
    rows = []
    for s in range(series):
        slopes = np.repeat(rng.normal(0, 0.006, 6), weeks // 6 + 1)[:weeks]
        level = rng.normal(1.2 if s % 5 == 0 else 5.0, 0.7)
        mean = np.exp(
            level
            + np.cumsum(slopes)
            + 0.08 * np.sin(2 * np.pi * doy / 365.25 + rng.uniform(0, 6))
            + _ar(rng, weeks, 0.6, 0.12)
        )
        y = rng.poisson(mean).astype(float)
        y[rng.integers(0, weeks, 2)] *= 2.5
        rows.append(pd.DataFrame({"series": f"b{s:02d}", "date": dates, "y": np.round(y)}))
    return World("broken_trends", "W", 8, (), pd.concat(rows, ignore_index=True))


WORLDS: dict[str, Callable[..., World]] = {
    f.__name__: f
    for f in (closed_sundays, small_counts, growing_items, departments, brand_regions, broken_trends)
}
