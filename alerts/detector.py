"""A robust seasonal detector for daily series.

For each day the expected value is the median of the same weekday in the eight weeks before, moved by the median
residual of the fortnight before (so that a slow trend or a season is not an incident). Residuals are log ratios.
Runs of one, two and three days are judged by their mean residual: an incident that lasts stands out of its series'
noise more than any one of its days. A run is an incident only when its mean passes three gates at once: a practical
size given by the rule, ``RUNS`` robust standard deviations of such means over the past ``REFERENCE`` days, and ``TAIL``
times the third largest of them in the same direction (which keeps series with heavy tails or a past incident
honest, and lets a series that promotions push up be watched for drops). Only days before a run are used for its expectation's scale.

With Gaussian residuals the second gate alone passes fewer than one run in a thousand million; the third gate holds
for any exchangeable residuals to about 3 in ``REFERENCE`` even before the factor. What matters is the rate over
whole reports with heavy-tailed, autocorrelated series: benchmarks/alerts_recall.py measures it.
Source of the parts: Rousseeuw and Croux (1993) for the scale, Hochenbaum et al. (2017) for median-based seasonality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Length of a run in days -> robust standard deviations that its mean must stand out by. Single days have the heavier
#: tails (a mean of several days is closer to Gaussian) and are the most numerous, so they have to stand out by more.
RUNS = {1: 7.7, 2: 6.5, 3: 6.2}
TAIL = 1.3
#: A lasting incident may be this much smaller (in logarithms) than a single day's before it counts.
LASTING = 0.85
REFERENCE = 119
WEEKS = 8
SHIFT = 14
SCALE_FLOOR = 0.02
MAD_TO_SD = 1.4826
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Per day (index as the input): expected value, bounds a quiet day stays within, and log ratio. Per length of run:
    mean log ratio of the run that ends on a day, and the gates it must pass downwards and upwards."""

    expected: Floats
    low: Floats
    high: Floats
    log_ratio: Floats
    runs: dict[int, tuple[Floats, Floats, Floats]]

    def ratio(self, day: int) -> float:
        return float(np.exp(self.log_ratio[day]))

    def incidents(self, under: float, over: float, days: range) -> list[int]:
        """Days of the window that belong to a run past its gate and past the rule's limits on observed over expected."""
        found: set[int] = set()
        for length, (moved, down, up) in self.runs.items():
            ease = 1.0 if length == 1 else LASTING
            low, high = (ease * np.log(x) if x > 0 else -np.inf for x in (under, over))
            for day in days:
                past = moved[day] <= -down[day] or moved[day] >= up[day]
                if not past or low <= moved[day] <= high:
                    continue
                part = range(day - length + 1, day + 1)
                # Every day of a run must lean the same way by half: one wild day does not make its neighbours ill.
                if all(self.log_ratio[d] / moved[day] > 0.5 for d in part):
                    found.update(d for d in part if d in days)
        return sorted(found)


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
    judged = np.arange(max(start + 28, days - judged_days), days)
    runs = {length: _gated(residual, length, start, judged) for length in RUNS}
    _, down, up = runs[1]
    expected = np.maximum(np.exp(seasonal + shift) - floor, 0.0)
    return Scores(expected, expected * np.exp(-down), expected * np.exp(up), residual, runs)


def _gated(
    residual: Floats, length: int, start: int, judged: npt.NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Mean residual of the run of ``length`` days that ends on each day, and the gates of each judged day's run."""
    days = len(residual)
    moved, down, up = (np.full(days, np.nan) for _ in range(3))
    if days < length or not len(judged):
        return moved, down, up
    moved[length - 1 :] = _windows(residual, length).mean(axis=1)
    # Every judged run's reference: the runs that ended before it began, at most REFERENCE of them, none before `start`.
    padded = np.concatenate([np.full(REFERENCE, np.nan), moved[start : days - length]])
    reference = _windows(padded, REFERENCE)[judged - start - length + 1]
    known = np.isfinite(reference).sum(axis=1)
    ordered = np.sort(np.nan_to_num(reference, nan=0.0), axis=1)
    scale = np.maximum(SCALE_FLOOR, MAD_TO_SD * _median(np.abs(reference).T, least=28))
    for gate, third in ((down, -ordered[:, 2]), (up, ordered[:, -3])):
        gate[judged] = np.where(known >= 28, np.maximum(RUNS[length] * scale, TAIL * third), np.nan)
    return moved, down, up


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
