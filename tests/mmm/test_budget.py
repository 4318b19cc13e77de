"""The optimiser against brute force, another solver and its own first-order conditions."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from modeling.budget.optimise import Curves, optimise, to_cents


def curves(n: int, seed: int, s_shaped: bool = False) -> Curves:
    rng = np.random.default_rng(seed)
    top = rng.uniform(50, 150, n)
    x = np.linspace(0, 3, 41)[None] * top[:, None]
    half = rng.uniform(0.3, 2.0, n)[:, None] * top[:, None]
    power = rng.uniform(1.6, 3.0, n)[:, None] if s_shaped else np.ones((n, 1))
    y = rng.uniform(50, 400, n)[:, None] * x**power / (x**power + half**power)
    return Curves(x, y)


@pytest.mark.parametrize("s_shaped", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_matches_brute_force(seed: int, s_shaped: bool) -> None:
    c = curves(3, seed, s_shaped)
    budget = 240.0
    low, high = np.zeros(3), np.full(3, 160.0)
    f = [PchipInterpolator(x, y) for x, y in zip(c.spend, c.value, strict=True)]
    best = max(
        f[0](a) + f[1](b) + f[2](budget - a - b)
        for a, b in itertools.product(np.linspace(0, 160, 161), repeat=2)
        if 0 <= budget - a - b <= 160
    )
    found = optimise(c, budget, low, high)
    assert found.spend.sum() == pytest.approx(budget, abs=1e-6)
    assert found.value >= best - (0.02 * abs(best) if s_shaped else 1e-3)


def test_two_solvers_agree_and_the_gap_is_tiny() -> None:
    c = curves(5, 7)
    low, high = np.full(5, 20.0), np.full(5, 200.0)
    a = optimise(c, 450.0, low, high, solver="slsqp")
    b = optimise(c, 450.0, low, high, solver="cobyla")
    assert a.value == pytest.approx(b.value, rel=1e-6)
    assert a.kkt_gap <= 1e-6


def test_twenty_channels_in_every_dma_within_two_seconds() -> None:
    c = curves(20 * 210, 1)
    start = time.process_time()
    found = optimise(c, 4200 * 90.0, np.full(4200, 10.0), np.full(4200, 220.0))
    assert time.process_time() - start < 2.0
    assert found.spend.sum() == pytest.approx(4200 * 90.0, rel=1e-9)
    assert found.kkt_gap <= 1e-6


def test_budget_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit the bounds"):
        optimise(curves(2, 0), 1000.0, np.zeros(2), np.full(2, 100.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=40), st.integers(1, 10**11))
def test_cents_add_up_exactly(spend: list[float], cents: int) -> None:
    weights = np.array(spend) + 1e-3
    budget = cents / 100
    rounded = to_cents(weights / weights.sum() * budget, budget)
    assert int(np.round(rounded * 100).astype(np.int64).sum()) == cents
