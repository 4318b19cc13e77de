"""Made-up panels with known returns, for the mix model's studies. Drawn from a seed; independent of the package's
own transformations and of the demo world's simulator.

A kind says how large the panel is, how much unseen demand drifts (relative to the spread of the whole media effect),
how noisy it is (relative to the base), and what else is hard about it: budgets that follow unseen demand, budgets that
follow the season, families outside the model's grid (log saturation, Weibull carryover), experiments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from modeling.mmm.panel import LiftTest, Panel

BASE = 1000.0


@dataclass(frozen=True)
class Kind:
    """`zero`: one channel does nothing. `chasers`: so many channels follow unseen demand within the week.
    `lift`: standard error of one test per channel, relative to its effect (0: none). `swing` scales season and trend.
    `form`: additive; product, where what media adds is in proportion to everything else; exponential, where each
    channel multiplies sales and so do season, price, demand and noise."""

    geos: int = 1
    weeks: int = 156
    channels: int = 6
    drift: float = 0.15
    noise: float = 0.03
    chasers: int = 0
    seasonal: bool = False
    saturations: tuple[str, ...] = ("hill", "negexp", "logistic")
    carryovers: tuple[str, ...] = ("geometric", "geometric", "delayed")
    lift: float = 0.0
    zero: bool = True
    swing: float = 1.0
    form: str = "additive"


_LIFT = 0.1
KINDS: dict[str, Kind] = {
    "clean": Kind(channels=4, drift=0.1, noise=0.015),
    "easy": Kind(),
    "seasonal": Kind(seasonal=True),
    "other-family": Kind(saturations=("log", "hill"), carryovers=("weibull", "geometric")),
    "drifting": Kind(drift=1.0, noise=0.02),
    "hard": Kind(drift=1.0, noise=0.05),
    "confounded": Kind(drift=1.0, noise=0.04, chasers=2),
    "geo": Kind(geos=8, weeks=104, channels=4),
    "swinging": Kind(channels=4, noise=0.02, swing=3.0),
    "product": Kind(channels=4, noise=0.02, swing=3.0, form="product"),
    "exponential": Kind(channels=4, noise=0.02, swing=3.0, form="exponential"),
    "geo-product": Kind(geos=8, weeks=104, channels=4, swing=3.0, form="product"),
    "geo-wide": Kind(geos=20, weeks=156, channels=4, drift=0.5, noise=0.05),
}
KINDS |= {f"{k}-lift": replace(KINDS[k], lift=_LIFT) for k in ("clean", "easy", "hard", "confounded", "geo")}


@dataclass(frozen=True)
class World:
    """panel; truth (C,) returns; chasers: positions; effect (C, G, T) and unseen demand (G, T), in KPI; curves: each
    channel's saturation, its scale in spend per size, its shape, its carryover."""

    panel: Panel
    truth: np.ndarray
    chasers: frozenset[int]
    effect: np.ndarray
    demand: np.ndarray
    noise_sd: float
    curves: tuple[tuple[str, float, float, tuple[str, float, float]], ...]


def carry(x: np.ndarray, kind: str, first: float, second: float) -> np.ndarray:
    """Carryover over thirteen weeks: geometric (decay), delayed (decay, peak), weibull density (shape, scale)."""
    lag = np.arange(13.0)
    if kind == "geometric":
        weight = first**lag
    elif kind == "delayed":
        weight = first ** ((lag - second) ** 2)
    else:
        z = (lag + 0.5) / second
        weight = z ** (first - 1) * np.exp(-(z**first))
    weight = weight / weight.sum()
    out = np.zeros_like(x)
    for k, w in enumerate(weight):
        out[..., k:] += w * x[..., : x.shape[-1] - k]
    return out


