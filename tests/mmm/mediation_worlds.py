"""Panels with a planted mediator, drawn independently of the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MediatedWorld:
    """x, mediator, outcome, proxy (G, T); true direct and indirect effect over the window, in the outcome's unit."""

    x: np.ndarray
    mediator: np.ndarray
    outcome: np.ndarray
    proxy: np.ndarray
    direct: float
    indirect: float


def mediated_world(
    seed: int,
    *,
    geos: int = 40,
    periods: int = 104,
    a: float = 0.5,
    b: float = 0.6,
    c: float = 0.5,
    demand: float = 1.0,
    chasing: float = 0.3,
    reliability: float = 0.6,
) -> MediatedWorld:
    """`demand` moves mediator and outcome (and, by `chasing`, the channel); the proxy reads it with error.

    Demand is a national drift plus each geography's own autoregression and a part that does not last.
    """
    rng = np.random.default_rng(seed)

    def auto(phi: float, shape: tuple[int, int]) -> np.ndarray:
        out = np.zeros(shape)
        out[:, 0] = rng.normal(0, 1, shape[0])
        for i in range(1, shape[1]):
            out[:, i] = phi * out[:, i - 1] + np.sqrt(1 - phi**2) * rng.normal(0, 1, shape[0])
        return out

    phi = rng.uniform(0.6, 0.95)
    d = auto(0.95, (1, periods)) + auto(phi, (geos, periods)) + 0.3 * rng.normal(0, 1, (geos, periods))
    x = np.maximum(1.5 + auto(rng.uniform(0.3, 0.8), (geos, periods)) * 0.6 + 0.3 * chasing * d, 0.0)
    level = rng.normal(0, 1, (geos, 1))
    mediator = 5 + level + a * x + 0.5 * demand * d + rng.normal(0, 0.5, (geos, periods))
    outcome = (
        50
        + 4 * level
        + c * x
        + b * mediator
        + 0.5 * demand * d
        + rng.normal(0, rng.uniform(0.5, 1.0), (geos, periods))
    )
    noise = np.sqrt((1 - reliability) / reliability) * d.std()
    proxy = d + rng.normal(0, noise, (geos, periods))
    return MediatedWorld(x, mediator, outcome, proxy, float(c * x.sum()), float(a * b * x.sum()))
