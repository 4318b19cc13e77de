"""Effect of each channel on each segment: an interaction model of purchases by segment, place and week.

Purchases ``y`` of the ``n`` members of segment s in DMA d and week t have the mean

    n * exp(a_s + b_d + g_t + c'z_dt) * (1 + sum_c lift_sc * x_cdt)

where ``x`` is a channel's carried-over, saturated pressure relative to a reference (1 at the reference), ``z`` are
controls, and places and weeks have levels of their own. A lift of 0.10 is ten percent more purchases at reference
pressure. Only geographic variation within a week identifies a lift: a national channel cannot be told from the week.

Estimation is quasi-maximum likelihood for a Poisson mean (Wooldridge 1999, "Distribution-free estimation of some
nonlinear panel data models"), by Newton steps on all parameters at once; the cross products with the place and week
levels are sums of weights, so that no dummy matrix is built. Intervals use the jackknife over places (jackknife.py)
and Student's t with as many degrees of freedom as places less one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import stats

from modeling.errors import InputError, Refusal
from modeling.segments.response.jackknife import jackknife_covariance, place_information

MIN_PLACES = 20
MIN_WEEKS = 12
MIN_EVENTS = 200
MIN_VARIATION = 1e-3  # share of a pressure's variance that is neither of the place nor of the week
MAX_STEPS = 40


@dataclass(frozen=True)
class SegmentLifts:
    """Result of :func:`fit_lifts`.

    Attributes:
        table: one row a segment and channel: segment, channel, effect, std_error, low, high, is_supported, note.
        control_effects: coefficients of the controls (log points per unit).
        dispersion: Pearson chi-square over degrees of freedom; 1 for Poisson counts.
        converged: did the Newton steps settle.
    """

    table: pd.DataFrame
    control_effects: np.ndarray
    dispersion: float
    converged: bool


def own_variation(pressure: np.ndarray, weights: np.ndarray) -> float:
    """Share of the variance of ``pressure`` (D, T) left after place and week means are taken out."""
    total = float(np.average((pressure - np.average(pressure, weights=weights)) ** 2, weights=weights))
    if total <= 0:
        return 0.0
    left = pressure.astype(float)
    for _ in range(20):
        left = left - np.average(left, axis=1, weights=weights + 1e-12)[:, None]
        left = left - np.average(left, axis=0, weights=weights + 1e-12)[None, :]
    return float(np.average(left**2, weights=weights)) / total


def _check(y: np.ndarray, n: np.ndarray, x: np.ndarray, z: np.ndarray) -> None:
    _, d, t = y.shape
    if n.shape != y.shape or x.shape[1:] != (d, t) or z.shape[1:] != (d, t):
        raise InputError(
            f"shapes do not fit: purchases {y.shape}, members {n.shape}, pressure {x.shape}, controls {z.shape}"
        )
    for name, values in (("purchases", y), ("members", n), ("pressure", x), ("controls", z)):
        if not np.isfinite(values).all():
            raise InputError(f"{name} have missing or infinite values")
    if (y < 0).any() or (n < 0).any() or (x < 0).any():
        raise InputError("purchases, members and pressure must not be negative")
    if (y[n == 0] > 0).any():
        raise InputError("purchases where a segment has no members")
    if d < MIN_PLACES or t < MIN_WEEKS:
        raise Refusal(f"{d} places and {t} weeks are too few (at least {MIN_PLACES} and {MIN_WEEKS})")


class _Problem:
    """Mean, score and information of the model; parameters are [lifts (S*C), controls (Q), a (S), b (D-1), g (T-1)]."""

    def __init__(self, y: np.ndarray, n: np.ndarray, x: np.ndarray, z: np.ndarray) -> None:
        self.y, self.n, self.x, self.z = y, n, x, z
        self.s, self.d, self.t = y.shape
        self.c, self.q = len(x), len(z)
        edges = np.cumsum([0, self.s * self.c, self.q, self.s, self.d - 1, self.t - 1])
        self.part = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        self.size = int(edges[-1])

    def start(self) -> np.ndarray:
        theta = np.zeros(self.size)
        theta[self.part[2]] = np.log(self.y.sum(axis=(1, 2)) / self.n.sum(axis=(1, 2)))
        return theta

    def factor(self, theta: np.ndarray) -> np.ndarray:
        lifts = theta[self.part[0]].reshape(self.s, self.c)
        return np.asarray(1 + np.einsum("sc,cdt->sdt", lifts, self.x))

    def mean(self, theta: np.ndarray) -> np.ndarray:
        factor = self.factor(theta)
        level = theta[self.part[2]][:, None, None]
        place = np.concatenate([[0.0], theta[self.part[3]]])[None, :, None]
        week = np.concatenate([[0.0], theta[self.part[4]]])[None, None, :]
        control = np.einsum("q,qdt->dt", theta[self.part[1]], self.z)[None]
        return np.asarray(
            self.n * np.exp(np.clip(level + place + week + control, -30, 30)) * np.maximum(factor, 1e-9)
        )

    def likelihood(self, theta: np.ndarray) -> float:
        if self.factor(theta).min() <= 1e-3:
            return -np.inf
        mean = self.mean(theta)
        live = self.n > 0
        return float((self.y[live] * np.log(mean[live])).sum() - mean.sum())

    def slopes(self, theta: np.ndarray) -> np.ndarray:
        """Derivative of the log mean by a segment's own lifts, (S, C, D, T)."""
        return np.asarray(self.x[None] / np.maximum(self.factor(theta), 1e-9)[:, None])

    def scores(self, theta: np.ndarray, slopes: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Score of each place, (D, parameters)."""
        out = np.zeros((self.d, self.size))
        out[:, self.part[0]] = np.einsum("scdt,sdt->dsc", slopes, residual).reshape(self.d, -1)
        over = residual.sum(axis=0)
        out[:, self.part[1]] = np.einsum("qdt,dt->dq", self.z, over)
        out[:, self.part[2]] = residual.sum(axis=2).T
        rows = np.arange(1, self.d)
        out[rows, self.part[3].start + rows - 1] = over.sum(axis=1)[1:]
        out[:, self.part[4]] = over[:, 1:]
        return out

    def information(self, slopes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Expected information; ``weight`` is the mean, (S, D, T)."""
        h = np.zeros((self.size, self.size))
        lift, control, level, place, week = self.part
        weighted = slopes * weight[:, None]
        own = np.einsum("scdt,sedt->sce", weighted, slopes)
        for s in range(self.s):
            block = slice(s * self.c, (s + 1) * self.c)
            h[block, block] = own[s]
        h[lift, control] = np.einsum("scdt,qdt->scq", weighted, self.z).reshape(self.s * self.c, self.q)
        mass = weighted.sum(axis=(2, 3))
        for s in range(self.s):
            h[s * self.c : (s + 1) * self.c, level.start + s] = mass[s]
        h[lift, place] = weighted.sum(axis=3).reshape(-1, self.d)[:, 1:]
        h[lift, week] = weighted.sum(axis=2).reshape(-1, self.t)[:, 1:]
        over = weight.sum(axis=0)
        h[control, control] = np.einsum("qdt,pdt,dt->qp", self.z, self.z, over)
        h[control, level] = np.einsum("qdt,sdt->qs", self.z, weight)
        h[control, place] = np.einsum("qdt,dt->qd", self.z, over)[:, 1:]
        h[control, week] = np.einsum("qdt,dt->qt", self.z, over)[:, 1:]
        h[level, level] = np.diag(weight.sum(axis=(1, 2)))
        h[level, place] = weight.sum(axis=2)[:, 1:]
        h[level, week] = weight.sum(axis=1)[:, 1:]
        h[place, place] = np.diag(over.sum(axis=1)[1:])
        h[place, week] = over[1:, 1:]
        h[week, week] = np.diag(over.sum(axis=0)[1:])
        return np.asarray(np.triu(h) + np.triu(h, 1).T)


def _newton(problem: _Problem) -> tuple[np.ndarray, bool]:
    theta, value = problem.start(), -np.inf
    value = problem.likelihood(theta)
    for _ in range(MAX_STEPS):
        mean, slopes = problem.mean(theta), problem.slopes(theta)
        score = problem.scores(theta, slopes, problem.y - mean).sum(axis=0)
        step = np.linalg.solve(problem.information(slopes, mean), score)
        size = 1.0
        while size > 1e-6:
            trial = theta + size * step
            moved = problem.likelihood(trial)
            if moved >= value - 1e-10 * abs(value):
                break
            size /= 2
        else:
            return theta, False
        gain, theta, value = moved - value, trial, moved
        if abs(gain) < 1e-9 * abs(value) and np.abs(size * step).max() < 1e-5:
            return theta, True
    return theta, False


def fit_lifts(
    purchases: np.ndarray,
    members: np.ndarray,
    pressure: np.ndarray,
    *,
    segments: Sequence[str],
    channels: Sequence[str],
    controls: np.ndarray | None = None,
    chasing: Sequence[str] = (),
    level: float = 0.90,
) -> SegmentLifts:
    """Fit the lifts of every segment by every channel that geography can identify.

    Args:
        purchases: (S, D, T) counts.
        members: (S, D, T) customers of the segment.
        pressure: (C, D, T) carried-over, saturated pressure, 1 at the reference.
        segments, channels: names of the first axes.
        controls: (Q, D, T), centred by the caller or not.
        chasing: channels whose spend follows local demand. What the controls leave of that demand passes for their
            effect, so that they stay in the model but their lifts are not supported.
        level: confidence of the intervals.

    Raises:
        InputError: shapes, signs or missing values.
        Refusal: too few places, weeks or purchases, or no channel varies by place within a week.
    """
    z = np.zeros((0, *purchases.shape[1:])) if controls is None else np.asarray(controls, dtype=float)
    y, n, x = (np.asarray(v, dtype=float) for v in (purchases, members, pressure))
    _check(y, n, x, z)
    live_place, live_week = y.sum(axis=(0, 2)) > 0, y.sum(axis=(0, 1)) > 0
    live_segment = y.sum(axis=(1, 2)) >= MIN_EVENTS
    if y.sum() < MIN_EVENTS or not live_segment.any():
        raise Refusal(f"{int(y.sum())} purchases are too few: no segment has {MIN_EVENTS}")
    cut = np.ix_(live_segment, live_place, live_week)
    y, n = y[cut], n[cut]
    x, z = x[:, live_place][:, :, live_week], z[:, live_place][:, :, live_week]
    weights = n.sum(axis=0)
    vary = np.array([own_variation(p, weights) for p in x])
    usable = vary > MIN_VARIATION
    if not usable.any():
        raise Refusal(
            "no channel varies between places within a week: effects by segment cannot be told from the week"
        )
    problem = _Problem(y, n, x[usable], z)
    slopes = problem.slopes(problem.start())
    start = problem.information(slopes, problem.mean(problem.start()))
    scale = 1 / np.sqrt(np.diag(start).clip(1e-300))
    if np.linalg.cond(start * scale[:, None] * scale[None, :]) > 1e10:
        raise Refusal(
            "the design of segments and channels is not of full rank: two pressures move together, or segments never share a place"
        )
    theta, converged = _newton(problem)
    mean, slopes = problem.mean(theta), problem.slopes(theta)
    score = problem.scores(theta, slopes, y - mean)
    places = score.shape[0]
    information, kept = place_information(slopes, mean, problem.z)
    lift, control, level_part, _, week = problem.part
    own = np.concatenate([score[:, part] for part in (lift, control, level_part, week)], axis=1)[:, kept]
    covariance = jackknife_covariance(information, own)
    error = np.sqrt(np.diag(covariance)[lift]).reshape(problem.s, problem.c)
    lifts = theta[problem.part[0]].reshape(problem.s, problem.c)
    reach = float(stats.t.ppf(0.5 + level / 2, places - 1))
    freedom = max(int((n > 0).sum()) - problem.size, 1)
    dispersion = float((((y - mean) ** 2)[n > 0] / mean[n > 0]).sum() / freedom)
    table = _table(segments, channels, live_segment, usable, set(chasing), lifts, error, reach)
    return SegmentLifts(table, theta[problem.part[1]], dispersion, converged)


def _table(
    segments: Sequence[str],
    channels: Sequence[str],
    live: np.ndarray,
    usable: np.ndarray,
    chasing: set[str],
    lifts: np.ndarray,
    error: np.ndarray,
    reach: float,
) -> pd.DataFrame:
    rows = []
    for s, segment in enumerate(segments):
        for c, channel in enumerate(channels):
            value = spread = float("nan")
            note = ""
            if not live[s]:
                note = f"fewer than {MIN_EVENTS} purchases"
            elif not usable[c]:
                note = "no variation between places within a week"
            else:
                at = int(live[:s].sum()), int(usable[:c].sum())
                value, spread = float(lifts[at]), float(error[at])
                if channel in chasing:
                    note = "spend follows local demand: an upper bound, only differences between segments can be read"
                elif reach * spread > 0.5:
                    note = "interval wider than one half of the segment's purchases to each side"
            rows.append(
                {
                    "segment": segment,
                    "channel": channel,
                    "effect": value,
                    "std_error": spread,
                    "low": value - reach * spread,
                    "high": value + reach * spread,
                    "is_supported": note == "",
                    "note": note,
                }
            )
    return pd.DataFrame(rows)
