"""The Bayesian comparison: what it writes, and that an unconverged sampler fails the run. The peer itself is stood in for."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from modeling import runner
from modeling.errors import Refusal
from modeling.mmm.bayes import job, sampling
from modeling.mmm.bayes.sampling import Effort, Sampled
from modeling.mmm.bayes.spec import OUTPUTS
from modeling.mmm.diagnostics import head
from modeling.mmm.estimator import Options, fit
from modeling.mmm.form import forecast_draws
from modeling.mmm.panel import Panel
from tests.mmm.worlds import level_world, simple_world

GOOD = {"r_hat": 1.004, "ess": 900.0, "divergences": 0.0}


def stand_in(monkeypatch: pytest.MonkeyPatch, **changes: float) -> list[int]:
    """Replace the peer by a quick fake; the numbers of known periods that it is asked for."""
    asked: list[int] = []

    def sample(panel: Panel, known: int, effort: Effort, seed: int) -> Sampled:
        asked.append(known)
        rng = np.random.default_rng(seed)
        ahead = panel.shape[1] - known
        forecast = panel.kpi[0, known:] * rng.normal(1, 0.05, (50, ahead)) if ahead else None
        drawn = Sampled(np.abs(rng.normal(1, 0.1, (50, panel.shape[2]))), forecast, 1.0, 900.0, 0, 5.0)
        return replace(drawn, **changes)  # type: ignore[arg-type]

    monkeypatch.setattr(sampling, "sample", sample)
    return asked


def test_both_models_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stand_in(monkeypatch)
    found = job.side_by_side(simple_world(1, periods=100)[0], (), 1, Effort())
    assert asked == [84, 92, 100]
    assert found.status == "succeeded"
    table = found.outputs["mmm_bayes_comparison"]
    assert list(table.columns) == list(OUTPUTS["mmm_bayes_comparison"])
    assert not table.duplicated(["model", "fold", "metric"]).any()
    assert table["value"].notna().all()
    for model in (job.OWN, job.PEER):
        for fold in (1, 2):
            metrics = set(table.loc[(table["model"] == model) & (table["fold"] == fold), "metric"])
            assert {"wmape", "crps", "coverage_90", "cpu_seconds"} <= metrics
    value = table.set_index(["model", "fold", "metric"])["value"]
    gap = value[job.PEER, 0, "roi c0"] - value[job.OWN, 0, "roi c0"]
    assert value[job.PEER, 0, "roi_difference c0"] == pytest.approx(gap)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"r_hat": 1.02}, "R-hat"),
        ({"r_hat": float("nan")}, "R-hat"),
        ({"ess": 120.0}, "effective draws"),
        ({"divergences": 40}, "diverged"),
    ],
)
def test_a_sampler_that_has_not_converged_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, float], why: str
) -> None:
    stand_in(monkeypatch, **change)
    found = job.side_by_side(simple_world(1, periods=60)[0], (), 1, Effort())
    assert found.status == "failed"
    assert why in found.message


def test_the_gate_lets_a_converged_sampler_pass() -> None:
    assert job.gate(GOOD, 6000) == ""
    assert job.gate(GOOD | {"divergences": 6.0}, 6000) == ""
    assert job.gate(GOOD | {"divergences": 7.0}, 6000) != ""


def test_without_the_extra_the_job_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nutpie", None)
    with pytest.raises(Refusal, match="make bayes"):
        sampling.sample(simple_world(1)[0], 100, Effort(), 1)


def test_it_runs_only_where_it_is_named() -> None:
    assert "mmm_bayes" not in runner.JOBS
    assert "mmm_bayes" in runner.OPTIONAL_JOBS
    assert "mmm_bayes_comparison" in runner.output_tables()


def test_inputs_are_those_of_the_mix_model() -> None:
    panel = simple_world(1)[0]
    price = panel.controls[0]
    panel = replace(
        panel,
        controls=np.stack([price, 3.0 * price + 7.0, np.ones_like(price)]),
        control_names=("price", "price again", "constant"),
    )
    frame, channels, controls = sampling.inputs(panel, 90)
    assert np.array_equal(frame[channels].to_numpy().T, panel.exposure[:, 0])
    assert pd.DatetimeIndex(frame["week"]).equals(panel.dates)
    known = frame[controls].to_numpy()[:90]
    assert len(controls) == 2  # trend and price; what repeats or never moves adds nothing
    assert known.T @ known / 90 == pytest.approx(np.eye(2), abs=1e-9)
    spanned = np.column_stack([np.ones(120), frame[controls]])
    for column in (price[0], np.arange(120.0)):
        assert spanned @ np.linalg.lstsq(spanned, column, rcond=None)[0] == pytest.approx(column)


def test_inputs_of_the_known_periods_do_not_depend_on_what_follows() -> None:
    panel = simple_world(1)[0]
    wild = panel.controls.copy()
    wild[:, :, 90:] *= 50
    plain, other = (sampling.inputs(p, 90)[0][:90] for p in (panel, replace(panel, controls=wild)))
    pd.testing.assert_frame_equal(plain, other)


def test_crps_rewards_a_sharp_honest_forecast() -> None:
    """Of a normal forecast it is known in closed form: sd x 0.2337 at the mean (Gneiting and Raftery 2007)."""
    rng = np.random.default_rng(0)
    actual = np.full(3, 100.0)
    sharp = job.forecast_scores(actual, rng.normal(100, 2, (40_000, 3)))
    assert sharp["crps"] == pytest.approx(2 * 0.2337 / 100, rel=0.03)
    assert job.forecast_scores(actual, rng.normal(100, 8, (4000, 3)))["crps"] > sharp["crps"]
    assert job.forecast_scores(actual, rng.normal(110, 2, (4000, 3)))["coverage_90"] == 0.0


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_own_forecasts_cover_what_came(form: str) -> None:
    inside = []
    for seed in (3, 5, 6):
        panel = replace(level_world(seed, form)[0], form=form)
        train = fit(head(panel, 130), Options(chains=2, warmup=30, keep=60, chasing=0.0))
        low, high = np.quantile(forecast_draws(train, head(panel, 146), 400, 1), [0.05, 0.95], axis=0)
        actual = panel.kpi[0, 130:146]
        inside += ((low <= actual) & (actual <= high)).tolist()
        assert (high - low).mean() < 0.4 * actual.mean()
    assert np.mean(inside) > 0.7
