"""Direct and indirect effects by two linear equations, cross-fitted, with block bootstrap intervals.

    mediator = a x + k d + controls + u          outcome = c x + b mediator + l d + controls + v
    indirect = a b,  direct = c,  total = a b + c      (each times the sum of x: the outcome's unit over the window)

`a` and `b` come from different halves of the data (and are averaged over the halves' exchange), so that noise shared
by both equations in one sample does not pass for mediation. With many geographies, each one's mean and each period's
mean are taken out first, so only what sets a place apart in a week counts.

Demand `d` moves mediator and outcome alike and would pass for mediation. A proxy of it that is measured with error
takes only a part of it away; the rest biases `b`. Each proxy is therefore instrumented by its own neighbours in time:
demand lasts, the error of one reading does not (Griliches and Hausman 1986, "Errors in variables in panel data").
Two-stage least squares. Intervals resample whole blocks: geographies where there are many, runs of weeks otherwise
(Kuensch 1989), with exponential weights (Rubin 1981).

The reading is causal only if nothing else moves both mediator and outcome, given channel, controls and demand
("sequential ignorability", Imai, Keele and Yamamoto 2010). Without a usable proxy that is not plausible, and the
verdict is at most `undetermined`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from modeling.errors import Refusal

Array = NDArray[np.float64]
ASSUMPTION = (
    "nothing unmeasured but demand moves both mediator and outcome, given the channel and the controls; "
    "the demand proxy's errors do not last from period to period"
)
_MIN_ROWS_PER_TERM = 4
_MANY = 10
#: First-stage F below which an instrument is weak (Staiger and Stock 1997).
WEAK_F = 10.0


@dataclass(frozen=True)
class Effect:
    """An effect with its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Mediation:
    """Result for one channel.

    verdict: supported (the indirect interval lies above zero and demand is identified), not supported (it reaches
    zero and is narrow, or lies below), undetermined. instrument_f: the weakest proxy's first-stage F (zero without
    proxies). robustness: partial R2 that an unseen cause needs with both mediator and outcome to explain the
    mediator's slope away (Cinelli and Hazlett 2020). samples (S, 2): draws of direct and indirect effect.
    """

    direct: Effect
    indirect: Effect
    total: Effect
    share: Effect
    verdict: str
    rows: int
    instrument_f: float
    robustness: float
    samples: Array
    identified: bool
    assumption: str = ASSUMPTION


def two_way(values: Array) -> Array:
    """(..., G, T) without geography and period means."""
    return np.asarray(
        values
        - values.mean(axis=-1, keepdims=True)
        - values.mean(axis=-2, keepdims=True)
        + values.mean(axis=(-2, -1), keepdims=True)
    )


def robustness_value(t_statistic: float, dof: float) -> float:
    """Partial R2 that a confounder needs with treatment and outcome alike to bring the estimate to zero.

    Cinelli and Hazlett (2020), "Making sense of sensitivity", equation for RV with q = 1.
    """
    f2 = t_statistic**2 / max(dof, 1.0)
    return float(0.5 * (np.sqrt(f2**2 + 4.0 * f2) - f2))


