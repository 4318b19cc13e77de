"""A finer grid of transformations around those that a first look at a panel left over.

Where a panel says a lot, a curve between two of the declared ones fits worse than its neighbours by many standard
errors, and the draws would all sit on the nearest one: a return with too small a spread, which jumps when a few new
weeks tip the balance. Each candidate left over is therefore split into steps of a quarter; its prior mass is shared
among its parts, so that the evidence for the channel stays what it was.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TypeVar

import numpy as np

from modeling.mmm.transforms import Adstock, Array, Grid, Saturation

T = TypeVar("T", Adstock, Saturation)
#: A channel that still holds more adstocks or saturations than this is not pinned down: its grid is fine enough.
MOST_ADSTOCKS, MOST_SATURATIONS = 4, 10
#: Share of the first look's draws below which a candidate is left out; and the most pairs that a finer grid may have.
LEAST_SHARE, MOST_PAIRS = 0.02, 2_500
#: Steps of a split, towards the declared neighbours below and above.
QUARTERS = (-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75)
THIRDS = (-0.67, -0.33, 0.0, 0.33, 0.67)
HALVES = (-0.5, 0.0, 0.5)


def finer(grid: Grid, share: Array) -> Grid:
    """The grid around the pairs that hold `share` (A * S,) of the draws; the same grid where they are many.

    The prior is not made to sum to one again: what was left out keeps its mass.
    """
    table = share.reshape(len(grid.adstocks), len(grid.saturations))
    left_a = np.nonzero(table.sum(axis=1) >= LEAST_SHARE)[0]
    left_s = np.nonzero(table.sum(axis=0) >= LEAST_SHARE)[0]
    if not 0 < len(left_a) <= MOST_ADSTOCKS or not 0 < len(left_s) <= MOST_SATURATIONS:
        return grid
    prior = np.exp(grid.log_prior).reshape(table.shape)
    of_a, of_s = prior.sum(axis=1), prior.sum(axis=0)
    for steps in (QUARTERS, THIRDS, HALVES):
        adstocks = _shared([(_adstocks(grid, grid.adstocks[a], steps), of_a[a]) for a in left_a])
        saturations = _shared([(_saturations(grid, grid.saturations[s], steps), of_s[s]) for s in left_s])
        if len(adstocks) * len(saturations) <= MOST_PAIRS:
            joint = np.add.outer(np.log(list(adstocks.values())), np.log(list(saturations.values())))
            return Grid(tuple(adstocks), tuple(saturations), joint.ravel(), grid.length)
    return grid


def _shared(split: list[tuple[list[T], float]]) -> dict[T, float]:
    """The parts of all, each with its share of the prior of what it comes from."""
    mass: dict[T, float] = {}
    for parts, prior in split:
        for part in parts:
            mass[part] = mass.get(part, 0.0) + prior / len(parts)
    return mass


def _between(value: float, declared: list[float], steps: tuple[float, ...], *, log: bool) -> list[float]:
    """`value` and steps towards its declared neighbours; nothing beyond the first and the last of them."""
    line = np.log(declared) if log else np.asarray(declared, dtype=float)
    at = int(np.argmin(np.abs(np.asarray(declared) - value)))
    below = line[at] - line[at - 1] if at > 0 else 0.0
    above = line[at + 1] - line[at] if at + 1 < len(line) else 0.0
    moved = [line[at] + step * (below if step < 0 else above) for step in steps]
    return sorted({round(float(np.exp(m) if log else m), 8) for m in moved})


def _adstocks(grid: Grid, chosen: Adstock, steps: tuple[float, ...]) -> list[Adstock]:
    same = [a for a in grid.adstocks if a.kind == chosen.kind]
    alone = chosen.kind == "geometric"  # the others have two constants: fewer steps of each
    decays = _between(chosen.decay, sorted({a.decay for a in same}), steps if alone else HALVES, log=False)
    delays = _between(chosen.delay, sorted({a.delay for a in same}), HALVES, log=False)
    return [replace(chosen, decay=d, delay=t) for d, t in product(decays, delays)]


def _saturations(grid: Grid, chosen: Saturation, steps: tuple[float, ...]) -> list[Saturation]:
    same = [s for s in grid.saturations if s.kind == chosen.kind]
    if chosen.kind == "linear":
        return [chosen]
    scales = _between(chosen.scale, sorted({s.scale for s in same}), steps, log=True)
    shapes = _between(chosen.shape, sorted({s.shape for s in same}), steps, log=True)
    return [replace(chosen, scale=c, shape=p) for c, p in product(scales, shapes)]
