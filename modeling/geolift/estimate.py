"""Effect of a test on one series, its noise and its placebos, on the control's own scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modeling.errors import InputError
from modeling.geolift import inference
from modeling.geolift.control import LARGE, donor_weights, is_log, left_out_residuals, nearest_in_size
from modeling.geolift.covariates import Carry
from modeling.geolift.noise import (
    autocorrelation,
    mean_difference_variance,
    pooled_autocorrelation,
    variance_of,
)
from modeling.geolift.panel import Floats

SHOCK = (
    4.5  # robust standard deviations of donors' own placebo statistics beyond which a donor was hit itself
)
PLACEBO_DONORS = (40, 24)  # donors used as placebos, in a pool of usual size and in a large one
PRIOR_PLACEBOS = 20.0  # weight of what is believed before against the placebo statistics
MAX_FREEDOM = 40.0


@dataclass(frozen=True)
class Rule:
    """How an effect is judged: "t", "conformal" or "placebo", at a confidence, with a seed for permutations."""

    test: str = "t"
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Gap:
    """One series against its donors: effect on the control's scale and the noise behind it."""

    gap: Floats
    effect: float
    residual: Floats
    weights: Floats


@dataclass(frozen=True)
class Fitted:
    """Effect of the treated series, what it was judged against, and the donors that were kept."""

    main: Gap
    kept: list[int]
    dropped: list[str]
    error: float
    freedom: float
    rho: float
    inflation: float
    deviation: float
    statistics: Floats
    earlier: Floats
    result: inference.Inference


def _gap(y: Floats, x: Floats, pre: int, method: str, length: int) -> Gap:
    weights = donor_weights(method, y[:pre], x[:pre])
    gap = y - x @ weights
    gap = gap - gap[:pre].mean()
    residual = left_out_residuals(method, y[:pre], x[:pre], length)
    return Gap(gap, float(gap[pre : pre + length].mean()), residual, weights)


