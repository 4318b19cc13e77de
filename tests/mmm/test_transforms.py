"""Adstock, saturation and the compressed dictionary against hand calculations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling.mmm.dictionary import build_dictionary
from modeling.mmm.transforms import Adstock, Saturation, adstock_series, candidate_grid
from tests.mmm.worlds import simple_world


def test_geometric_adstock_by_hand() -> None:
    w = Adstock("geometric", 0.5).weights(3)
    assert w == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    y = adstock_series(np.array([7.0, 0, 0, 14.0]), w)
    assert y == pytest.approx([4, 2, 1, 8])


def test_delayed_adstock_peaks_at_its_delay() -> None:
    w = Adstock("delayed", 0.6, 2.0).weights(10)
    assert int(np.argmax(w)) == 2
    assert w.sum() == pytest.approx(1.0)


def test_carry_in_equals_one_long_series() -> None:
    x = np.arange(12.0)
    w = Adstock("geometric", 0.7).weights(5)
    assert adstock_series(x[6:], w, x[:6]) == pytest.approx(adstock_series(x, w)[6:])


@pytest.mark.parametrize("kind", ["hill", "negexp", "logistic"])
def test_bounded_curves_reach_half_at_their_scale(kind: str) -> None:
    curve = Saturation(kind, 2.5, 1.0)
    assert curve.apply(np.array([2.5]))[0] == pytest.approx(0.5)
    assert curve.apply(np.array([1e9]))[0] == pytest.approx(1.0)


@settings(deadline=None)
@given(st.integers(0, 63), st.floats(0, 50), st.floats(0, 50))
def test_every_curve_starts_at_zero_and_never_falls(k: int, a: float, b: float) -> None:
    grid = candidate_grid()
    curve = grid.saturations[k % len(grid.saturations)]
    low, high = sorted((a, b))
    y = curve.apply(np.array([0.0, low, high]))
    assert y[0] == 0.0
    assert y[1] <= y[2] + 1e-12


def test_prior_of_the_grid_sums_to_one() -> None:
    assert np.exp(candidate_grid().log_prior).sum() == pytest.approx(1.0)


def test_compressed_columns_equal_the_curves() -> None:
    """A candidate's column has return one: its money over the window is the channel's spend."""
    panel, _ = simple_world(3, geos=4, periods=60)
    grid = candidate_grid()
    d = build_dictionary(panel, 0, grid)
    for j in (0, 17, 400, 901, len(grid) - 1):
        exact = d.raw_curve(j, panel.exposure[0] / panel.size[:, None]) * panel.size[:, None]
        exact *= panel.spend[0].sum() / exact.sum()
        column = np.einsum("r,rgt->gt", d.coefs[:, j], d.basis) * panel.size[:, None]
        assert np.linalg.norm(column - exact) < 0.02 * np.linalg.norm(exact)
        assert column.sum() == pytest.approx(panel.spend[0].sum(), rel=1e-6)
