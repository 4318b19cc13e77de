"""Tests of "the effect is d" and their inversion: p-value and interval are two readings of one function.

Every test here accepts an interval of effects around the estimate, so the p-value of zero is below alpha
exactly when the (1 - alpha) interval leaves zero out. (Where p can equal alpha, zero is inside.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from modeling.geolift.panel import Floats


@dataclass(frozen=True)
class Inference:
    """p-value of no effect and interval of the effect, on the control's scale; bounds may be infinite."""

    p_value: float
    low: float
    high: float


def student(effect: float, error: float, freedom: float, confidence: float) -> Inference:
    """Student t test with the given standard error."""
    if not error > 0:
        return Inference(0.0 if effect != 0 else 1.0, effect, effect)
    half = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(effect) / error, freedom))
    return Inference(p_value, effect - half, effect + half)


def placebo(effect: float, error: float, statistics: Floats, confidence: float) -> Inference:
    """Rank of the treated statistic among the donors' (placebo in space, studentised).

    p = (1 + donors at least as extreme) / (1 + donors); the interval holds the effects whose p is at least alpha.
    With at most 1/alpha - 1 donors no effect can be rejected and the interval is unbounded.
    """
    size = np.sort(np.abs(statistics))
    count = len(size)
    own = abs(effect) / error if error > 0 else float("inf")
    p_value = (1 + int((size >= own).sum())) / (count + 1)
    # A statistic s is accepted when (1 + #{size >= s}) / (count + 1) >= alpha.
    needed = int(np.ceil((1 - confidence) * (count + 1) - 1e-9)) - 1
    if needed < 1:
        return Inference(p_value, -np.inf, np.inf)
    limit = float(size[count - needed]) * error
    return Inference(p_value, effect - limit, effect + limit)


def conformal(
    gap: Floats, test: NDArray[np.bool_], confidence: float, *, draws: int = 0, seed: int = 0
) -> Inference:
    """Permutation of periods (Chernozhukov, Wuthrich and Zhu 2021), with the control's weights held fixed.

    Args:
        gap: (T,) observed minus control, pre-period and test.
        test: (T,) True in the test.
        confidence: of the interval.
        draws: 0 = all cyclic shifts of the periods (keeps autocorrelation); else that many random orders.

    For a permutation the statistic of "effect = d" is ``|a - b d|`` against ``|estimate - d|`` of the observed
    order, with ``|b| <= 1``. It is at least as large for d in an interval around the estimate, known in closed
    form; p(d) is the share of permutations whose interval holds d.
    """
    count, length = len(gap), int(test.sum())
    contrast = np.where(test, 1 / length, -1 / (count - length))
    estimate = float(contrast @ gap)
    if draws:
        rng = np.random.default_rng(seed)
        orders = np.array([np.arange(count)] + [rng.permutation(count) for _ in range(draws)])
    else:
        orders = (np.arange(count)[None, :] + np.arange(count)[:, None]) % count
    a = gap[orders] @ contrast
    b = test.astype(np.float64)[orders] @ contrast
    low, high = _not_smaller(a, b, estimate)
    p_value = float(((low <= 1e-12) & (high >= -1e-12)).mean())
    # d is accepted when p(d) >= alpha: left of the estimate, when `needed` permutations reach down to d.
    needed = int(np.ceil((1 - confidence) * len(low) - 1e-9))
    return Inference(p_value, float(np.sort(low)[needed - 1]), float(np.sort(high)[::-1][needed - 1]))


def _not_smaller(a: Floats, b: Floats, estimate: float) -> tuple[Floats, Floats]:
    """Ends of {d: |a - b d| >= |estimate - d|}; everything where |b| = 1 and the statistics are equal."""
    shift = a - b * estimate  # |shift - b e| >= |e| with e = d - estimate
    ends = []
    for sign in (1.0, -1.0):
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where(np.abs(shift) > 0, np.abs(shift) / (1 + sign * np.sign(shift) * b), 0.0)
        ends.append(np.where(np.abs(b) >= 1 - 1e-12, np.inf, first))
    return estimate - ends[1], estimate + ends[0]
