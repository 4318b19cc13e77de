"""Calendar regressors that need no data: yearly waves, weekdays, paydays, holidays and shopping days."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import holidays
import numpy as np
import pandas as pd

from modeling.forecast.panel import Array

#: Yearly waves: pairs of sine and cosine.
WAVES = {"D": 8, "W": 6}


def fourier(dates: pd.DatetimeIndex, pairs: int) -> Array:
    """(T, 2 * pairs) sines and cosines of the time of the year."""
    angle = 2 * np.pi * (dates.dayofyear.to_numpy() - 0.5) / 365.25
    orders = np.arange(1, pairs + 1)
    return np.concatenate([np.sin(np.outer(angle, orders)), np.cos(np.outer(angle, orders))], axis=1)


def weekdays(dates: pd.DatetimeIndex) -> Array:
    """(T, 6) centred weekday indicators, Sunday as the contrast."""
    day = dates.dayofweek.to_numpy()
    return np.asarray((day[:, None] == np.arange(6)[None, :]).astype(float) - (day == 6)[:, None])


def paydays(dates: pd.DatetimeIndex) -> Array:
    """(T, 3) soft bumps at the start, middle and end of the month."""
    day, last = dates.day.to_numpy(), dates.days_in_month.to_numpy()
    start = np.exp(-((day - 2.0) ** 2) / 8.0)
    middle = np.exp(-((day - 16.0) ** 2) / 8.0)
    end = np.exp(-((last - day) ** 2) / 8.0)
    return np.stack([start, middle, end], axis=1)


@lru_cache(maxsize=512)
def _events(year: int, country: str) -> dict[str, tuple[dt.date, ...]]:
    day = dt.date
    sunday = _easter(year)
    thanksgiving = _nth(year, 11, 3, 4)
    events: dict[str, tuple[dt.date, ...]] = {
        "christmas eve": (day(year, 12, 24),),
        "christmas": (day(year, 12, 25),),
        "boxing day": (day(year, 12, 26),),
        "last shopping days": tuple(day(year, 12, d) for d in range(19, 24)),
        "new year's eve": (day(year, 12, 31),),
        "new year": (day(year, 1, 1),),
        "after new year": (day(year, 1, 2), day(year, 1, 3)),
        "valentine": (day(year, 2, 13), day(year, 2, 14)),
        "easter week": tuple(sunday - dt.timedelta(days=d) for d in range(3, 7)),
        "good friday": (sunday - dt.timedelta(days=2),),
        "easter eve": (sunday - dt.timedelta(days=1),),
        "easter": (sunday,),
        "easter monday": (sunday + dt.timedelta(days=1),),
        "mother's day": (_nth(year, 5, 6, 2),),
        "halloween": (day(year, 10, 31),),
    }
    if country == "US":
        events |= {
            "super bowl": (_nth(year, 2, 6, 1),),
            "thanksgiving eve": (thanksgiving - dt.timedelta(days=1),),
            "thanksgiving": (thanksgiving,),
            "black friday": (thanksgiving + dt.timedelta(days=1),),
            "cyber monday": (thanksgiving + dt.timedelta(days=4),),
        }
    if country:
        known = {d for days in events.values() for d in days}
        for date, name in sorted(holidays.country_holidays(country, years=year, observed=False).items()):
            if date not in known:
                label = name.split(";")[0].strip().lower()
                events[label] = (*events.get(label, ()), date)
    return events


def _easter(year: int) -> dt.date:
    """Western Easter Sunday (the anonymous Gregorian algorithm; Meeus 1991, ch. 8)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1)


def _nth(year: int, month: int, weekday: int, n: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def event_matrix(dates: pd.DatetimeIndex, history: int, country: str, freq: str) -> tuple[Array, list[str]]:
    """(T + H, E) event regressors that occurred in the history, and their names.

    Daily: 1 on the event's days. Weekly: the number of the event's days in the seven that start at the date, and
    in the week before (people shop ahead of a feast), for the larger feasts.
    """
    step = 1 if freq == "D" else 7
    first, last = dates[0].date(), dates[-1].date() + dt.timedelta(days=step - 1)
    columns: dict[str, Array] = {}
    for year in range(first.year, last.year + 1):
        for name, days in _events(year, country).items():
            for date in days:
                t = (date - first).days // step
                if first <= date <= last:
                    columns.setdefault(name, np.zeros(len(dates)))[t] += 1.0
                if freq == "W" and name in ("christmas", "thanksgiving", "easter") and 1 <= t <= len(dates):
                    columns.setdefault("before " + name, np.zeros(len(dates)))[t - 1] += 1.0
    if freq == "W":
        columns = {n: c / max(c.max(), 1.0) for n, c in columns.items()}
        columns = _merge_equal(columns)
    names = [n for n, c in columns.items() if (c[:history] > 0).sum() >= 1]
    if not names:
        return np.zeros((len(dates), 0)), []
    return np.stack([columns[n] for n in names], axis=1), names


def _merge_equal(columns: dict[str, Array]) -> dict[str, Array]:
    """On a weekly grid neighbouring events fall into the same weeks; one column is enough."""
    kept: dict[str, Array] = {}
    for name, column in columns.items():
        if not any(np.array_equal(column, other) for other in kept.values()):
            kept[name] = column
    return kept
