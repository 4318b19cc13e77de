"""Split a fixed sum over separable response curves, to the cent, with the optimality gap reported.

Curves are tabulated (monotone cubic between the points: Fritsch and Carlson 1980), so S-shaped ones are allowed.
The global start comes from the upper concave hull of every curve, filled by falling slope (the Lagrangian
relaxation; exact but for at most one curve). SLSQP polishes small problems; large ones are finished by bisection
on the common marginal return, which is the same first-order condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_SLSQP_MAX = 60
_HULL_STEPS = 96


@dataclass(frozen=True)
class Curves:
    """N response curves on a common relative grid: spend[n, m] (money, rising from zero) and value[n, m] (money)."""

    spend: Array
    value: Array

    def __post_init__(self) -> None:
        if self.spend.shape != self.value.shape or self.spend.ndim != 2:
            raise ValueError("spend and value must be two tables of the same shape")
        if np.any(np.diff(self.spend, axis=1) <= 0):
            raise ValueError("spend must rise along each curve")


@dataclass(frozen=True)
class Allocation:
    """Result: spend (N,), value (money earned), price (common marginal return), kkt_gap (largest violation of the
    first-order conditions, per money), solver, converged."""

    spend: Array
    value: float
    price: float
    kkt_gap: float
    solver: str
    converged: bool


class _Batch:
    """Vectorised value and slope of all curves: Hermite cubics with the PCHIP slopes."""

    def __init__(self, curves: Curves) -> None:
        self.x, self.y = curves.spend, curves.value
        self.d = _pchip_slopes(self.x, self.y)
        self.rows = np.arange(len(self.x))

    def _cell(self, s: Array) -> tuple[Array, ...]:
        k = np.clip((self.x <= s[:, None]).sum(axis=1) - 1, 0, self.x.shape[1] - 2)
        r = self.rows
        x0 = self.x[r, k]
        h = self.x[r, k + 1] - x0
        return (s - x0) / h, h, self.y[r, k], self.y[r, k + 1], self.d[r, k] * h, self.d[r, k + 1] * h

    def value(self, s: Array) -> Array:
        u, _, a, b, da, db = self._cell(s)
        return np.asarray(
            a * (1 + 2 * u) * (1 - u) ** 2
            + da * u * (1 - u) ** 2
            + b * u**2 * (3 - 2 * u)
            - db * u**2 * (1 - u)
        )

    def slope(self, s: Array) -> Array:
        u, h, a, b, da, db = self._cell(s)
        return np.asarray((6 * u * (u - 1) * (a - b) + da * (1 - u) * (1 - 3 * u) + db * u * (3 * u - 2)) / h)


def _pchip_slopes(x: Array, y: Array) -> Array:
    """Fritsch-Carlson slopes of every row at once (scipy's PCHIP formulas, with its three-point ends)."""
    h, delta = np.diff(x, axis=1), np.diff(y, axis=1) / np.diff(x, axis=1)
    d = np.zeros_like(y)
    if x.shape[1] == 2:
        return np.repeat(delta, 2, axis=1)
    left, right = delta[:, :-1], delta[:, 1:]
    w1, w2 = 2 * h[:, 1:] + h[:, :-1], h[:, 1:] + 2 * h[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (w1 + w2) / (w1 / left + w2 / right)
    d[:, 1:-1] = np.where(left * right > 0, mean, 0.0)
    for end, near, far in ((0, 0, 1), (-1, -1, -2)):
        h0, h1, m0, m1 = h[:, near], h[:, far], delta[:, near], delta[:, far]
        e = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
        e = np.where(np.sign(e) != np.sign(m0), 0.0, e)
        e = np.where((np.sign(m0) != np.sign(m1)) & (np.abs(e) > 3 * np.abs(m0)), 3 * m0, e)
        d[:, end] = e
    return d


def _falling(slopes: Array) -> Array:
    """Slopes (M,) of the least concave majorant: pool adjacent violators (equal steps)."""
    level: list[float] = []
    count: list[int] = []
    for value in slopes:
        level.append(float(value))
        count.append(1)
        while len(level) > 1 and level[-1] > level[-2]:
            n = count[-1] + count[-2]
            level[-2] = (level[-1] * count[-1] + level[-2] * count[-2]) / n
            count[-2] = n
            level.pop()
            count.pop()
    return np.repeat(level, count)


def _hull_start(batch: _Batch, low: Array, high: Array, budget: float) -> Array:
    """Fill the concave majorants by falling slope until the budget is spent."""
    width = (high - low) / _HULL_STEPS
    table = np.stack([batch.value(low + m * width) for m in range(_HULL_STEPS + 1)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(width[:, None] > 0, np.diff(table, axis=1) / width[:, None], -np.inf)
    open_ = np.flatnonzero(width > 0)
    for i in open_[(np.diff(slopes[open_], axis=1) > 0).any(axis=1)]:
        slopes[i] = _falling(slopes[i])
    order = np.argsort(-slopes, axis=None, kind="stable")
    owner = order // _HULL_STEPS
    lengths = width[owner]
    before = np.cumsum(lengths) - lengths
    take = np.clip(budget - float(low.sum()) - before, 0.0, lengths)
    return np.asarray(np.minimum(low + np.bincount(owner, weights=take, minlength=len(low)), high))


def kkt_gap(slope: Array, spend: Array, low: Array, high: Array) -> tuple[float, float]:
    """(common marginal return, largest violation): interior curves earn the price, those at a bound do not want
    to leave it."""
    width = np.maximum(high - low, 1e-12)
    at_low, at_high = (spend - low) <= 1e-7 * width, (high - spend) <= 1e-7 * width
    fixed = high <= low
    inside = ~(at_low | at_high | fixed)
    if inside.any():
        price = float(np.median(slope[inside]))
    else:
        wants_up = slope[at_low & ~fixed]
        wants_down = slope[at_high & ~fixed]
        top = float(wants_up.max()) if wants_up.size else -np.inf
        bottom = float(wants_down.min()) if wants_down.size else np.inf
        price = top if not np.isfinite(bottom) else bottom if not np.isfinite(top) else 0.5 * (top + bottom)
        if not np.isfinite(price):
            price = 0.0
    gap = np.where(inside, np.abs(slope - price), 0.0)
    gap = np.where(at_low & ~fixed, np.maximum(slope - price, 0.0), gap)
    gap = np.where(at_high & ~at_low & ~fixed, np.maximum(price - slope, 0.0), gap)
    return price, float(gap.max(initial=0.0))


def _common_price(batch: _Batch, start: Array, low: Array, high: Array, budget: float) -> Array:
    """First-order solution near `start`: each curve's spend at one price, the price by bisection.

    A curve is searched within two hull steps of its start, so the answer stays on the branch the hull chose; one
    that starts at a bound may leave it only as far.
    """
    reach = 2.0 * (high - low) / _HULL_STEPS
    left, right = np.maximum(low, start - reach), np.minimum(high, start + reach)

    def at_price(price: float) -> Array:
        lo, hi = left.copy(), right.copy()
        for _ in range(34):
            mid = 0.5 * (lo + hi)
            more = batch.slope(mid) > price
            lo, hi = np.where(more, mid, lo), np.where(more, hi, mid)
        # a bound is a bound exactly, not nearly
        s = 0.5 * (lo + hi)
        s = np.where(s - low < 1e-8 * (high - low), low, s)
        return np.asarray(np.where(high - s < 1e-8 * (high - low), high, s))

    slopes = np.concatenate([batch.slope(left), batch.slope(right)])
    p_low, p_high = float(slopes.min()) - 1e-6, float(slopes.max()) + 1e-6
    tolerance = 1e-10 * max(budget, 1.0)
    s = start
    for _ in range(44):
        price = 0.5 * (p_low + p_high)
        s = at_price(price)
        excess = float(s.sum()) - budget
        if abs(excess) <= tolerance:
            break
        if excess > 0:
            p_low = price
        else:
            p_high = price
    return s


def optimise(curves: Curves, budget: float, low: Array, high: Array, *, solver: str = "auto") -> Allocation:
    """Spend `budget` over the curves within [low, high] (N,) for the largest total value.

    solver: auto | slsqp | bisection | cobyla (a slow check).

    Raises:
        ValueError: the bounds cannot hold the budget.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    if np.any(high < low - 1e-9):
        raise ValueError("an upper bound is below its lower bound")
    if not (low.sum() - 1e-6 <= budget <= high.sum() + 1e-6):
        raise ValueError(
            f"the budget {budget:,.2f} does not fit the bounds, which allow {low.sum():,.2f} to {high.sum():,.2f}"
        )
    high = np.maximum(high, low)
    batch = _Batch(curves)
    value, slope = batch.value, batch.slope
    start = _hull_start(batch, low, high, budget)
    unit = max(budget, 1e-9) / max(len(low), 1)
    chosen = solver if solver != "auto" else ("slsqp" if len(low) <= _SLSQP_MAX else "bisection")
    candidates = [start]
    candidates.append(_absorb(_common_price(batch, start, low, high, budget), low, high, budget))
    if chosen in ("slsqp", "cobyla"):
        from scipy.optimize import minimize  # a slow import, needed only here

        scale = max(abs(float(value(start).sum())), 1e-9) / max(len(low), 1)
        constraint = {"type": "eq", "fun": lambda z: (z.sum() * unit - budget) / unit}
        if chosen == "slsqp":
            constraint["jac"] = lambda z: np.ones_like(z)
        best = max(candidates, key=lambda s: float(value(s).sum()))
        result = minimize(
            lambda z: -float(value(z * unit).sum()) / scale,
            best / unit,
            jac=(lambda z: -slope(z * unit) * unit / scale) if chosen == "slsqp" else None,
            bounds=list(zip(low / unit, high / unit, strict=True)),
            constraints=[constraint],
            method=chosen.upper(),
            options={"ftol": 1e-14, "maxiter": 300}
            if chosen == "slsqp"
            else {"maxiter": 20_000, "tol": 1e-10},
        )
        candidates.append(_absorb(np.clip(result.x * unit, low, high), low, high, budget))
    scored = []
    for s in candidates:
        price, gap = kkt_gap(slope(s), s, low, high)
        scored.append((float(value(s).sum()), -gap, s, price))
    top = max(v for v, _, _, _ in scored)
    near = [x for x in scored if x[0] >= top - 1e-9 * abs(top)]
    v, neg, s, price = max(near, key=lambda x: x[1])
    return Allocation(s, v, price, -neg, chosen, bool(-neg <= 1e-4))


def _absorb(spend: Array, low: Array, high: Array, budget: float) -> Array:
    """Put a rounding remainder where there is room, so that the sum is the budget."""
    spend = spend.copy()
    for _ in range(4):
        left = budget - float(spend.sum())
        if abs(left) < 1e-12 * max(budget, 1.0):
            break
        room = (high - spend) if left > 0 else (spend - low)
        inside = np.where((spend > low) & (spend < high), room, 0.0)
        weights = inside if inside.sum() >= abs(left) else room
        if weights.sum() <= 0:
            break
        spend += np.sign(left) * np.minimum(weights, abs(left) * weights / weights.sum())
    return np.clip(spend, low, high)


def to_cents(spend: Array, budget: float) -> Array:
    """Round to cents so that the sum is the budget in cents exactly (largest remainder, ties by position)."""
    cents = np.asarray(spend, dtype=float) * 100.0
    floor = np.floor(cents + 1e-7).astype(np.int64)
    short = round(budget * 100.0) - int(floor.sum())
    order = np.argsort(-(cents - floor), kind="stable")
    n = len(floor)
    if short:
        share, rest = divmod(abs(short), n)
        step = 1 if short > 0 else -1
        floor += step * share
        pick = order[:rest] if short > 0 else order[::-1][:rest]
        floor[pick] += step
    return floor / 100.0