def fit_effect(
    y: Floats,
    x: Floats,
    names: list[str],
    pre: int,
    method: str,
    rule: Rule,
    notes: list[str],
    carry: Carry | None = None,
) -> Fitted:
    """Effect, noise and test of one treated series.

    Args:
        y, x: (T,) and (T, J), pre-period then test, on the control's scale (logs already taken).
        names: J donor names; notes: what was done about shocked donors is appended here.
        carry: error of covariates that were taken out before, in units of the control's scale.

    Raises:
        InputError: unknown test.
    """
    length = len(y) - pre
    kept = list(range(x.shape[1]))
    main = _gap(y, x, pre, method, length)
    placebos = _placebos(y, x, pre, method, length, main.weights)
    rhos = np.array([autocorrelation(g.residual) for g in placebos.values()])
    statistics = _studentised(placebos, rhos, pre, length)
    dropped: list[str] = []
    if len(placebos) >= 5:
        centre = float(np.median(statistics))
        spread = max(1.4826 * float(np.median(np.abs(statistics - centre))), 1.0)
        hit = [j for j, z in zip(placebos, statistics, strict=True) if abs(z - centre) > SHOCK * spread]
        if hit and len(hit) <= max(1, len(placebos) // 5):
            dropped = [names[j] for j in hit]
            kept = [j for j in kept if j not in set(hit)]
            notes.append(f"donors hit by a shock of their own in the test are left out: {', '.join(dropped)}")
            x = x[:, kept]
            main = _gap(y, x, pre, method, length)
            placebos = _placebos(y, x, pre, method, length, main.weights)
            rhos = np.array([autocorrelation(g.residual) for g in placebos.values()])
            statistics = _studentised(placebos, rhos, pre, length)
    rho = pooled_autocorrelation(autocorrelation(main.residual), rhos, pre)
    deviation = float(np.sqrt(variance_of(main.residual, rho)))
    earlier = _earlier_windows(y, x, pre, method, length, rho, main, placebos)
    inflation = _inflation(statistics, earlier) if len(placebos) >= 3 else 1.0
    error = deviation * np.sqrt(mean_difference_variance(rho, pre, length)) * inflation
    if carry is not None:
        error = float(np.hypot(error, np.sqrt(carry.variance(main.weights, kept))))
    independent = pre * (1 - rho) / (1 + rho)
    freedom = float(np.clip(independent - 1 if len(placebos) >= 3 else independent / 2, 3.0, MAX_FREEDOM))
    test = np.arange(len(y)) >= pre
    if rule.test == "conformal":
        result = inference.conformal(main.gap, test, rule.confidence, seed=rule.seed)
    elif rule.test == "placebo":
        result = inference.placebo(main.effect, error, statistics, rule.confidence)
    elif rule.test == "t":
        result = inference.student(main.effect, error, freedom, rule.confidence)
    else:
        raise InputError(f"test {rule.test!r} is none of t, conformal, placebo")
    return Fitted(main, kept, dropped, error, freedom, rho, inflation, deviation, statistics, earlier, result)


def _inflation(statistics: Floats, earlier: Floats) -> float:
    """How much further placebos strayed than the noise model says, in two steps of the same weight.

    Earlier windows correct the noise model; the donors' placebos in the test correct that. Only they have seen what
    else went on during the test (other media, price moves, empty shelves in some places), so the many earlier
    windows must not outvote them.
    """
    past, now = np.clip(earlier, -4, 4), np.clip(statistics, -4, 4)
    before = (PRIOR_PLACEBOS + past @ past) / (PRIOR_PLACEBOS + len(past))
    return float(np.sqrt((PRIOR_PLACEBOS * before + now @ now) / (PRIOR_PLACEBOS + len(now))))


def _placebos(y: Floats, x: Floats, pre: int, method: str, length: int, weights: Floats) -> dict[int, Gap]:
    """The same estimate for donors as if they were treated: those nearest in size and those that weigh most."""
    if x.shape[1] < 3:
        return {}
    levels = x[:pre] if not is_log(method) else np.exp(x[:pre])
    target = y[:pre] if not is_log(method) else np.exp(y[:pre])
    most = PLACEBO_DONORS[0 if x.shape[1] <= LARGE else 1]
    chosen = list(np.argsort(-np.abs(weights), kind="stable")[: most // 2])
    for j in nearest_in_size(target, levels, x.shape[1]) or range(x.shape[1]):
        if len(chosen) >= min(most, x.shape[1]):
            break
        if j not in chosen:
            chosen.append(j)
    return {int(j): _gap(x[:, j], np.delete(x, j, axis=1), pre, method, length) for j in sorted(chosen)}


def _studentised(placebos: dict[int, Gap], rhos: Floats, pre: int, length: int) -> Floats:
    out = []
    for gap, own in zip(placebos.values(), rhos, strict=True):
        rho = pooled_autocorrelation(float(own), rhos, pre)
        scale = variance_of(gap.residual, rho) * mean_difference_variance(rho, pre, length)
        out.append(gap.effect / np.sqrt(scale) if scale > 0 else 0.0)
    return np.array(out)


def _earlier_windows(
    y: Floats,
    x: Floats,
    pre: int,
    method: str,
    length: int,
    rho: float,
    main: Gap,
    placebos: dict[int, Gap],
) -> Floats:
    """Placebo statistics of earlier windows of the test's length, each fitted on what came before it."""
    out = []
    origin = pre - length
    for _ in range(4):
        if origin < max(2 * length, pre // 2, 12):
            break
        spread = np.sqrt(mean_difference_variance(rho, origin, length))
        for j, gap in [(-1, main), *placebos.items()]:
            own, others = (y, x) if j < 0 else (x[:, j], np.delete(x, j, axis=1))
            weights = donor_weights(method, own[:origin], others[:origin])
            moved = own - others @ weights
            effect = float(moved[origin : origin + length].mean() - moved[:origin].mean())
            scale = np.sqrt(variance_of(gap.residual, rho)) * spread
            out.append(effect / scale if scale > 0 else 0.0)
        origin -= length
    return np.array(out)
