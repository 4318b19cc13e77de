"""Daily data, exposure beside spend, reach and frequency, and panels at the edge of what can be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modeling.mmm.diagnostics import collinearity
from modeling.mmm.estimator import Options, fit
from modeling.mmm.form import choose_form
from modeling.mmm.load import load_panel
from modeling.mmm.posterior import channel_table
from modeling.mmm.spec_file import parse_spec
from tests.mmm.test_cli import refused
from tests.mmm.worlds import as_table, carryover, simple_world

LIGHT = Options(chains=2, warmup=40, keep=80, chasing=0.0)


def daily(seed: int = 2, days: int = 420) -> tuple[pd.DataFrame, dict[str, object], float]:
    """Daily sales with a weekly rhythm; one channel whose effect is carried over three days, one that does nothing."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.normal(0, 0.8, (2, days))) * (rng.random((2, days)) > 0.2)
    pressed = carryover(x[0], 0.6, 20)
    effect = 160 * pressed / (pressed + 1.2)
    when = pd.date_range("2024-01-01", periods=days)
    sales = 500 * (1 + 0.25 * (when.dayofweek >= 5) + 0.1 * np.sin(2 * np.pi * np.arange(days) / 365.25))
    data = pd.DataFrame({"day": when.strftime("%Y-%m-%d"), "sales": sales + effect + rng.normal(0, 12, days)})
    data["tv"], data["radio"] = 30 * x[0], 20 * x[1]
    spec: dict[str, object] = {
        "date": "day",
        "kpi": "sales",
        "channels": [{"name": "tv", "spend": "tv"}, {"name": "radio", "spend": "radio"}],
    }
    return data, spec, float(effect.sum() / data["tv"].sum())


def test_daily_data_keep_their_rhythm_and_their_carryover() -> None:
    data, spec, truth = daily()
    panel = load_panel(data, parse_spec(spec))
    assert panel.periods_per_week == 7
    assert choose_form(panel, LIGHT).chosen == "additive"
    posterior = fit(panel, LIGHT)
    assert sum(n.startswith("weekday_") for n in posterior.frame.nuisance_names) == 6
    table = channel_table(posterior).frame.set_index("channel")
    assert table.loc["tv", "roi_p05"] <= truth <= table.loc["tv", "roi_p95"]
    assert table.loc["tv", "roi"] == pytest.approx(truth, rel=0.25)
    assert not table.loc["radio", "supported"]
    d = posterior.dictionaries[0]
    lags = [
        float(d.grid.adstocks[d.parts(int(j))[1]].weights(d.grid.length) @ np.arange(d.grid.length))
        for j in posterior.draws.candidate[:, 0]
    ]
    assert 0.5 < np.median(lags) < 4.0  # true mean lag: 1.5 days


def test_a_missing_day_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, spec, _ = daily()
    assert "gap in the dates: 2024-01-30" in refused(tmp_path, data.drop(index=30), spec, capsys)
    assert "420" not in refused(tmp_path, data.head(60), spec, capsys)


def exposed(seed: int = 4) -> tuple[pd.DataFrame, dict[str, object], float]:
    """A channel whose price per impression doubles: sales follow impressions, not money."""
    panel, _ = simple_world(seed, channels=2, noise=0.01)
    data, spec = as_table(panel)
    rng = np.random.default_rng(seed)
    t = len(data)
    seen = np.exp(rng.normal(0, 0.8, t))
    effect = 300 * carryover(seen, 0.4) / (carryover(seen, 0.4) + 1.5)
    data["tv_seen"], data["tv"] = 1e4 * seen, 40 * seen * np.linspace(1, 2, t) * np.exp(rng.normal(0, 0.4, t))
    data["revenue"] += effect
    spec["channels"] = [*spec["channels"], {"name": "tv", "spend": "tv", "exposure": "tv_seen"}]  # type: ignore[misc]
    return data, spec, float(effect.sum() / data["tv"].sum())


def test_returns_are_on_money_and_effects_on_exposure() -> None:
    error = {"exposure": 0.0, "spend": 0.0}
    for seed in (5, 6):
        data, spec, truth = exposed(seed)
        panel = load_panel(data, parse_spec(spec))
        for reading, given in (("exposure", panel), ("spend", replace(panel, exposure=panel.spend))):
            row = channel_table(fit(given, LIGHT)).frame.set_index("channel").loc["tv"]
            error[reading] += abs(row["roi"] - truth)
            if reading == "exposure":
                assert row["roi_p05"] <= truth <= row["roi_p95"]
        assert row["spend"] == pytest.approx(data["tv"].sum())
    assert error["exposure"] < error["spend"]


def test_the_pair_of_exposure_and_spend_is_reported_not_flagged() -> None:
    data, spec, _ = exposed()
    found = collinearity(load_panel(data, parse_spec(spec)))
    assert [p["channel"] for p in found["exposure_vs_spend"]] == ["tv"]
    assert 0.5 < found["exposure_vs_spend"][0]["correlation"] < 0.999
    assert not [p for p in found["correlated_pairs"] if "tv" in (p["a"], p["b"])]


def test_reach_and_frequency_are_read_in_three_ways() -> None:
    data, spec, _ = exposed()
    data["reach"], data["often"] = data["tv_seen"] / 3, 3.0
    spec["channels"] = [{"name": "tv", "spend": "tv", "reach": "reach", "frequency": "often"}]
    panel = load_panel(data, parse_spec(spec))
    assert np.allclose(panel.exposure[0, 0], data["tv_seen"])
    assert len(panel.exposure_variants[0]) == 2


def test_units_of_money_do_not_matter() -> None:
    data, spec = as_table(simple_world(1, periods=60)[0])
    rows = []
    for factor in (1.0, 1e10, 1e-8):
        scaled = data.copy()
        for column in data.columns.drop(["week", "price"]):
            scaled[column] = data[column] * factor
        table = channel_table(fit(load_panel(scaled, parse_spec(spec)), LIGHT)).frame
        rows.append(table[["roi", "roi_p05", "roi_p95"]].to_numpy(dtype=float))
    assert np.allclose(rows[0], rows[1], rtol=1e-4)
    assert np.allclose(rows[0], rows[2], rtol=1e-4)