def curve(z: np.ndarray, kind: str, half: float, shape: float) -> np.ndarray:
    """Saturation with scale `half`; `shape` is the Hill exponent."""
    if kind == "hill":
        return z**shape / (z**shape + half**shape)
    if kind == "negexp":
        return 1 - np.exp(-z / half)
    if kind == "log":
        return np.log1p(z / half)
    return (1 - np.exp(-z / half)) / (1 + np.exp(-z / half))


def drift(rng: np.random.Generator, periods: int) -> np.ndarray:
    """A random walk or a slow mean reversion, of zero mean and unit spread."""
    steps = rng.normal(0, 1, periods)
    d = np.cumsum(steps)
    if rng.uniform() < 0.5:
        d = np.zeros(periods)
        for i in range(1, periods):
            d[i] = 0.95 * d[i - 1] + steps[i]
    return (d - d.mean()) / d.std()


def _carryover(rng: np.random.Generator, kind: str) -> tuple[str, float, float]:
    if kind == "weibull":
        return kind, float(rng.uniform(0.8, 2.5)), float(rng.uniform(1.0, 4.0))
    return kind, float(rng.uniform(0.1, 0.8)), float(rng.uniform(0.5, 2.5))


def make_world(seed: int, kind: Kind) -> World:
    """One world of the kind."""
    rng = np.random.default_rng(seed)
    g, t, n = kind.geos, kind.weeks, kind.channels
    size = np.exp(rng.normal(0, 0.6, g)) if g > 1 else np.ones(1)
    weeks, demand = np.arange(t), drift(rng, t)
    chasers = set(range(kind.chasers))
    nothing = ({int(rng.integers(0, n))} if kind.zero else set()) - chasers
    share = rng.dirichlet(np.full(n, 3.0))
    phase = rng.uniform(0, 6)
    season = np.sin(2 * np.pi * weeks / 52.18 + phase)
    spend, effect = np.zeros((n, g, t)), np.zeros((n, g, t))
    curves: list[tuple[str, float, float, tuple[str, float, float]]] = []
    makers: list[tuple[Callable[[np.ndarray], np.ndarray], float]] = []
    for c in range(n):
        log = np.zeros((g, t))
        for k in range(g):
            for i in range(1, t):
                log[k, i] = 0.6 * log[k, i - 1] + rng.normal(0, 0.45)
        on = np.ones((g, t))
        if c in chasers:
            log = 0.6 * log + 0.7 * demand
        elif kind.seasonal and c % 2 == 0:
            log = 0.6 * log + 0.6 * season
        elif rng.uniform() < 0.5:
            on = (np.cumsum(rng.uniform(size=(g, t)) < 0.1, axis=1) % 2 == 0).astype(float)
            on[:, 0] = 1.0
        x = np.exp(log) * on * size[:, None]
        family = str(rng.choice(list(kind.saturations)))
        kernel = _carryover(rng, str(rng.choice(list(kind.carryovers))))
        half = float((x / size[:, None])[x > 0].mean() * np.exp(rng.normal(0.1, 0.5)))
        shape = float(rng.uniform(0.8, 2.2))
        own = np.exp(rng.normal(0, 0.25, g)) if g > 1 else np.ones(1)
        target, ratio = BASE * size.sum() * t * 0.3 * share[c], float(np.exp(rng.normal(np.log(1.8), 0.6)))
        unit = target / ratio / x.sum()

        def raw(
            s: np.ndarray,
            family: str = family,
            kernel: tuple[str, float, float] = kernel,
            half: float = half,
            shape: float = shape,
            own: np.ndarray = own,
            unit: float = unit,
        ) -> np.ndarray:
            return (
                curve(carry(s / unit / size[:, None], *kernel), family, half, shape) * (size * own)[:, None]
            )

        spend[c] = x * unit
        money = 0.0 if c in nothing else target / raw(spend[c]).sum()
        effect[c] = raw(spend[c]) * money
        makers.append((raw, money))
        curves.append((family, half * unit, shape, kernel))
    spread = (effect.sum(axis=0) / size[:, None]).mean(axis=0).std()
    level = BASE * (1 + kind.swing * (0.12 * season + 0.1 * weeks / t))
    price = np.tile(rng.normal(0, 1, t), (g, 1))
    local = np.stack([drift(rng, t) for _ in range(g)]) * 0.3 * kind.drift * spread if g > 1 else 0.0
    unseen = (kind.drift * spread * demand + local) * size[:, None]
    error = rng.normal(0, kind.noise * BASE, (g, t)) * size[:, None]
    rest = (level - 0.04 * BASE * price) * size[:, None] + unseen
    if kind.form == "additive":
        kpi = rest + error + effect.sum(axis=0)
    else:
        share = effect / (BASE * size[:, None])
        steady = (
            np.exp(level / BASE - 1 - 0.04 * price + unseen / (BASE * size[:, None])) * BASE * size[:, None]
        )
        grown = steady * (np.exp(share.sum(axis=0)) if kind.form == "exponential" else 1 + share.sum(axis=0))
        effect = -grown * np.expm1(-share) if kind.form == "exponential" else steady * share
        kpi = grown * np.exp(error / (BASE * size[:, None]))
    tests = [_test(rng, c, spend, effect, makers[c], kind.lift) for c in range(n)] if kind.lift else []
    panel = Panel(
        dates=pd.date_range("2022-01-02", periods=t, freq="7D"),
        geos=tuple(f"g{k:02d}" for k in range(g)),
        channels=tuple(f"c{c}" for c in range(n)),
        kpi=kpi,
        spend=spend,
        exposure=spend,
        size=size,
        money_per_kpi=np.ones((g, t)),
        controls=price[None],
        control_names=("price",),
        lift_tests=tuple(tests),
    )
    truth = effect.sum(axis=(1, 2)) / spend.sum(axis=(1, 2))
    return World(panel, truth, frozenset(chasers), effect, unseen, kind.noise * BASE, tuple(curves))


