"""The detector and the rules: laws, planted incidents, clean worlds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.detector import WEEKS, score
from tests.alerts.worlds import INCIDENTS, World, caught


def series(seed: int, days: int = 280, noise: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 1000 * rng.uniform(0.8, 1.2, 7)[np.arange(days) % 7] * np.exp(rng.normal(0, noise, days))


def quiet(values: np.ndarray) -> bool:
    """No incident of any practical size in the last week."""
    return score(values).incidents(0.7, 1.4, range(max(0, len(values) - 7), len(values))) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 1e6))
def test_units_do_not_matter(seed: int, factor: float) -> None:
    one, two = score(series(seed)), score(series(seed) * factor)
    np.testing.assert_allclose(one.log_ratio, two.log_ratio, atol=1e-6)
    np.testing.assert_allclose(one.runs[1], two.runs[1], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_only_the_past_is_used(seed: int) -> None:
    values = series(seed)
    changed = values.copy()
    changed[-1] *= 50
    one, two = score(values), score(changed)
    np.testing.assert_array_equal(one.expected[:-1], two.expected[:-1])
    for length in (1, 2, 3):
        for mine, other in zip(one.runs[length], two.runs[length], strict=True):
            np.testing.assert_array_equal(mine[:-1], other[:-1])
    assert one.expected[-1] == pytest.approx(two.expected[-1]), (
        "a day's own value is no part of its expectation"
    )


def test_a_spike_passes_and_a_quiet_day_does_not() -> None:
    values = series(3)
    assert quiet(values)
    values[-1] *= 3
    found = score(values)
    assert found.incidents(0.5, 1.5, range(273, 280)) == [279] and found.ratio(-1) == pytest.approx(
        3, rel=0.25
    )
    assert found.low[-1] < found.expected[-1] < found.high[-1] < values[-1]


def test_short_and_empty_series_stay_silent() -> None:
    for values in (np.zeros(0), np.ones(10), np.ones(7 * WEEKS + 5), np.full(280, np.nan)):
        assert quiet(values)
    assert np.nanmax(np.abs(score(np.zeros(280)).log_ratio)) == 0


def test_days_that_last_are_found_where_one_alone_would_not_be() -> None:
    values = series(11, noise=0.09)
    one, three = values.copy(), values.copy()
    one[-1] *= 0.55
    three[-3:] *= 0.55
    assert quiet(one) and score(three).incidents(0.6, 2.0, range(273, 280)) == [277, 278, 279]


def test_one_wild_day_does_not_make_its_neighbours_ill() -> None:
    values = series(3)
    values[-2] *= 20
    assert score(values).incidents(0.5, 1.5, range(273, 280)) == [278]


def test_a_series_pushed_up_by_promotions_is_still_watched_for_drops() -> None:
    values = series(7, noise=0.03)
    for start in (150, 190, 230):
        values[start : start + 3] *= 4
    values[-1] *= 0.4
    assert score(values).incidents(0.6, 9.0, range(273, 280)) == [279]


def test_a_trend_and_a_step_long_ago_are_not_incidents() -> None:
    values = series(5) * np.exp(np.linspace(0, 0.8, 280))
    assert quiet(values)
    values[150:] *= 2
    assert quiet(values)


@pytest.mark.parametrize("name", INCIDENTS)
def test_planted_incidents_are_caught_in_the_same_run(name: str) -> None:
    assert sum(caught(name, seed) for seed in range(4)) >= 3


def test_clean_worlds_are_quiet() -> None:
    assert sum(len(World(seed).findings()) for seed in range(500, 506)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", INCIDENTS)
def test_recall_over_fifty(name: str) -> None:
    assert sum(caught(name, seed) for seed in range(50)) >= 47


@pytest.mark.slow
def test_one_false_alarm_in_a_hundred_runs_at_most() -> None:
    assert sum(bool(World(seed).findings()) for seed in range(700, 800)) <= 1
