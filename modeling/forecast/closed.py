"""Days on which a series sells nothing by rule: a flag, a weekday, a date of the year."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def closed_days(y: Array, exog: Array, dates: pd.DatetimeIndex, freq: str) -> Mask:
    """(S, T + H) days on which a series sells nothing by rule.

    Three rules, each needing a series that otherwise sells on at least 70 % of its days: a two-valued regressor
    under one of whose values sales are always zero; a weekday with (almost) no sales over the last eight weeks
    and at least 90 % before; a date of the year that was zero in every year seen, at least twice.
    """
    count, length = y.shape
    total = exog.shape[1] if exog.size else len(dates)
    closed = np.zeros((count, total), dtype=bool)
    if freq != "D":
        return closed
    seen = np.isfinite(y)
    zero = seen & (y == 0)
    for k in range(exog.shape[2]):
        x = exog[:, :, k]
        values = np.unique(x[:, :length])
        if len(values) != 2:
            continue
        for value in values:
            at = x == value
            hits = (at[:, :length] & seen).sum(axis=1)
            shut = (at[:, :length] & zero).sum(axis=1)
            other = (~at[:, :length] & zero).sum(axis=1) / np.maximum((~at[:, :length] & seen).sum(axis=1), 1)
            pool = shut.sum() >= 0.995 * hits.sum() and hits.sum() >= 5
            rule = (other < 0.3) & (((hits >= 3) & (shut == hits)) | (pool & (shut == hits)))
            closed |= rule[:, None] & at
    weekday = dates.dayofweek.to_numpy()
    open_zero = zero & ~closed[:, :length]
    recent = np.arange(length) >= length - 56
    for day in range(7):
        on = (weekday[:length] == day)[None, :] & seen & ~closed[:, :length]
        off_share = (on & zero).sum(axis=1) / np.maximum(on.sum(axis=1), 1)
        rest = seen & (weekday[:length] != day)[None, :] & ~closed[:, :length]
        rest_zero = (rest & zero).sum(axis=1) / np.maximum(rest.sum(axis=1), 1)
        recent_on = on & recent[None, :]
        shut_now = ((recent_on & ~zero).sum(axis=1) == 0) & (recent_on.sum(axis=1) >= 4)
        rule = (off_share >= 0.9) & shut_now & (rest_zero < 0.3)
        past = np.zeros((count, total), dtype=bool)
        past[:, :length] = on & zero
        past[:, length:] = (weekday[length:] == day)[None, :]
        closed |= rule[:, None] & past
    closed |= _closed_dates(open_zero & ~closed[:, :length], seen, dates, total)
    return closed


def _closed_dates(zero: Mask, seen: Mask, dates: pd.DatetimeIndex, total: int) -> Mask:
    """Dates of the year (such as 25 December) that were zero in each of at least two years."""
    count, length = zero.shape
    closed = np.zeros((count, total), dtype=bool)
    busy = zero.sum(axis=1) / np.maximum(seen.sum(axis=1), 1) < 0.3
    key = (dates.month * 100 + dates.day).to_numpy()
    past = key[:length]
    pool_zero, pool_seen = (zero & busy[:, None]).sum(axis=0), (seen & busy[:, None]).sum(axis=0)
    for date in np.unique(past[(pool_zero > 0) & (pool_zero >= 0.5 * np.maximum(pool_seen, 1))]):
        at = past == date
        years = (seen[:, at]).sum(axis=1)
        always = (zero[:, at].sum(axis=1) == years) & (years >= 2) & busy
        everybody = bool((pool_zero[at] >= 0.9 * np.maximum(pool_seen[at], 1)).all() and at.sum() >= 2)
        rule = always | (busy if everybody else False)
        closed |= (
            rule[:, None]
            & (key[:total] == date)[None, :]
            & np.concatenate([zero | ~seen, np.ones((count, total - length), dtype=bool)], axis=1)
        )
    return closed
