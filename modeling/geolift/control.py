"""Controls: what the treated series would have been, as a weighted sum of untreated ones plus a level.

Each control is a rule that maps pre-period series to donor weights. All of them are demeaned (the level is
the pre-period mean of the gap), so only movements have to match.

- ``did_log``: difference in differences on logs; donors weigh by the inverse variance of their movements.
- ``synthetic_control``: weights >= 0 that sum to 1, on levels (Abadie, Diamond and Hainmueller 2010, with the
  intercept of Doudchenko and Imbens 2016).
- ``synthetic_control_log``: the same on logs.
- ``ridge_control_log``: the same on logs, drawn towards the weights of ``did_log``.
- ``augmented_synthetic_control``: synthetic control plus a ridge correction of its pre-period misfit
  (Ben-Michael, Feller and Rothstein 2021), on levels.
- ``tbr``: time-based regression on the sum of donors, on levels (Kerman, Wang and Vaver 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from modeling.geolift.noise import autocorrelation, mean_difference_variance
from modeling.geolift.panel import Floats

AUTO = ("did_log", "ridge_control_log", "synthetic_control_log", "synthetic_control")
METHODS = (*AUTO, "augmented_synthetic_control", "tbr")
RIDGE = 3.0  # pull of ridge_control_log, relative to the mean square movement of a donor
LARGE = 60  # donors beyond which fewer of them serve as placebos: more only cost time


def is_log(method: str) -> bool:
    """Does the control work on logs (effects multiply) or on levels (effects add)?"""
    return method.endswith("_log")


def donor_weights(method: str, target: Floats, donors: Floats) -> Floats:
    """(J,) weights from (T,) target and (T, J) donors of the pre-period, on the control's own scale."""
    moves = donors - donors.sum(axis=0) / len(donors)
    if method == "did_log":
        return _inverse_variance(moves)
    goal = target - target.mean()
    if method == "tbr":
        total = moves.mean(axis=1)
        power = float(total @ total)
        slope = float(total @ goal) / power if power > 0 else 0.0
        return np.full(donors.shape[1], slope / donors.shape[1])
    if method == "ridge_control_log":
        return simplex_weights(moves, goal, ridge=RIDGE, towards=_inverse_variance(moves))
    weights = simplex_weights(moves, goal)
    if method != "augmented_synthetic_control":
        return weights
    # Ridge of the remaining misfit on the donors, written in its T x T form.
    gram = moves @ moves.T
    pull = float(np.trace(gram)) / len(gram)
    correction = moves.T @ np.linalg.solve(gram + pull * np.eye(len(gram)), goal - moves @ weights)
    return np.asarray(weights + correction, dtype=np.float64)


def _inverse_variance(moves: Floats) -> Floats:
    """Weights by the inverse variance of each donor around the common movement; no donor can dominate."""
    apart = moves - (moves.sum(axis=1) / moves.shape[1])[:, None]
    level = apart.sum(axis=0) / len(apart)
    return _shares(
        np.einsum("tj,tj->j", apart, apart) / len(apart) - level * level
    )  # A/A tests call this very often


