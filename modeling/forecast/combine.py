"""Choice: a weighted combination per series, its weights drawn towards the pool's.

Pool weights minimise the pinball loss at the median (half the absolute error), volume-tempered, on the simplex
(exponentiated gradient, Kivinen and Warmuth 1997) and are drawn towards weights by rank of loss. A series tilts
them by its own losses as far as leaving out one origin at a time shows that tilting helps. Because weights move
little when an origin is added, the choice is stable from week to week.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modeling.forecast.backtest import Backtest
from modeling.forecast.panel import Array, Mask

TILTS = (0.0, 1.0, 2.0, 4.0)
MAX_ROWS = 24_000
#: A single model replaces the combination only where it is better by this share beyond two and a half standard errors.
CHAMPION_MARGIN = 0.05


@dataclass(frozen=True)
class Choice:
    """Weights and what they give.

    Attributes:
        weights: (S, M) weights, each row sums to 1.
        pool: (M,) the pool's weights.
        tilt: strength of the series' own tilt.
        out_of_origin: (O, S, H) the combination at each origin with weights that never saw that origin.
        final: (S, H) forecasts from the end of history.
        label: per series, "combination" or the name of the one model used.
    """

    weights: Array
    pool: Array
    tilt: float
    out_of_origin: Array
    final: Array
    label: list[str]


def choose(back: Backtest, level: Array, seed: int) -> Choice:
    """Weights from the backtests.

    Args:
        back: forecasts and outcomes.
        level: (S,) size of the series in units of y.
        seed: for drawing rows where there are very many.
    """
    models, count = len(back.models), len(level)
    origins = len(back.cutoffs)
    value = 1.0 / np.maximum(level, 1e-12) ** 0.5
    recency: Array = np.power(0.85, np.arange(origins)[::-1]).astype(np.float64)
    loss = _losses(back)
    pools = {
        left_out: _pool(back, loss, value, recency, left_out, seed)
        for left_out in (None, *(range(origins) if origins > 1 else ()))
    }

    def without(origin: int | None, eta: float) -> Array:
        return _tilted(back, loss, value, pools[origin], origin, eta)

    scored = {
        eta: np.stack([_apply(back.forecast[:, o], without(o, eta)) for o in range(origins)])
        if origins > 1
        else None
        for eta in TILTS
    }
    tilt = 0.0
    if origins >= 3 and count > 1:
        costs = {eta: _cost(back, f, value, recency) for eta, f in scored.items() if f is not None}
        tilt = min(costs, key=lambda eta: (round(costs[eta] / max(costs[0.0], 1e-12), 3), eta))
    weights, pool = without(None, tilt), pools[None].weights
    out = scored[tilt]
    if out is None:
        out = np.stack([_apply(back.forecast[:, o], weights) for o in range(origins)])
    label = ["combination"] * count
    champion = _champions(back, loss, out)
    for s in range(count):
        m = champion[s]
        if m >= 0 and np.isfinite(back.final[m, s]).all():
            weights[s] = np.eye(models)[m]
            label[s] = back.models[m]
            out[:, s] = np.where(np.isfinite(back.forecast[m, :, s]), back.forecast[m, :, s], out[:, s])
    return Choice(weights, pool, tilt, out, _apply(back.final, weights), label)


def _losses(back: Backtest) -> Array:
    """(M, O, S) mean absolute error, NaN where nothing can be compared."""
    size = back.valid.sum(axis=2)
    error = np.where(back.valid, np.abs(back.forecast - np.nan_to_num(back.actual)), 0.0).sum(axis=3)
    spoken = np.isfinite(back.forecast).all(axis=3)
    return np.where(spoken & (size > 0), error / np.maximum(size, 1), np.nan)


@dataclass(frozen=True)
class _Pool:
    """Weights (M,) over all series: the fitted ones, and those by rank of loss that they are drawn towards."""

    weights: Array
    prior: Array
    fallback: bool


def _others(back: Backtest, left_out: int | None) -> list[int]:
    return [o for o in range(len(back.cutoffs)) if o != left_out] or [0]


def _apart(back: Backtest, origins: list[int]) -> float:
    """How many origins' worth of evidence there is: horizons that overlap tell the same story."""
    cutoffs = np.array([back.cutoffs[o] for o in origins])
    horizon = back.actual.shape[2]
    return float(1.0 + np.minimum(np.diff(cutoffs) / horizon, 1.0).sum())


def _pool(
    back: Backtest, loss: Array, value: Array, recency: Array, left_out: int | None, seed: int
) -> _Pool:
    origins = _others(back, left_out)
    part = loss[:, origins] * value[None, None, :]
    r = recency[origins]
    relative = np.nansum(np.nan_to_num(part) * r[None, :, None], axis=(1, 2)) / np.maximum(
        (np.isfinite(part) * r[None, :, None] * np.nan_to_num(value)[None, None, :]).sum(axis=(1, 2)), 1e-12
    )
    finite = np.asarray(np.isfinite(back.final).all(axis=2))
    speaks = finite.any(axis=1)
    if (
        finite.mean(axis=1) >= 0.5
    ).any():  # a model that was run on a sample may become a champion, not a part
        speaks &= finite.mean(axis=1) >= 0.5
    usable = np.isfinite(part).any(axis=(1, 2)) & speaks
    if not usable.any():
        flat = speaks / max(speaks.sum(), 1)
        return _Pool(flat, flat, fallback=True)
    best = relative[usable].min()
    apart = _apart(back, origins)
    power = 12.0 * apart / (apart + 2.0)
    prior = np.where(usable, np.exp(-power * np.log(np.maximum(relative, 1e-12) / max(best, 1e-12))), 0.0)
    prior /= prior.sum()
    fitted = _gradient(back, value, recency, origins, prior, seed)
    strength = apart * min(len(value), 40) / 40.0
    return _Pool((strength * fitted + prior) / (strength + 1.0), prior, fallback=False)