def _test(
    rng: np.random.Generator,
    c: int,
    spend: np.ndarray,
    effect: np.ndarray,
    made: tuple[Callable[[np.ndarray], np.ndarray], float],
    relative: float,
) -> LiftTest:
    """Four to eight dark weeks, everywhere, measured with the given relative standard error."""
    g, t = spend.shape[1:]
    first = int(rng.integers(20, t - 20))
    last = first + int(rng.integers(4, 9))
    dark = spend[c].copy()
    dark[:, first : last + 1] = 0.0
    gain = float((effect[c] - made[0](dark) * made[1])[:, first : last + 1].sum())
    error = max(relative * (gain if gain > 0 else 0.75 * spend[c][:, first : last + 1].sum()), 1.0)
    return LiftTest(c, first, last, tuple(range(g)), gain + rng.normal(0, error), error)


def oracle(world: World) -> np.ndarray:
    """(C,) returns by generalised least squares that knows every curve, carryover and variance.

    No estimator can be expected to do better than this without prior knowledge: the figure says how hard a kind is.
    Effects that are zero are known to be zero here; national panels only.
    """
    panel = world.panel
    t = panel.shape[1]
    weeks = np.arange(t)
    live = [c for c in range(panel.shape[2]) if world.effect[c].sum() > 0]
    angle = 2 * np.pi * weeks / 52.18
    design = np.stack(
        [
            *(world.effect[c][0] for c in live),
            np.ones(t),
            weeks / t,
            np.sin(angle),
            np.cos(angle),
            panel.controls[0][0],
        ],
        axis=1,
    )
    step = float(np.diff(world.demand[0]).var())
    cover = world.noise_sd**2 * np.eye(t) + step * (np.minimum.outer(weeks, weeks) + 1.0)
    half = np.linalg.cholesky(cover)
    coef = np.linalg.lstsq(np.linalg.solve(half, design), np.linalg.solve(half, panel.kpi[0]), rcond=None)[0]
    out = np.zeros(panel.shape[2])
    out[live] = coef[: len(live)] * world.truth[live]
    return out
