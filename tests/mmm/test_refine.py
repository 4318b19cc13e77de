"""The finer grid: what it holds, what it keeps of the prior, and that a low-noise panel no longer sits on one curve."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import mmm_worlds
from modeling.mmm.analysis import return_scale
from modeling.mmm.diagnostics import head
from modeling.mmm.estimator import Options, fit
from modeling.mmm.refine import MOST_ADSTOCKS, MOST_PAIRS, finer
from modeling.mmm.sampler import Prior
from modeling.mmm.transforms import Array, Grid, candidate_grid

GRID = candidate_grid()


def shares(*pairs: tuple[int, int]) -> Array:
    """Equal shares of the draws on pairs of (adstock, saturation)."""
    table = np.zeros((len(GRID.adstocks), len(GRID.saturations)))
    for pair in pairs:
        table[pair] = 1 / len(pairs)
    return table.ravel()


def marginals(grid: Grid) -> tuple[Array, Array]:
    table = np.exp(grid.log_prior).reshape(len(grid.adstocks), -1)
    return table.sum(axis=1), table.sum(axis=0)


@pytest.mark.parametrize("a", range(len(GRID.adstocks)))
def test_every_candidate_is_split_between_its_neighbours(a: int) -> None:
    s = a % len(GRID.saturations)
    found = finer(GRID, shares((a, s)))
    chosen = GRID.adstocks[a]
    assert chosen in found.adstocks and GRID.saturations[s] in found.saturations
    assert {x.kind for x in found.adstocks} == {chosen.kind} and found.length == GRID.length
    decays = sorted({x.decay for x in GRID.adstocks if x.kind == chosen.kind})
    at = decays.index(chosen.decay)
    low, high = decays[max(at - 1, 0)], decays[min(at + 1, len(decays) - 1)]
    assert all(low <= x.decay <= high for x in found.adstocks)
    assert len({x.decay for x in found.adstocks}) >= 2


@pytest.mark.parametrize(
    "pairs", [[(8, 20)], [(8, 20), (9, 21)], [(3, len(GRID.saturations) - 1)], [(20, 70)]]
)
def test_the_parts_share_the_prior_of_what_they_come_from(pairs: list[tuple[int, int]]) -> None:
    found = finer(GRID, shares(*pairs))
    assert len(found) <= MOST_PAIRS and len(set(found.adstocks)) == len(found.adstocks)
    of_a, of_s = marginals(GRID)
    left_a, left_s = {a for a, _ in pairs}, {s for _, s in pairs}
    kept = sum(of_a[a] for a in left_a) * sum(of_s[s] for s in left_s)
    assert np.exp(found.log_prior).sum() == pytest.approx(kept)


def test_a_channel_that_is_not_pinned_down_keeps_its_grid() -> None:
    many = shares(*[(a, 3) for a in range(MOST_ADSTOCKS + 1)])
    assert finer(GRID, many) is GRID
    assert finer(GRID, np.zeros(len(GRID))) is GRID


def test_four_new_weeks_do_not_tip_a_return_from_one_curve_to_the_next() -> None:
    world = mmm_worlds.make_world(40_001, mmm_worlds.KINDS["geo"])
    found = []
    for panel in (world.panel, head(world.panel, world.panel.shape[1] - 4)):
        centre, sd = return_scale(panel)
        posterior = fit(panel, Options(prior=Prior(scale_center=centre, scale_sd=sd)))
        assert len(posterior.dictionaries[3].grid) < len(posterior.first[3].grid)
        found.append(posterior.returns()[:, 3])
    now, before = found
    assert abs(now.mean() - before.mean()) < before.std()  # four standard deviations on the declared grid
    assert np.quantile(now, 0.05) < world.truth[3] < np.quantile(now, 0.95)