def _tilted(
    back: Backtest, loss: Array, value: Array, pool: _Pool, left_out: int | None, tilt: float
) -> Array:
    """(S, M) weights of the series: the pool's, tilted by their own losses at the origins not left out."""
    weights = np.tile(pool.weights, (len(value), 1))
    if pool.fallback:
        return weights
    origins = _others(back, left_out)
    if tilt > 0 and len(origins) > 1:
        base = 0.85 * pool.weights + 0.15 * pool.prior
        own = _mean(loss[:, origins] * value[None, None, :], 1)
        typical = np.maximum(_mean(own, 0)[None], 1e-12)
        log_own = np.log(np.maximum(own, 1e-3 * typical) / typical)
        shared = _mean(log_own, 1)[:, None]
        apart = _apart(back, origins)
        shrink = apart / (apart + 3.0)
        moved = np.nan_to_num(-tilt * shrink * (log_own - shared))
        weights = base[None, :] * np.exp(np.clip(moved.T, -4.0, 4.0))
    weights = np.where(np.isfinite(back.final).all(axis=2).T, weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, weights / np.maximum(total, 1e-12), 1.0 / weights.shape[1]))


def _mean(values: Array, axis: int) -> Array:
    """Mean over an axis of the finite values, NaN where there is none."""
    seen = np.isfinite(values)
    size = seen.sum(axis=axis)
    total = np.where(seen, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(size > 0, total / np.maximum(size, 1), np.nan))


def _gradient(
    back: Backtest, value: Array, recency: Array, origins: list[int], prior: Array, seed: int
) -> Array:
    """Simplex weights of least weighted absolute error, by exponentiated gradient from ``prior``."""
    keep = np.flatnonzero(prior > 0)
    f = back.forecast[keep][:, origins]
    ok = back.valid[origins] & np.isfinite(f).all(axis=0)
    if ok.sum() < 20:
        return prior
    weight = (recency[origins][:, None, None] * value[None, :, None]) * np.ones(ok.shape)
    x, y, w = f[:, ok], back.actual[origins][ok], weight[ok]
    if x.shape[1] > MAX_ROWS:
        rows = np.sort(np.random.default_rng([seed, 17]).choice(x.shape[1], MAX_ROWS, replace=False))
        x, y, w = x[:, rows], y[rows], w[rows]
    total = float((w * np.abs(y)).sum())
    if total <= 0:
        return prior
    w = w / total
    current = 0.7 * prior[keep] / prior[keep].sum() + 0.3 / len(keep)
    average = np.zeros_like(current)
    steps = 240
    for i in range(steps):
        slope = x @ (w * np.sign(current @ x - y))
        slope -= slope @ current
        rate = 6.0 / (1.0 + i / 40.0)
        current = current * np.exp(np.clip(-rate * slope, -1.0, 1.0))
        current /= current.sum()
        if i >= steps // 2:
            average += current
    out = np.zeros(len(prior))
    out[keep] = average / average.sum()
    return out


def _apply(forecast: Array, weights: Array) -> Array:
    """(S, H) weighted mean of (M, S, H) forecasts, weights of silent models spread over the others."""
    spoken = np.isfinite(forecast)
    w = weights.T[:, :, None] * spoken
    total = w.sum(axis=0)
    mean = (w * np.nan_to_num(forecast)).sum(axis=0) / np.maximum(total, 1e-12)
    fallback = np.where(spoken, np.nan_to_num(forecast), 0.0).sum(axis=0) / np.maximum(spoken.sum(axis=0), 1)
    return np.asarray(np.where(total > 1e-9, mean, fallback))


def _cost(back: Backtest, combined: Array, value: Array, recency: Array) -> float:
    error = np.where(back.valid, np.abs(combined - np.nan_to_num(back.actual)), 0.0)
    return float((error * recency[:, None, None] * value[None, :, None]).sum())


def _champions(back: Backtest, loss: Array, combined: Array) -> Array:
    """(S,) index of the one model that clearly beats the combination, or -1."""
    size = np.maximum(back.valid.sum(axis=2), 1)
    own = np.where(back.valid, np.abs(combined - np.nan_to_num(back.actual)), 0.0).sum(axis=2) / size
    judged: Mask = (back.valid.sum(axis=2) > 0).sum(axis=0) >= 4
    gain = (loss - own[None]) / np.maximum(own[None], 1e-12)
    n = np.isfinite(gain).sum(axis=1)
    mean = np.nansum(gain, axis=1) / np.maximum(n, 1)
    spread = np.sqrt(np.nansum((gain - mean[:, None]) ** 2, axis=1) / np.maximum(n - 1, 1) / np.maximum(n, 1))
    clear = (mean + 2.5 * spread < -CHAMPION_MARGIN) & (n >= 4) & judged[None, :]
    score = np.where(clear, mean, np.inf)
    best = np.argmin(score, axis=0)
    return np.where(np.isfinite(score.min(axis=0)), best, -1)
