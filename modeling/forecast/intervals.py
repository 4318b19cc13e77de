"""Intervals that hold: normalised conformal scores per horizon group, checked out of sample on every run.

The error of a forecast f of a series at a horizon is divided by ``a * f**p * level**(1-p)``, with ``a`` the series'
own size of error drawn towards the pool's and ``p`` the growth of errors with volume; the pool's quantiles of
these scores, per horizon group and with newer origins counting more, widened so that leaving out one origin at a
time covers 80 %, give P10 and P90 (split conformal prediction, Vovk et al. 2005; locally weighted, Lei et al. 2018;
weights by age, Barber et al. 2023; widening, Romano et al. 2019).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modeling.forecast.panel import Array, Mask

TARGET = 0.80
GROWTH = (0.5, 0.75, 1.0)
SHRINK = (1.0, 4.0, 16.0)
LEVELS = (0.1, 0.5, 0.9)
#: Weight of an origin relative to the next newer one: models that know more history err less.
RECENCY = 0.8


@dataclass(frozen=True)
class Calibration:
    """Quantile scores and the sizes they multiply.

    Attributes:
        size: (S,) the series' size of error.
        growth: p.
        scores: (G, 3) normalised quantiles at 10, 50 and 90 % for each horizon group, widened to cover.
        group: (H,) horizon group of each step.
        coverage: coverage at origins that were left out, after widening.
        level: (S,) size of the series.
    """

    size: Array
    growth: float
    scores: Array
    group: npt.NDArray[np.int64]
    coverage: float
    level: Array

    def unit(self, forecast: Array) -> Array:
        """(S, H) width unit at a forecast."""
        return _unit(forecast, self.level, self.growth) * self.size[:, None]

    def quantiles(self, forecast: Array) -> Array:
        """(3, S, H) P10, P50, P90 around a forecast, ordered and not below zero."""
        unit = self.unit(forecast)
        bands = forecast[None] + self.scores[self.group].T[:, None, :] * unit[None]
        bands[1] = forecast
        return np.asarray(np.maximum(np.sort(bands, axis=0), 0.0))


def horizon_groups(horizon: int, freq: str) -> npt.NDArray[np.int64]:
    """(H,) group of each step: weeks for daily data up to four, then fortnights; 1-2, 3-4, 5-8, 9+ weeks."""
    step = np.arange(horizon)
    edges = (7, 14, 21, 28, 56, 112) if freq == "D" else (2, 4, 8, 13, 26)
    return np.searchsorted(np.array(edges), step, side="right").astype(np.int64)


def calibrate(
    forecast: Array,
    actual: Array,
    valid: Mask,
    level: Array,
    freq: str,
    *,
    closed_share: float = 0.0,
    fixed: tuple[float, float] | None = None,
    cutoffs: Sequence[int] | None = None,
) -> Calibration:
    """Learn interval sizes from past forecasts.

    Args:
        forecast: (O, S, H) past forecasts made without knowing their outcomes.
        actual, valid: (O, S, H) outcomes, and where they count.
        level: (S,) size of the series.
        freq: "D" or "W".
        closed_share: share of days that are zero by rule; the target lies half-way between covering 80 % with
            and without them.
        fixed: growth and shrinkage, where they are given.
        cutoffs: (O,) periods known at each origin; leaving out one leaves out those whose horizons overlap its own
            by more than half.
    """
    group = horizon_groups(forecast.shape[2], freq)
    rest = _rest(valid, cutoffs, forecast.shape[2])
    target = (TARGET - closed_share / 2) / (1 - closed_share / 2)
    error = np.where(valid, np.nan_to_num(actual) - forecast, 0.0)
    options = [fixed] if fixed else list(itertools.product(GROWTH, SHRINK))
    best: tuple[float, float, float] | None = None
    for growth, shrink in options:
        unit = _unit(forecast, level, growth)
        score = _left_out_scores(error, rest, unit, shrink)
        cost = _pinball(score, valid, group, error, unit)
        if best is None or cost < best[0] * 0.999:
            best = (cost, growth, shrink)
    assert best is not None  # noqa: S101
    _, growth, shrink = best
    unit = _unit(forecast, level, growth)
    size = _sizes(error, valid, unit, shrink)
    scores = _group_quantiles(error / (unit * size[:, None]), valid, group)
    wider, coverage = _widening(error, valid, rest, unit, size, shrink, group, target)
    scaled = scores.copy()
    scaled[:, 0] -= wider
    scaled[:, 2] += wider
    return Calibration(size, growth, scaled, group, coverage, level)


def _rest(valid: Mask, cutoffs: Sequence[int] | None, horizon: int) -> list[Mask]:
    """Per origin, ``valid`` without it and without those too near to it; a single origin stays for itself."""
    at = np.arange(len(valid)) * horizon if cutoffs is None else np.asarray(cutoffs)
    out = []
    for o in range(len(valid)):
        rest = valid.copy()
        rest[np.abs(at - at[o]) < horizon / 2] = False
        if not rest.any():
            rest = valid.copy()
            rest[o] = False
        out.append(rest if rest.any() else valid)
    return out


def _unit(forecast: Array, level: Array, growth: float) -> Array:
    floor = 0.05 * level[:, None]
    return np.asarray(np.maximum(forecast, floor) ** growth * level[:, None] ** (1.0 - growth))


def _sizes(error: Array, use: Mask, unit: Array, shrink: float) -> Array:
    """(S,) typical normalised error, drawn towards the pool's as if ``shrink`` origins of the pool were added."""
    weight = np.where(use, _recency(len(use)), 0.0)
    score = weight * np.abs(error) / np.maximum(unit, 1e-12)
    n = weight.sum(axis=(0, 2))
    pool = score.sum() / max(n.sum(), 1e-12)
    own = score.sum(axis=(0, 2)) / np.maximum(n, 1e-12)
    origins = use.any(axis=2).sum(axis=0)
    size = (origins * own + shrink * pool) / (origins + shrink)
    return np.asarray(np.maximum(size, 1e-6 * max(pool, 1e-6)))


