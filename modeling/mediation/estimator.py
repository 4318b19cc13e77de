"""Direct and indirect effects by two linear equations, cross-fitted, with block bootstrap intervals.

    mediator = a x + controls + u          outcome = c x + b mediator + controls + v
    indirect = a b,  direct = c,  total = a b + c      (each times the sum of x: the outcome's unit over the window)

`a` and `b` come from different halves of the data (and are averaged over the halves' exchange), so that noise shared
by both equations in one sample does not pass for mediation. Intervals resample whole blocks: geographies where there
are many, runs of weeks otherwise (Kuensch 1989). The reading is causal only if nothing unmeasured moves both the
mediator and the outcome, given the channel and the controls ("sequential ignorability", Imai, Keele and Yamamoto
2010); the estimate cannot test that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modeling.errors import Refusal

Array = NDArray[np.float64]
ASSUMPTION = "no unmeasured cause of both mediator and outcome, given the channel and the controls"
_MIN_ROWS_PER_TERM = 4


@dataclass(frozen=True)
class Effect:
    """An effect with its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Mediation:
    """Result for one channel. verdict: supported (the indirect interval excludes zero and is positive),
    undetermined (wide), or not supported."""

    direct: Effect
    indirect: Effect
    total: Effect
    share: Effect
    verdict: str
    rows: int
    assumption: str = ASSUMPTION


def two_way(values: Array) -> Array:
    """(G, T) without geography and period means."""
    return np.asarray(
        values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean()
    )


def _effects(
    x: Array, m: Array, y: Array, z: Array, half: NDArray[np.bool_], weight: Array
) -> tuple[float, float]:
    """(direct, indirect) slopes of weighted least squares, a and b from opposite halves."""

    def slopes(use: NDArray[np.bool_]) -> tuple[float, float, float]:
        w = np.sqrt(weight[use])
        first = np.column_stack([x[use], z[use]]) * w[:, None]
        second = np.column_stack([x[use], m[use], z[use]]) * w[:, None]
        a = np.linalg.lstsq(first, m[use] * w, rcond=None)[0][0]
        c, b = np.linalg.lstsq(second, y[use] * w, rcond=None)[0][:2]
        return float(a), float(b), float(c)

    a1, b1, c1 = slopes(half)
    a2, b2, c2 = slopes(~half)
    return 0.5 * (c1 + c2), 0.5 * (a1 * b2 + a2 * b1)


def mediate(
    x: Array, mediator: Array, outcome: Array, controls: Array, *, seed: int, draws: int = 400, block: int = 8
) -> Mediation:
    """Mediation of one channel.

    Args:
        x: (G, T) the channel's (transformed) pressure, zero without spend.
        mediator, outcome: (G, T).
        controls: (K, G, T); trend and season belong here for one geography. With ten or more geographies their means
            and the periods' means are taken out first.
        seed, draws, block: bootstrap; block is the run of periods drawn together where geographies are few.

    Raises:
        Refusal: too few rows, or a channel or mediator that does not vary.
    """
    g, t = x.shape
    many = g >= 10
    if g * t < _MIN_ROWS_PER_TERM * (len(controls) + 3) + 20:
        raise Refusal(f"{g * t} rows are too few for mediation with {len(controls)} controls")
    if many:
        xs, ms, ys = two_way(x), two_way(mediator), two_way(outcome)
        zs = np.stack([two_way(c) for c in controls]) if len(controls) else np.zeros((0, g, t))
        constant = np.zeros((0, g * t))
    else:
        xs, ms, ys, zs = (v - v.mean(axis=-1, keepdims=True) for v in (x, mediator, outcome, controls))
        constant = np.ones((1, g * t))
    for name, values in (("channel", xs), ("mediator", ms)):
        if values.std() < 1e-12:
            raise Refusal(f"the {name} does not vary, so mediation cannot be seen")
    zs = zs[[k for k in range(len(zs)) if zs[k].std() > 1e-12]]
    flat = (xs.ravel(), ms.ravel(), ys.ravel(), np.concatenate([zs.reshape(len(zs), g * t), constant]).T)
    unit = np.repeat(np.arange(g), t) if many else np.tile(np.arange(t) // block, g)
    n_units = int(unit.max()) + 1
    half = unit % 2 == 0
    total_x = float(x.sum())
    point = np.array(_effects(*flat, half, np.ones(g * t))) * total_x
    rng = np.random.default_rng(seed)
    boot = np.empty((draws, 2))
    for k in range(draws):
        # exponential weights per block: the Bayesian bootstrap, which never leaves a half empty
        boot[k] = np.array(_effects(*flat, half, rng.exponential(size=n_units)[unit])) * total_x
    total = boot.sum(axis=1)

    def effect(value: float, sample: Array) -> Effect:
        low, high = np.quantile(sample, [0.05, 0.95])
        return Effect(float(value), float(low), float(high))

    direct, indirect = effect(point[0], boot[:, 0]), effect(point[1], boot[:, 1])
    whole = effect(point.sum(), total)
    if whole.low > 0:
        share = effect(point[1] / point.sum(), np.clip(boot[:, 1] / total, -5, 5))
    else:
        share = Effect(float("nan"), float("nan"), float("nan"))
    if indirect.low > 0:
        verdict = "supported"
    elif indirect.high <= 0 or indirect.high - indirect.low < 0.5 * abs(whole.value):
        verdict = "not supported"
    else:
        verdict = "undetermined"
    return Mediation(direct, indirect, whole, share, verdict, g * t)
