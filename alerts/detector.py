"""A robust seasonal detector for daily series.

For each day the expected value is the median of the same weekday in the eight weeks before, moved by the median
residual of the fortnight before (so that a slow trend or a season is not an incident). Residuals are log ratios;
their scale is the median absolute deviation over the past ``REFERENCE`` days. A day is an incident only when its
residual passes three gates at once: a practical size given by the rule, ``Z`` robust standard deviations, and
1.3 times the third largest residual of the reference days (which keeps series with heavy tails or a past
incident honest). Only earlier days are used for a day's expectation and scale.

With Gaussian residuals the second gate alone passes fewer than one day in a thousand million; the third gate
holds for any exchangeable residuals to about 3 days in ``REFERENCE`` even before the factor. What matters is the
rate over whole runs with heavy-tailed, autocorrelated series: benchmarks/alerts_recall.py measures it.
Source of the parts: Rousseeuw and Croux (1993) for the scale, Hochenbaum et al. (2017) for median-based seasonality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z = 6.3
REFERENCE = 119
WEEKS = 8
SHIFT = 14
SCALE_FLOOR = 0.02
MAD_TO_SD = 1.4826
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Per day (index as the input): expected value, bounds a quiet day stays within, log ratio, and the gate it must pass."""

    expected: Floats
    low: Floats
    high: Floats
    log_ratio: Floats
    gate: Floats

    def ratio(self, day: int) -> float:
        return float(np.exp(self.log_ratio[day]))


def score(values: Floats, judged_days: int = 14) -> Scores:
    """Score every day of one gap-free daily series.

    Args:
        values: shape (days,), non-negative; NaN where a day is unknown.
        judged_days: how many of the newest days get a gate; the others only serve as their past.

    Returns:
        Scores with NaN on days that have less than ``WEEKS`` of history (they can never alarm).
    """
    days = len(values)
    past = values[: max(1, days - judged_days)]
    level = np.nanmedian(past) if np.isfinite(past).any() else 0.0
    floor = max(float(level) * 0.01, 1e-9)
    logs = np.log(np.maximum(values, 0.0) + floor)
    seasonal = np.full(days, np.nan)
    start = 7 * WEEKS
    if days > start:
        lagged = np.stack([logs[start - 7 * k : days - 7 * k] for k in range(1, WEEKS + 1)])
        seasonal[start:] = _median(lagged)
    raw = logs - seasonal
    shift = np.zeros(days)
    if days > start + SHIFT:
        shift[start + SHIFT :] = np.nan_to_num(_median(_windows(raw[start:-1], SHIFT).T))
    residual = raw - shift
    size = np.abs(residual)
    gate = np.full(days, np.nan)
    judged = np.arange(max(start + 28, days - judged_days), days)
    if len(judged):
        # Every judged day's reference: the days before it, at most REFERENCE of them and none before `start`.
        padded = np.concatenate([np.full(REFERENCE, np.nan), size[start:-1]])
        reference = _windows(padded, REFERENCE)[judged - start]
        known = np.isfinite(reference).sum(axis=1)
        ordered = np.sort(np.nan_to_num(reference, nan=-1.0), axis=1)
        scale = np.maximum(SCALE_FLOOR, MAD_TO_SD * _median(reference.T, least=28))
        gate[judged] = np.where(known >= 28, np.maximum(Z * scale, 1.3 * ordered[:, -3]), np.nan)
    expected = np.maximum(np.exp(seasonal + shift) - floor, 0.0)
    return Scores(expected, expected * np.exp(-gate), expected * np.exp(gate), residual, gate)


def _windows(values: Floats, length: int) -> Floats:
    """Rows of ``length`` consecutive values; row i ends just before position i + length."""
    return np.lib.stride_tricks.sliding_window_view(values, length)


def _median(block: Floats, least: int = 0) -> Floats:
    """Column medians over finite values; NaN where fewer than half (or ``least``) of a column is finite.

    A sort with NaN last is many times faster than a masked median on thousands of short columns.
    """
    ordered = np.sort(block, axis=0)
    known = np.isfinite(block).sum(axis=0)
    columns = np.arange(block.shape[1])
    low = ordered[np.maximum((known - 1) // 2, 0), columns]
    high = ordered[np.maximum(known // 2, 0).clip(max=block.shape[0] - 1), columns]
    enough = known >= (least or max(1, block.shape[0] // 2))
    return np.where(enough, (low + high) / 2, np.nan)