def _recency(origins: int) -> Array:
    """(O, 1, 1) weights of the origins, the newest counts 1."""
    return np.asarray(np.power(RECENCY, np.arange(origins)[::-1]), dtype=np.float64)[:, None, None]


def _weighted_quantiles(values: Array, weights: Array) -> Array:
    """Quantiles at ``LEVELS`` of values that count by their weights."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(LEVELS, total / weights.sum(), values[order]))


def _left_out_scores(error: Array, rest: list[Mask], unit: Array, shrink: float) -> Array:
    return error / np.maximum(_left_out_unit(error, rest, unit, shrink), 1e-12)


def _left_out_unit(error: Array, rest: list[Mask], unit: Array, shrink: float) -> Array:
    return np.stack([unit[o] * _sizes(error, use, unit, shrink)[:, None] for o, use in enumerate(rest)])


def _group_quantiles(score: Array, valid: Mask, group: npt.NDArray[np.int64]) -> Array:
    """(G, 3) quantiles by horizon group; a small group is drawn towards all horizons."""
    weight = np.where(valid, _recency(len(valid)), 0.0)
    every = _weighted_quantiles(score[valid], weight[valid]) if valid.any() else np.array([-1.3, 0.0, 1.3])
    out = np.empty((int(group.max()) + 1, 3))
    for g in range(len(out)):
        at = valid[:, :, group == g]
        n = int(at.sum())
        mine = score[:, :, group == g][at], weight[:, :, group == g][at]
        own = _weighted_quantiles(*mine) if n else every
        out[g] = (n * own + 30.0 * every) / (n + 30.0)
    return out


def _pinball(score: Array, valid: Mask, group: npt.NDArray[np.int64], error: Array, unit: Array) -> float:
    quantiles = _group_quantiles(score, valid, group)[group]
    ratio = np.where(np.abs(score) > 1e-9, error / np.where(np.abs(score) > 1e-9, score, 1.0), unit)
    total = 0.0
    for k, q in ((0, 0.1), (2, 0.9)):
        miss = score - quantiles[:, k]
        total += float((np.where(valid, np.maximum(q * miss, (q - 1) * miss) * ratio, 0.0)).sum())
    return total


def _widening(
    error: Array,
    valid: Mask,
    rest: list[Mask],
    unit: Array,
    size: Array,
    shrink: float,
    group: npt.NDArray[np.int64],
    target: float,
) -> tuple[float, float]:
    """What to add to both ends so that the left-out coverage is ``target``, and that coverage.

    The distance by which each error misses the band of the other origins (negative inside), in units of the final
    size, has this as its quantile (conformalised quantile regression, Romano et al. 2019). It is added, not
    multiplied: errors of one sign cannot push a band away from the forecast, nor can origins that leave few others
    behind stretch it beyond the largest error seen.
    """
    if valid.sum() < 30:
        return 0.2, float("nan")
    miss, narrowest = np.empty_like(error), np.inf
    for o, use in enumerate(rest):
        own = _sizes(error, use, unit, shrink)[:, None]
        ends = _group_quantiles(error / (unit * own), use, group)[group]
        width = unit[o] * own
        outside = np.maximum(ends[:, 0] * width - error[o], error[o] - ends[:, 2] * width)
        miss[o] = outside / (unit[o] * size[:, None])
        narrowest = min(narrowest, float((ends[:, 2] - ends[:, 0]).min()))
    weight = np.broadcast_to(_recency(len(valid)), valid.shape)[valid]
    missed = miss[valid]
    order = np.argsort(missed, kind="stable")
    reached = np.cumsum(weight[order]) >= target * weight.sum() - 1e-9
    wider = max(float(missed[order][np.argmax(reached)]), -0.35 * narrowest)
    return wider, float(np.average(missed <= wider + 1e-12, weights=weight))