class _System:
    """Cross products of all columns by block, and both equations solved for any weights of the blocks.

    Columns in order: channel, mediator, outcome, proxies (P), controls, then two instruments per proxy.
    """

    def __init__(self, columns: Array, unit: NDArray[np.int_], proxies: int, controls: int) -> None:
        n = int(unit.max()) + 1
        order = np.argsort(unit, kind="stable")
        edges = np.searchsorted(unit[order], np.arange(n + 1))
        sorted_columns = columns[order]
        self.blocks = np.stack(
            [sorted_columns[a:b].T @ sorted_columns[a:b] for a, b in itertools.pairwise(edges)]
        )
        self.proxy = list(range(3, 3 + proxies))
        self.control = list(range(3 + proxies, 3 + proxies + controls))
        self.instrument = list(range(3 + proxies + controls, columns.shape[1]))

    def _solve(self, gram: Array, target: int, exogenous: list[int]) -> Array:
        """2SLS coefficients of `exogenous` and the proxies; without proxies, least squares."""
        right = [*exogenous, *self.proxy]
        inside = [*exogenous, *self.instrument]
        zz = gram[np.ix_(inside, inside)]
        zx, zy = gram[np.ix_(inside, right)], gram[inside, target]
        ridge = 1e-10 * np.diag(np.diag(zz))
        first = np.linalg.solve(zz + ridge, np.column_stack([zx, zy]))
        xx = zx.T @ first[:, :-1]
        return np.asarray(np.linalg.solve(xx + 1e-12 * np.diag(np.diag(xx)), zx.T @ first[:, -1]))

    def slopes(self, weight: Array) -> tuple[float, float, float]:
        """(a, b, c)."""
        gram = np.tensordot(weight, self.blocks, axes=1)
        a = self._solve(gram, 1, [0, *self.control])[0]
        c, b = self._solve(gram, 2, [0, 1, *self.control])[:2]
        return float(a), float(b), float(c)

    def effects(self, weight: Array, half: NDArray[np.bool_]) -> tuple[float, float]:
        """(direct, indirect) slopes, a and b from opposite halves of the blocks."""
        a1, b1, c1 = self.slopes(np.where(half, weight, 0.0))
        a2, b2, c2 = self.slopes(np.where(half, 0.0, weight))
        return 0.5 * (c1 + c2), 0.5 * (a1 * b2 + a2 * b1)

    def weakest_f(self, rows: int) -> float:
        """Smallest first-stage F of the proxies on their instruments, given everything else."""
        gram = self.blocks.sum(axis=0)
        others = [0, 1, *self.control]
        worst = np.inf
        for p in self.proxy:
            rss = []
            for use in (others, [*others, *self.instrument]):
                g = gram[np.ix_(use, use)]
                beta = np.linalg.solve(g + 1e-10 * np.diag(np.diag(g)), gram[use, p])
                rss.append(float(gram[p, p] - gram[use, p] @ beta))
            q = len(self.instrument)
            worst = min(worst, (rss[0] - rss[1]) / q / max(rss[1] / max(rows - len(others) - q, 1), 1e-300))
        return float(worst) if self.proxy else 0.0


def _neighbours(proxies: Array) -> Array:
    """(2P, G, T) each (centred) proxy one period before and after; at the ends the inner neighbour stands in.

    The period's own reading is put back in with 1 / (T - 1): a neighbour less the mean of all periods but this one is
    free of this period's error, a neighbour less the mean of all is not.
    """
    before, after = np.roll(proxies, 1, axis=2), np.roll(proxies, -1, axis=2)
    before[:, :, 0], after[:, :, -1] = proxies[:, :, 1], proxies[:, :, -2]
    own = proxies / (proxies.shape[2] - 1)
    return np.concatenate([before + own, after + own])


def _widen(sample: Array, blocks: int, rows: int, terms: int) -> Array:
    """Bootstrap draws (S, 2) widened for few blocks (Student's t quantile over the normal one) and for the degrees
    of freedom that `terms` take from each half of the `rows`."""
    dof = max(blocks / 2.0 - 1.0, 2.0)
    factor = float(stdtrit(dof, 0.95)) / 1.6449 * np.sqrt((dof + 1.0) / dof)
    factor *= float(np.sqrt(rows / max(rows - 2.0 * terms, 0.25 * rows)))
    middle = np.median(sample, axis=0)
    return np.asarray(middle + (sample - middle) * factor)


