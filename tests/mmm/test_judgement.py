"""Sensitivity, the next best test, overlap of refreshes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modeling.mmm.estimator import Options, Posterior, fit
from modeling.mmm.judgement import next_tests, overlap, refresh_overlap, sensitivity
from modeling.mmm.posterior import decompose
from tests.mmm.worlds import simple_world

LIGHT = Options(chains=2, warmup=30, keep=60)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return fit(simple_world(1, noise=0.006)[0], LIGHT)


def test_a_channel_that_does_nothing_is_overturned_by_nothing(posterior: Posterior) -> None:
    table = sensitivity(posterior, decompose(posterior)).set_index("channel")
    assert table.loc["c2", "robustness_value_interval"] == 0.0
    assert table.loc["c0", "robustness_value_interval"] > 0.05
    assert (table["robustness_value"] >= table["robustness_value_interval"]).all()
    assert (table["robustness_value"] <= 1).all()


def test_the_next_test_is_the_one_that_teaches_most(posterior: Posterior) -> None:
    table = next_tests(posterior, decompose(posterior))
    gone = table["roi_sd"] ** 2 - table["roi_sd_after"] ** 2
    assert table["rank"].tolist() == [1, 2, 3]
    assert (gone.diff().dropna() <= 1e-12).all()
    assert (table["roi_sd_after"] <= table["roi_sd"]).all()
    assert ((table["variance_reduction"] >= 0) & (table["variance_reduction"] <= 1)).all()


def test_a_test_that_was_run_shrinks_the_return_as_far_as_was_promised() -> None:
    """The promise of linear Bayes against a fit that holds the very test."""
    from modeling.mmm.panel import LiftTest

    panel, _truth = simple_world(4, noise=0.05, zero=False)
    before = fit(panel, LIGHT)
    table = next_tests(before, decompose(before))
    best = table.iloc[0]
    c = panel.channels.index(best["channel"])
    t = panel.shape[1]
    test = LiftTest(c, t - 8, t - 1, (0,), float(best["expected_effect"]), float(best["test_std_error"]))
    after = fit(replace(panel, lift_tests=(test,)), LIGHT)
    assert after.returns()[:, c].std() < before.returns()[:, c].std()
    assert after.returns()[:, c].std() == pytest.approx(best["roi_sd_after"], rel=0.5)


def test_overlap_of_samples() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=4000)
    assert overlap(a, a) == pytest.approx(1.0)
    assert overlap(a, a + 100) == pytest.approx(0.0, abs=0.06)
    # two normals one standard deviation apart share 2 Phi(-1/2) = 0.617
    assert overlap(a, rng.normal(size=4000) + 1.0) == pytest.approx(0.617, abs=0.05)
    assert overlap(np.zeros(10), np.zeros(10)) == 1.0


def test_a_broken_refresh_shares_little(posterior: Posterior) -> None:
    calm = refresh_overlap(posterior)
    assert calm.score > 0.5
    kpi = posterior.panel.kpi.copy()
    kpi[:, -4:] *= 4.0  # units changed in the newest weeks
    broken = refresh_overlap(fit(replace(posterior.panel, kpi=kpi), LIGHT))
    assert broken.score < 0.4
    assert set(calm.channels) == set(posterior.panel.channels)
