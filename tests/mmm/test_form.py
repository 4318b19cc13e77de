"""Additive or multiplicative is decided out of sample, and every answer is right in the form that was chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from modeling.__main__ import main
from modeling.budget.plan import outlook
from modeling.mmm.diagnostics import head, predict
from modeling.mmm.estimator import Options, Posterior, fit
from modeling.mmm.form import choose_form
from modeling.mmm.panel import LiftTest
from modeling.mmm.posterior import channel_table, decompose
from modeling.mmm.windows import channel_window
from tests.mmm.worlds import Lost, as_table, level_world, simple_world

LIGHT = Options(chains=2, warmup=40, keep=80, chasing=0.0)


@pytest.fixture(scope="module")
def grown() -> tuple[Posterior, np.ndarray, Lost]:
    panel, truth, lost = level_world(3, "multiplicative")
    return fit(replace(panel, form="multiplicative"), LIGHT), truth, lost


@pytest.mark.parametrize("form", ["additive", "multiplicative"])
def test_the_right_form_is_chosen(form: str) -> None:
    for seed in (3, 4):
        found = choose_form(level_world(seed, form)[0], LIGHT)
        assert found.chosen == form
        assert set(found.scores) == {"additive", "multiplicative"}
        assert (found.gain > 0) == (form == "multiplicative")


def test_a_flat_additive_panel_stays_additive() -> None:
    assert choose_form(simple_world(2)[0], LIGHT).chosen == "additive"
    zero = level_world(3, "multiplicative")[0]
    zero.kpi[0, 4] = 0.0
    assert choose_form(zero, LIGHT).reason == "the outcome is not positive throughout"


def test_returns_are_what_would_be_lost(grown: tuple[Posterior, np.ndarray, Lost]) -> None:
    posterior, truth, lost = grown
    table = channel_table(posterior).frame
    assert np.allclose(table["roi"], truth, rtol=0.2)
    assert ((table["roi_p05"] <= truth) & (truth <= table["roi_p95"])).all()
    recent = slice(104, 156)
    for c in range(2):
        found = channel_window(posterior, c, recent)["contribution_usd"]
        assert found == pytest.approx(lost(c, recent)[recent].sum(), rel=0.2)


def test_parts_add_up_and_forecasts_are_in_money(grown: tuple[Posterior, np.ndarray, Lost]) -> None:
    posterior, _, lost = grown
    parts = decompose(posterior)
    assert np.allclose(np.sum(list(parts.components.values()), axis=0), parts.fitted)
    assert np.abs(parts.residual / posterior.panel.kpi).mean() < 0.02
    assert np.corrcoef(parts.components["c1"][0], lost(1, slice(None)))[0, 1] > 0.95
    panel = posterior.panel
    ahead = predict(fit(head(panel, 148), LIGHT), panel)
    assert np.abs(ahead / panel.kpi[:, 148:] - 1).mean() < 0.06


def test_plans_start_from_the_grown_level(grown: tuple[Posterior, np.ndarray, Lost]) -> None:
    """What the current plan earns over a year is what the last year's spend earned."""
    posterior, _, lost = grown
    look = outlook(posterior, 52)
    earned = look.earn(look.recent).mean(axis=0)
    year = slice(104, 156)
    assert np.allclose(earned, [lost(c, year)[year].sum() for c in range(2)], rtol=0.25)


def test_an_experiment_is_read_in_the_form_s_own_scale() -> None:
    panel, truth, lost = level_world(3, "multiplicative")
    gain = float(lost(1, slice(60, 68))[60:68].sum())
    exact = LiftTest(1, 60, 67, (0,), gain, 0.02 * gain)
    posterior = fit(replace(panel, form="multiplicative", lift_tests=(exact,)), LIGHT)
    low, high = np.quantile(posterior.returns()[:, 1], [0.05, 0.95])
    assert low <= truth[1] <= high
    read = (
        posterior.draws.gamma[:, 1]
        * posterior.dictionaries[1].lift_effect[0][posterior.draws.candidate[:, 1]]
    )
    assert read.mean() == pytest.approx(exact.incremental, rel=0.06)


def test_the_command_says_which_form_and_why(tmp_path: Path) -> None:
    data, spec = as_table(level_world(4, "multiplicative")[0])
    words = {name: str(tmp_path / name) for name in ("data.csv", "spec.yml", "out")}
    data.to_csv(words["data.csv"], index=False)
    Path(words["spec.yml"]).write_text(yaml.safe_dump(spec))
    assert main(["mmm", "--data", words["data.csv"], "--spec", words["spec.yml"], "--out", words["out"]]) == 0
    found = pd.read_json(tmp_path / "out" / "diagnostics.json", typ="series")["form"]
    assert found["chosen"] == "multiplicative"
    assert len(found["log_score"]["additive"]) == len(found["log_score"]["multiplicative"]) == 2
    Path(words["spec.yml"]).write_text(yaml.safe_dump(spec | {"form": "sum"}))
    assert main(["mmm", "--data", words["data.csv"], "--spec", words["spec.yml"], "--out", words["out"]]) == 2
