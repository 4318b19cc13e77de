"""Simulated geo panels with a known counterfactual, for studying coverage and power.

Each function returns the mean treated geography, its counterfactual, its donors and the pre-period length.
``textbook``, ``outlier``, ``nine_donors`` and ``short_history`` follow the published description of
the Recast study of four geo tools (shared growth of 0.1 % a day, +-10 % week, log-normal sizes, AR(1) 0.3 noise
of 20 % scaled by the root of size, one treated geography of median size, 7.5 % effect); the draws are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draw:
    """One panel: (T,) observed and counterfactual of the treated mean, (T, J) donors, periods before the test.

    ``media`` and ``covariates`` are what an analyst would know of each place, (T, 1 + J), the treated mean first.
    """

    observed: Floats
    counterfactual: Floats
    donors: Floats
    pre: int
    media: dict[str, Floats] = field(default_factory=dict)
    covariates: dict[str, Floats] = field(default_factory=dict)


WEEK = np.array([-1.0, -0.5, 0.0, 0.2, 0.8, 1.0, 0.5])


def _ar(rng: np.random.Generator, periods: int, series: int, rho: float, burn: int = 60) -> Floats:
    shocks = rng.standard_normal((periods + burn, series))
    out = np.zeros_like(shocks)
    for t in range(1, len(out)):
        out[t] = rho * out[t - 1] + shocks[t]
    return out[burn:]


def _pull_out(
    values: Floats, treated: NDArray[np.int64], pre: int, *, times: float = 0.0, plus: float = 0.0
) -> Draw:
    counterfactual = values[:, treated].mean(axis=1)
    observed = counterfactual.copy()
    observed[pre:] = observed[pre:] * (1 + times) + plus
    return Draw(observed, counterfactual, np.delete(values, treated, axis=1), pre)


def _study(
    rng: np.random.Generator,
    effect: float,
    *,
    donors: int = 20,
    pre: int = 90,
    boost: float = 1.0,
    shock: bool = False,
) -> Draw:
    test = 15
    size = np.sort(rng.lognormal(np.log(4000) - 0.18, 0.6, donors + 1))
    treated = int(np.argmin(np.abs(size - np.median(size))))
    day = np.arange(1, pre + test + 1)
    shape = (1 + 0.001 * day) * (1 + 0.1 * WEEK[(day - 1) % 7])
    level = size.copy()
    level[treated] *= boost
    noise = _ar(rng, pre + test, donors + 1, 0.3)
    values = level * shape[:, None] * np.exp(0.2 * np.sqrt(size / size.mean()) * noise)
    if shock:
        hit = (treated + 1 + int(rng.integers(donors))) % (donors + 1)
        values[pre:, hit] *= rng.choice([0.5, 1.8])
    return _pull_out(values, np.array([treated]), pre, times=effect)


def textbook(rng: np.random.Generator, effect: float) -> Draw:
    """20 donors, 90 + 15 days, multiplicative."""
    return _study(rng, effect)


def outlier(rng: np.random.Generator, effect: float) -> Draw:
    """The treated geography is five times its size."""
    return _study(rng, effect, boost=5.0)


def nine_donors(rng: np.random.Generator, effect: float) -> Draw:
    """A small pool."""
    return _study(rng, effect, donors=9)


def short_history(rng: np.random.Generator, effect: float) -> Draw:
    """30 days before a test of 15."""
    return _study(rng, effect, pre=30)


def donor_shock(rng: np.random.Generator, effect: float) -> Draw:
    """One donor halves or grows by 80 % when the test starts."""
    return _study(rng, effect, shock=True)


def additive(
    rng: np.random.Generator, effect: float, donors: int = 25, pre: int = 90, test: int = 15
) -> Draw:
    """Levels: additive factors with different loadings, AR(1) noise, an effect in units."""
    t = np.arange(pre + test)
    size = rng.uniform(1500, 6000, donors + 1)
    factors = np.column_stack(
        [np.sin(2 * np.pi * t / 7 + rng.uniform(0, 6)), np.cumsum(rng.standard_normal(len(t))) / 8]
    )
    loading = rng.uniform(0.3, 1.0, (donors + 1, 2)) * 300
    noise = _ar(rng, len(t), donors + 1, 0.4) * rng.uniform(80, 200, donors + 1)
    treated = int(np.argsort(size)[len(size) // 2])
    return _pull_out(
        size + factors @ loading.T + noise, np.array([treated]), pre, plus=effect * float(size[treated])
    )


def additive_few(rng: np.random.Generator, effect: float) -> Draw:
    """Levels, six donors, 40 + 10 days."""
    return additive(rng, effect, donors=6, pre=40, test=10)


def factors(rng: np.random.Generator, effect: float) -> Draw:
    """Multiplicative, geographies load differently on a week, a random walk and a slow cycle."""
    pre, test, donors = 80, 20, 30
    t = np.arange(pre + test)
    common = np.column_stack(
        [
            0.1 * WEEK[t % 7],
            np.cumsum(rng.standard_normal(len(t))) * 0.03,
            _ar(rng, len(t), 1, 0.9)[:, 0] * 0.05,
        ]
    )
    loading = 1 + rng.normal(0, 0.4, (donors + 1, 3))
    noise = _ar(rng, len(t), donors + 1, 0.3) * rng.uniform(0.05, 0.12, donors + 1)
    values = rng.lognormal(8, 0.7, donors + 1) * np.exp(common @ loading.T + noise)
    return _pull_out(values, np.array([rng.integers(donors + 1)]), pre, times=effect)


def weekly(rng: np.random.Generator, effect: float) -> Draw:
    """60 + 8 weeks, three treated of 43 geographies, season and drift with different loadings."""
    pre, test, donors, treated = 60, 8, 40, 3
    t = np.arange(pre + test)
    common = np.column_stack(
        [0.2 * np.sin(2 * np.pi * t / 52 + 1), np.cumsum(rng.standard_normal(len(t))) * 0.02]
    )
    loading = 1 + rng.normal(0, 0.25, (donors + treated, 2))
    noise = _ar(rng, len(t), donors + treated, 0.5) * rng.uniform(0.03, 0.09, donors + treated)
    values = rng.lognormal(9, 0.9, donors + treated) * np.exp(common @ loading.T + noise)
    return _pull_out(values, rng.choice(donors + treated, treated, replace=False), pre, times=effect)


def counts(rng: np.random.Generator, effect: float) -> Draw:
    """Small Poisson counts, zero on some days; the effect is a fixed share of the counts."""
    pre, test, donors = 60, 14, 15
    t = np.arange(pre + test)
    shape = np.exp(0.15 * WEEK[t % 7] + 0.1 * np.sin(2 * np.pi * t / 45))
    rate = (
        rng.lognormal(3.5, 0.6, donors + 1) * shape[:, None] * np.exp(0.1 * _ar(rng, len(t), donors + 1, 0.3))
    )
    values = rng.poisson(rate).astype(np.float64)
    return _pull_out(values, np.array([rng.integers(donors + 1)]), pre, times=effect)


def drift(rng: np.random.Generator, effect: float) -> Draw:
    """Every geography has a random walk of its own: the hard case for any control."""
    pre, test, donors = 90, 15, 20
    t = np.arange(pre + test)
    walk = np.cumsum(rng.standard_normal((len(t), donors + 1)), axis=0) * 0.006
    noise = 0.06 * rng.standard_normal((len(t), donors + 1))
    values = rng.lognormal(8, 0.6, donors + 1) * np.exp(0.1 * WEEK[t % 7][:, None] + walk + noise)
    return _pull_out(values, np.array([rng.integers(donors + 1)]), pre, times=effect)


def _places(rng: np.random.Generator, places: int, weeks: int, noise: float) -> Floats:
    """(T, G) weekly sales without media: sizes, one season felt a little differently, AR(1) noise."""
    t = np.arange(weeks)
    season = 0.12 * np.sin(2 * np.pi * t / 52 + rng.uniform(0, 6)) + np.cumsum(rng.normal(0.0, 0.006, weeks))
    loading = 1 + rng.normal(0.0, 0.15, places)
    own = _ar(rng, weeks, places, 0.4) * rng.uniform(0.6, 1.4, places) * noise
    return np.asarray(rng.lognormal(9, 0.7, places) * np.exp(season[:, None] * loading + own))


def _bought(rng: np.random.Generator, places: int, weeks: int, pre: int) -> Floats:
    """(T, G) spend of one channel per unit of size: bursts in some places, and a heavier one from before the test."""
    spend = np.zeros((weeks, places))
    t = int(rng.integers(0, 6))
    while t < weeks:
        length = int(rng.integers(3, 9))
        where = rng.random(places) < 0.6
        spend[t : t + length, where] = rng.uniform(0.4, 1.2) * np.exp(rng.normal(0.0, 0.4, int(where.sum())))
        t += length + int(rng.integers(2, 7))
    late = pre - int(rng.integers(1, 4))
    spend[late:] += rng.uniform(0.8, 2.0) * np.exp(rng.normal(0.0, 0.5, places))
    return spend


def _sold_by(rng: np.random.Generator, spend: Floats, strength: float) -> Floats:
    """(T, G) extra sales as a share of size: carry-over, diminishing returns, places that respond differently."""
    keep, power = rng.uniform(0.2, 0.75), rng.uniform(0.5, 0.9)
    carried = np.zeros_like(spend)
    for t in range(len(spend)):
        carried[t] = (keep * carried[t - 1] if t else 0.0) + (1 - keep) * spend[t]
    return np.asarray(strength * np.exp(rng.normal(0.0, 0.2, spend.shape[1])) * carried**power)


def _treated_first(values: Floats, treated: NDArray[np.int64]) -> Floats:
    return np.column_stack([values[:, treated].mean(axis=1), np.delete(values, treated, axis=1)])


def uneven_media(rng: np.random.Generator, effect: float, told: bool = True) -> Draw:
    """60 + 6 weeks, four treated of 30: four other channels are bought in bursts in some places, more in the test."""
    pre, weeks, places, treated = 60, 66, 30, 4
    base = _places(rng, places, weeks, 0.04)
    size = base.mean(axis=0)
    media, extra = {}, np.zeros_like(base)
    for channel in range(4):
        spend = _bought(rng, places, weeks, pre)
        extra += _sold_by(rng, spend, rng.uniform(0.02, 0.07))
        media[f"channel {channel}"] = spend * size
    own = rng.choice(places, treated, replace=False)
    draw = _pull_out(base + extra * size, own, pre, times=effect)
    known = {name: _treated_first(spend, own) for name, spend in media.items()} if told else {}
    return replace(draw, media=known)


def uneven_media_untold(rng: np.random.Generator, effect: float) -> Draw:
    """The same, and the analyst has no spend by place."""
    return uneven_media(rng, effect, told=False)


def empty_shelves(rng: np.random.Generator, effect: float) -> Draw:
    """Demand that stock cannot serve, twice as often in the test; shelves are counted with error. 50 + 8 weeks."""
    pre, weeks, places = 50, 58, 24
    wanted = _places(rng, places, weeks, 0.05)
    rate = np.where(np.arange(weeks) < pre, 0.04, 0.10)[:, None]
    starts = rng.random((weeks, places)) < rate
    missing = np.where(starts, rng.uniform(0.1, 0.5, (weeks, places)), 0.0)
    missing[1:] = np.maximum(missing[1:], 0.6 * missing[:-1])
    own = np.array([rng.integers(places)])
    draw = _pull_out(wanted * (1 - missing), own, pre, times=effect)
    seen = np.clip(1 - missing + rng.normal(0.0, 0.02, missing.shape), 0, 1)
    return replace(draw, covariates={"in stock": _treated_first(seen, own)})


def price_moves(rng: np.random.Generator, effect: float) -> Draw:
    """A third of the places change their price at the start of the test, others at other times. 40 + 6 weeks."""
    pre, weeks, places = 40, 46, 20
    steps = np.where(rng.random((weeks, places)) < 0.05, rng.normal(0.0, 0.05, (weeks, places)), 0.0)
    steps[pre] += np.where(rng.random(places) < 0.33, rng.choice([-0.08, 0.06], places), 0.0)
    price = np.cumsum(steps, axis=0)
    elasticity = rng.uniform(-2.5, -1.2) + rng.normal(0.0, 0.2, places)
    own = np.array([rng.integers(places)])
    draw = _pull_out(_places(rng, places, weeks, 0.05) * np.exp(elasticity * price), own, pre, times=effect)
    return replace(draw, covariates={"log price": _treated_first(price, own)})


def two_tests(rng: np.random.Generator, effect: float) -> Draw:
    """Another channel is tested at the same time, from two weeks before, in a third of all places. 52 + 6 weeks."""
    pre, weeks, places, treated = 52, 58, 33, 3
    base = _places(rng, places, weeks, 0.04)
    size = base.mean(axis=0)
    spend = np.where(np.arange(weeks)[:, None] % 13 < 7, 1.0, 0.3) * np.exp(
        rng.normal(0.0, 0.25, (weeks, places))
    )
    spend[pre - 2 :, rng.random(places) < 0.33] *= rng.choice([0.0, 3.0])
    own = rng.choice(places, treated, replace=False)
    draw = _pull_out(base + _sold_by(rng, spend, 0.08) * size, own, pre, times=effect)
    media = {"other test": _treated_first(spend * size, own)}
    return replace(draw, media=media)


KINDS: dict[str, Callable[[np.random.Generator, float], Draw]] = {
    "textbook": textbook,
    "outlier": outlier,
    "nine_donors": nine_donors,
    "short_history": short_history,
    "donor_shock": donor_shock,
    "additive": additive,
    "additive_few": additive_few,
    "factors": factors,
    "weekly": weekly,
    "counts": counts,
    "drift": drift,
    "uneven_media": uneven_media,
    "uneven_media_untold": uneven_media_untold,
    "empty_shelves": empty_shelves,
    "price_moves": price_moves,
    "two_tests": two_tests,
}