def _shares(variance: Floats) -> Floats:
    """(..., J) weights by inverse variance, a quarter of the median added; equal ones where that is not positive."""
    steady = variance + 0.25 * np.sort(variance, axis=-1)[..., [variance.shape[-1] // 2]]
    positive = steady > 0
    share = 1 / np.where(positive, steady, 1.0)
    share[~positive.all(axis=-1)] = 1.0
    return np.asarray(share / share.sum(axis=-1, keepdims=True), dtype=np.float64)


def simplex_weights(
    moves: Floats, goal: Floats, *, ridge: float = 0.0, towards: Floats | None = None
) -> Floats:
    """Least squares with weights >= 0 that sum to 1: non-negative least squares, then exact on its support.

    Args:
        moves, goal: (T, J) and (T,), both demeaned.
        ridge, towards: penalty on the squared distance to the (J,) weights ``towards``.
    """
    count = moves.shape[1]
    if count == 1:
        return np.ones(1)
    scale = float(np.sqrt((moves**2).sum() / count))
    if scale <= 0:
        return np.full(count, 1 / count)
    left, right = moves / scale, goal / scale
    if ridge > 0 and towards is not None:
        left = np.vstack([left, np.sqrt(ridge) * np.eye(count)])
        right = np.concatenate([right, np.sqrt(ridge) * towards])
    heavy = 1e3 * max(1.0, float(np.abs(right).max()))  # the sum-to-one row, as a nearly hard constraint
    found = nnls(
        np.vstack([left, np.full(count, heavy)]), np.concatenate([right, [heavy]]), maxiter=100 * count
    )[0]
    if not found.sum() > 0:
        return np.full(count, 1 / count)
    return _polish(left, right, found / found.sum())


def _polish(left: Floats, right: Floats, found: Floats) -> Floats:
    """Solve the equality-constrained problem on the support, which removes the soft constraint's error."""
    support = np.flatnonzero(found > 0)
    size = len(support)
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = left[:, support].T @ left[:, support]
    system[:size, size] = system[size, :size] = 1.0
    try:
        exact = np.linalg.solve(system, np.concatenate([left[:, support].T @ right, [1.0]]))[:size]
    except np.linalg.LinAlgError:
        return found
    if not (exact > -1e-9).all():
        return found
    weights = np.zeros_like(found)
    weights[support] = np.maximum(exact, 0.0)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def left_out_residuals(method: str, target: Floats, donors: Floats, test_length: int) -> Floats:
    """(T,) gap of each pre-period block under weights and level fitted without that block.

    In-sample gaps of a flexible control are too small; these are what the control does to periods it has not
    seen. Blocks are as long as the test, but never fewer than five.
    """
    count = len(target)
    length = max(2, min(test_length, count // 5))
    edges = np.linspace(0, count, max(count // length, 2) + 1).astype(int)
    if method == "did_log":
        weights = _left_out_inverse_variance(donors, edges)
    else:
        everyone = np.arange(count)
        rest = [np.concatenate([everyone[:first], everyone[last:]]) for first, last in pairwise(edges)]
        weights = np.array([donor_weights(method, target[train], donors[train]) for train in rest])
    gaps = target[:, None] - donors @ weights.T
    length_of = np.diff(edges)
    level = (gaps.sum(axis=0) - np.add.reduceat(gaps, edges[:-1]).diagonal()) / (count - length_of)
    block = np.repeat(np.arange(len(weights)), length_of)
    return np.asarray(gaps[np.arange(count), block] - level[block], dtype=np.float64)


def _left_out_inverse_variance(donors: Floats, edges: npt.NDArray[np.int64]) -> Floats:
    """(B, J) weights of :func:`_inverse_variance` without each of the B blocks, from sums: tests by the hundred ask."""
    count, width = donors.shape
    apart = donors - (donors.sum(axis=1) / width)[:, None]
    apart = apart - apart.sum(axis=0) / count
    left = (count - np.diff(edges))[:, None]
    level = -np.add.reduceat(apart, edges[:-1]) / left
    squares = apart * apart
    return _shares((squares.sum(axis=0) - np.add.reduceat(squares, edges[:-1])) / left - level * level)


@dataclass(frozen=True)
class Choice:
    """Which control was chosen on the pre-period, and how the others compared.

    Attributes:
        method: the control.
        scores: control -> predicted standard error of the lift, relative to the best (1 = best).
    """

    method: str
    scores: dict[str, float]


def choose_control(
    target: Floats, donors: Floats, test_length: int, methods: tuple[str, ...] = AUTO
) -> Choice:
    """Choose the control with the smallest predicted standard error, from pre-period levels only.

    The score is the log of the standard error that left-out gaps predict for a test of this length, for the
    treated series plus the mean over the donors nearest in size treated as if they were: one series alone
    would decide on noise. Controls on logs use the donors that are positive throughout, and are left out where
    these are fewer than half.
    """
    positive = (donors > 0).all(axis=0)
    logs_exist = bool((target > 0).all()) and positive.sum() >= max(1, donors.shape[1] / 2)
    everyone = donors
    scores = {}
    for method in methods:
        if is_log(method) and not logs_exist:
            continue
        donors = everyone[:, positive] if is_log(method) else everyone
        near = nearest_in_size(target, donors, 10 if donors.shape[1] <= LARGE else 5)
        own = np.log(_relative_error(method, target, donors, test_length))
        others = [
            np.log(_relative_error(method, donors[:, j], np.delete(donors, j, axis=1), test_length))
            for j in near
        ]
        scores[method] = float(own + (np.mean(others) if donors.shape[1] > 3 else 0.0))
    best = min(scores, key=lambda m: scores[m])
    return Choice(best, {m: float(np.exp((s - scores[best]) / 2)) for m, s in scores.items()})


def nearest_in_size(target: Floats, donors: Floats, count: int) -> list[int]:
    """Donors whose mean is nearest to the target's (by ratio)."""
    size = np.log(np.abs(donors.mean(axis=0)) + 1e-9)
    order = np.argsort(np.abs(size - np.log(abs(float(target.mean())) + 1e-9)), kind="stable")
    return [int(j) for j in order[:count]] if donors.shape[1] > 3 else []


def _relative_error(method: str, target: Floats, donors: Floats, test_length: int) -> float:
    size = 1.0 if is_log(method) else max(abs(float(target.mean())), 1e-12)
    if is_log(method):
        target, donors = np.log(target), np.log(donors)
    residual = left_out_residuals(method, target, donors, test_length)
    rho = max(autocorrelation(residual), 0.0)
    variance = (
        float(residual @ residual) / len(residual) * mean_difference_variance(rho, len(target), test_length)
    )
    return max(float(np.sqrt(variance)) / size, 1e-12)
