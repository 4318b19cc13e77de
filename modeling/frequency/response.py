"""Response to weekly exposure frequency: a rate per person that rises, then flattens at a knee.

Data: persons reached f times in a week and the click-outs they made. Two shapes are compared:

- hinge: ``rate(f) = a + b min(f, k) + c max(f - k, 0)`` with ``0 <= c``; the knee is k;
- saturating: ``rate(f) = a + b (1 - exp(-f / t))``; the knee is where the next exposure adds a tenth of what
  the first one adds.

Both are fitted by iterated weighted least squares for counts (McCullagh and Nelder 1989, ch. 9: variance
proportional to the mean, dispersion estimated); the better one is kept, and only if it beats a straight line.
People who are reached more often may differ from those reached less: the response is an association within
channel, and says so wherever it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MARGIN = (
    0.10  # saturating shape: share of the first exposure's effect at which the next one counts as too many
)
MIN_GAIN = 10.83  # scaled deviance a knee must save against a straight line (chi-square, 1 df, p = .001)
PASSES = 4


@dataclass(frozen=True)
class Response:
    """A fitted response.

    Attributes:
        shape: "hinge", "saturating" or "straight" (no knee in the observed range).
        knee: exposures per week and person; NaN without a knee.
        slope_before, slope_after: click-outs per person and exposure below and above the knee.
        dispersion: deviance per degree of freedom (1 = Poisson).
        gain: scaled deviance saved against a straight line.
    """

    shape: str
    knee: float
    slope_before: float
    slope_after: float
    dispersion: float
    gain: float

    @property
    def wasted_per_exposure(self) -> float:
        """Share of an exposure beyond the knee that adds nothing, 0 to 1."""
        if not np.isfinite(self.knee) or self.slope_before <= 0:
            return 0.0
        return float(np.clip(1 - self.slope_after / self.slope_before, 0, 1))


def fit_response(frequency: Floats, persons: Floats, actions: Floats, *, step: float = 0.25) -> Response:
    """Fit both shapes to (G,) groups: mean frequency, persons reached, their actions.

    Raises:
        ValueError: fewer than five groups with people, or no action at all.
    """
    used = persons > 0
    f, n, y = frequency[used], persons[used], actions[used]
    if len(f) < 5 or not y.sum() > 0:
        raise ValueError("a response needs five frequency groups with people, and actions")
    straight, _ = _fit([np.column_stack([np.ones_like(f), f])], n, y)
    knots = np.arange(max(f.min() + step, 1.5), f.max() - step, step)
    hinges = [np.column_stack([np.ones_like(f), np.minimum(f, k), np.maximum(f - k, 0)]) for k in knots]
    hinge, at = _fit(hinges, n, y)
    scales = np.geomspace(max(f.min() / 2, 0.25), 4 * f.max(), 60)
    curves = [np.column_stack([np.ones_like(f), 1 - np.exp(-f / t)]) for t in scales]
    curve, bend = _fit(curves, n, y)
    best = min(hinge[0], curve[0])
    dispersion = max(best / max(len(f) - 4, 1), 1.0)
    gain = (straight[0] - best) / dispersion
    if gain < MIN_GAIN:
        slope = float(straight[1][1])
        return Response("straight", float("nan"), slope, slope, dispersion, gain)
    if hinge[0] <= curve[0]:
        knee = _refine(knots, hinges, at, n, y)
        return Response("hinge", knee, float(hinge[1][1]), float(hinge[1][2]), dispersion, gain)
    scale = float(scales[bend])
    knee = -scale * float(np.log(MARGIN))
    before = float(curve[1][1]) * (1 - np.exp(-1.0 / scale))
    return Response("saturating", knee, before, MARGIN * before / 2, dispersion, gain)


def _fit(bases: list[Floats], persons: Floats, actions: Floats) -> tuple[tuple[float, Floats], int]:
    """Best of several bases of one width: ((deviance, coefficients), index). All are solved at once."""
    deviance, beta = _all(np.stack(bases), persons, actions)
    best = int(np.argmin(deviance))
    return (float(deviance[best]), beta[best]), best


def _all(bases: Floats, persons: Floats, actions: Floats) -> tuple[Floats, Floats]:
    """(M,) deviances and (M, P) coefficients of (M, G, P) bases."""
    rate = actions / persons
    mean = actions.sum() / persons.sum()
    floor = mean * 1e-3
    fitted = np.full(bases.shape[:2], mean)
    beta = np.zeros((len(bases), bases.shape[2]))
    for _ in range(PASSES):
        weight = persons / np.maximum(fitted, floor)
        beta = _solve(bases, rate, weight)
        fitted = np.maximum(np.einsum("mgp,mp->mg", bases, beta), floor)
    expected = fitted * persons
    term = np.where(actions > 0, actions * np.log(np.maximum(actions, 1e-300) / expected), 0.0)
    return np.asarray(2 * (term - (actions - expected)).sum(axis=1)), beta


def _solve(bases: Floats, rate: Floats, weight: Floats) -> Floats:
    """Weighted least squares; a response that falls beyond the knee is held flat (c >= 0)."""
    weighted = bases * weight[:, :, None]
    gram = np.einsum("mgp,mgq->mpq", weighted, bases)
    size = bases.shape[2]
    gram = gram + 1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(size)
    beta = np.linalg.solve(gram, np.einsum("mgp,g->mp", weighted, rate)[:, :, None])[:, :, 0]
    if size == 3 and (beta[:, 2] < 0).any():
        falling = beta[:, 2] < 0
        beta[falling, :2] = _solve(bases[falling][:, :, :2], rate, weight[falling])
        beta[falling, 2] = 0.0
    return np.asarray(beta, dtype=np.float64)


def _refine(knots: Floats, hinges: list[Floats], at: int, persons: Floats, actions: Floats) -> float:
    """Vertex of the parabola through the three best grid points."""
    if at in (0, len(knots) - 1):
        return float(knots[at])
    left, middle, right = _all(np.stack(hinges[at - 1 : at + 2]), persons, actions)[0]
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature > 0 else 0.0
    return float(knots[at] + np.clip(shift, -1, 1) * (knots[1] - knots[0]))


def resample(frequency: Floats, persons: Floats, actions: Floats, *, draws: int, seed: int) -> list[Response]:
    """Bootstrap over clusters (DMAs, or the nation's years): (K, G) persons and actions, clusters drawn again.

    Actions are drawn again within each drawn cluster (Poisson), so that one single cluster still has noise.
    """
    rng = np.random.default_rng(seed)
    clusters = len(persons)
    out = []
    for _ in range(draws):
        pick = np.bincount(rng.integers(clusters, size=clusters), minlength=clusters).astype(np.float64)
        if clusters < 5:
            pick = np.ones(clusters)
        people = pick @ persons
        drawn = rng.poisson(pick @ actions).astype(np.float64)
        if (people > 0).sum() >= 5 and drawn.sum() > 0:
            out.append(fit_response(frequency, people, drawn, step=0.5))
    return out


def share_beyond(frequency: Floats, persons: Floats, knee: float) -> float:
    """Share of all exposures that are beyond the knee, for (G,) groups."""
    exposures = float((frequency * persons).sum())
    if exposures <= 0 or not np.isfinite(knee):
        return 0.0
    return float((np.maximum(frequency - knee, 0) * persons).sum() / exposures)