def mediate(
    x: Array,
    mediator: Array,
    outcome: Array,
    controls: Array,
    *,
    seed: int,
    proxies: Array | None = None,
    draws: int = 400,
    block: int = 8,
) -> Mediation:
    """Mediation of one channel.

    Args:
        x: (G, T) the channel's (transformed) pressure, zero without spend.
        mediator, outcome: (G, T).
        controls: (K, G, T), measured without error; trend and season belong here for one geography. With ten or more
            geographies their means and the periods' means are taken out first.
        seed, draws, block: bootstrap; block is the run of periods drawn together where geographies are few.
        proxies: (P, G, T) readings of demand with errors that do not last; instrumented by their neighbours.

    Raises:
        Refusal: too few rows, or a channel or mediator that does not vary.
    """
    g, t = x.shape
    many = g >= _MANY
    demand = np.zeros((0, g, t)) if proxies is None else proxies
    if g * t < _MIN_ROWS_PER_TERM * (len(controls) + len(demand) + 3) + 20:
        raise Refusal(f"{g * t} rows are too few for mediation with {len(controls)} controls")

    def centred(v: Array) -> Array:
        return two_way(v) if many else np.asarray(v - v.mean(axis=-1, keepdims=True))

    stack = [centred(v) for v in (x, mediator, outcome)]
    for name, values in (("channel", stack[0]), ("mediator", stack[1])):
        if values.std() < 1e-12:
            raise Refusal(f"the {name} does not vary, so mediation cannot be seen")
    demand = _live(np.stack([centred(d) for d in demand]) if len(demand) else demand)
    fixed = _live(np.stack([centred(c) for c in controls]) if len(controls) else np.zeros((0, g, t)))
    columns = np.concatenate([np.stack(stack), demand, fixed, _neighbours(demand)]).reshape(-1, g * t).T
    scale = columns.std(axis=0)
    columns = columns / np.where(scale > 0, scale, 1.0)
    unit = np.repeat(np.arange(g), t) if many else np.tile(np.arange(t) // block, g)
    system = _System(columns, unit, len(demand), len(fixed))
    n_units = len(system.blocks)
    half = np.arange(n_units) % 2 == 0
    total_x = float(x.sum()) * scale[2] / scale[0]
    point = np.array(system.effects(np.ones(n_units), half)) * total_x
    rng = np.random.default_rng(seed)
    boot, slope = np.empty((draws, 2)), np.empty(draws)
    for k in range(draws):
        weight = rng.exponential(size=n_units)
        boot[k] = np.array(system.effects(weight, half)) * total_x
        slope[k] = system.slopes(weight)[1]
    f = system.weakest_f(g * t)
    t_value = float(slope.mean() / max(float(slope.std()), 1e-300))
    dof = float(n_units if many else g * t - columns.shape[1])
    return _reading(
        point,
        _widen(boot, n_units, g * t, 3 + len(demand) + len(fixed)),
        many and f >= WEAK_F,
        g * t,
        f,
        robustness_value(t_value, dof),
    )


def _reading(
    point: Array, samples: Array, identified: bool, rows: int, f: float, robustness: float
) -> Mediation:
    """Effects, shares and verdict from a point (direct, indirect) and its draws (S, 2)."""

    def effect(value: float, sample: Array) -> Effect:
        low, high = np.quantile(sample, [0.05, 0.95])
        return Effect(float(value), float(low), float(high))

    total = samples.sum(axis=1)
    direct, indirect = effect(point[0], samples[:, 0]), effect(point[1], samples[:, 1])
    whole = effect(point.sum(), total)
    if whole.low > 0:
        share = effect(point[1] / point.sum(), np.clip(samples[:, 1] / total, -5, 5))
    else:
        share = Effect(float("nan"), float("nan"), float("nan"))
    if indirect.low > 0:
        verdict = "supported" if identified else "undetermined"
    elif indirect.high <= 0 or indirect.high - indirect.low < 0.5 * abs(whole.value):
        verdict = "not supported"
    else:
        verdict = "undetermined"
    return Mediation(direct, indirect, whole, share, verdict, rows, f, robustness, samples, identified)


def averaged(readings: list[Mediation]) -> Mediation:
    """One answer from several functional forms of the same question: their draws pooled with equal weight.

    No form is known to be right, so their disagreement belongs in the interval. Point: mean of the points.
    """
    point = np.mean([[r.direct.value, r.indirect.value] for r in readings], axis=0)
    return _reading(
        point,
        np.concatenate([r.samples for r in readings]),
        all(r.identified for r in readings),
        readings[0].rows,
        min(r.instrument_f for r in readings),
        min(r.robustness for r in readings),
    )


def _live(columns: Array) -> Array:
    """Columns (K, G, T) that vary."""
    return columns[[k for k in range(len(columns)) if columns[k].std() > 1e-12]]
