"""The warehouse jobs on small features: every declared column, experiments, the refresh gate, mediation, the budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modeling.budget import job as budget
from modeling.errors import Refusal
from modeling.mediation import job as mediation
from modeling.mmm import job as mmm
from modeling.mmm.judgement import Overlap
from modeling.mmm.spec import OUTPUTS
from modeling.runner import JobResult
from tests.mmm.worlds import simple_world

CHANNELS = ("youtube", "instagram_reels", "search_brand")


def features() -> dict[str, pd.DataFrame]:
    panel, _ = simple_world(6, geos=12, periods=60, noise=0.02)
    rng = np.random.default_rng(0)
    g, t, _ = panel.shape
    weeks, places = panel.dates, [str(501 + k) for k in range(g)]
    week = pd.DataFrame(
        {
            "brand_id": "b",
            "week_start_date": np.tile(weeks, g),
            "dma_id": np.repeat(places, t),
            "tv_homes": np.repeat(panel.size * 1e5, t),
            "revenue_usd": panel.kpi.ravel(),
            "price_index": 1.0 + 0.1 * panel.controls[0].ravel(),
            "promo_index": rng.random(g * t),
            "in_stock_rate": 0.9 + 0.1 * rng.random(g * t),
            "search_interest": 50 + rng.random(g * t),
            "temperature_f": 60 + 10 * rng.random(g * t),
            "holiday_days": 0.0,
        }
    )
    media = pd.concat(
        pd.DataFrame(
            {
                "brand_id": "b",
                "week_start_date": np.tile(weeks, g),
                "dma_id": np.repeat(places, t),
                "channel_id": name,
                "spend_usd": panel.spend[c].ravel(),
                "impressions": panel.spend[c].ravel() * 20,
                "is_demand_chasing": name == "search_brand",
            }
        )
        for c, name in enumerate(CHANNELS)
    )
    return {"feat_mmm_week": week, "feat_mmm_media_week": media}


@pytest.fixture(scope="module")
def inputs() -> dict[str, pd.DataFrame]:
    return features()


@pytest.fixture(scope="module")
def fitted(inputs: dict[str, pd.DataFrame]) -> JobResult:
    return mmm.fit(inputs, "all", seed=0, upstream={})


def test_plans_by_place_and_week_hold_the_budget(fitted: JobResult) -> None:
    places, weeks = fitted.outputs["mmm_plan_dma"], fitted.outputs["mmm_plan_week"]
    assert places["spend_usd"].sum() == pytest.approx(places["current_spend_usd"].sum(), abs=0.01)
    share = places["spend_usd"] / places["current_spend_usd"]
    assert share.between(0.5 - 1e-3, 1.5 + 1e-3).all()
    assert places["incremental_revenue_usd"].sum() >= places["current_revenue_usd"].sum() - 0.01
    assert not places.duplicated(["channel_id", "dma_id"]).any()
    assert weeks.groupby("channel_id")["plan_week"].apply(list).map(lambda x: x == list(range(1, 14))).all()
    even = weeks.groupby("channel_id")[["spend_usd", "even_spend_usd"]].sum()
    assert np.allclose(even["spend_usd"], even["even_spend_usd"], atol=0.1)
    assert min(weeks["week_start_date"]) > max(fitted.outputs["mmm_fit_week"]["week_start_date"])


def test_every_declared_column_is_there(fitted: JobResult) -> None:
    assert fitted.status == "succeeded"
    for table, columns in OUTPUTS.items():
        assert list(fitted.outputs[table].columns) == list(columns), table
        assert len(fitted.outputs[table]) > 0, table
    roi = fitted.outputs["mmm_channel_roi"]
    assert set(roi["window_name"]) == {"history", "launch"}
    assert (roi["roi_p05"] <= roi["roi"]).all()
    assert (roi["roi"] <= roi["roi_p95"]).all()
    models = set(fitted.outputs["mmm_comparison"]["model"])
    assert models >= {"mix model", "ols", "ridge", "elastic net", "random forest"}


def test_the_fit_adds_up_week_by_week(fitted: JobResult) -> None:
    parts = fitted.outputs["mmm_contribution_week"]
    nation = parts[parts["dma_id"] == "000"].groupby("week_start_date")["revenue_usd"].sum()
    week = fitted.outputs["mmm_fit_week"].set_index("week_start_date")
    assert np.allclose(nation, week["fitted_usd"])
    assert np.allclose(week["fitted_usd"] + week["residual_usd"], week["actual_usd"])


def test_a_refresh_that_tells_another_story_is_not_published(
    inputs: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmm, "refresh_overlap", lambda posterior: Overlap(dict.fromkeys(CHANNELS, 0.1), 0.1))
    found = mmm.fit(inputs, "all", seed=0, upstream={})
    assert found.status == "failed"
    assert "overlap 0.10" in found.message


def test_the_budget_job_plans_from_the_outlook(inputs: dict[str, pd.DataFrame], fitted: JobResult) -> None:
    found = budget.fit(inputs, "all", seed=0, upstream=fitted.outputs)
    rows = found.outputs["budget_scenario"]
    assert set(rows["scenario"]) >= {"current", "optimal", "plus_10pct", "minus_10pct", "move_5m"}
    assert found.metrics["kkt_gap"] <= 1e-6
    with pytest.raises(Refusal, match="no good mix model"):
        budget.fit(inputs, "all", seed=0, upstream={})


def test_the_mediation_job_says_what_it_needs(inputs: dict[str, pd.DataFrame]) -> None:
    found = mediation.fit(inputs, "all", seed=0, upstream={}).outputs["mediation"]
    assert found["channel_id"].tolist() == ["instagram_reels", "youtube"]
    assert (found["indirect_p05"] <= 0).all()  # channels and search are drawn apart
    assert not (found["verdict"] == "supported").any()
    media = inputs["feat_mmm_media_week"]
    without = inputs | {"feat_mmm_media_week": media[media["channel_id"] != "search_brand"]}
    with pytest.raises(Refusal, match="search_brand"):
        mediation.fit(without, "all", seed=0, upstream={})


def test_experiments_outside_the_panel_are_left_out(inputs: dict[str, pd.DataFrame]) -> None:
    panel, chasers = mmm.build_panel(inputs)
    assert chasers == ("search_brand",)
    first = panel.dates[20]
    row = {
        "experiment_id": "e1",
        "channel_id": "youtube",
        "is_primary": True,
        "window_start": first.date(),
        "window_end": (first + pd.Timedelta(days=27)).date(),
        "treated_dmas": "501;502",
        "incremental_revenue_usd": -500.0,
        "std_error_usd": 100.0,
        "spend_usd": -300.0,
    }
    odd = [
        row | {"channel_id": "radio"},
        row | {"treated_dmas": "999"},
        row | {"std_error_usd": 0.0},
        row | {"is_primary": False},
    ]
    tests = mmm.experiments(panel, {"geo_lift": pd.DataFrame([row, *odd])})
    assert len(tests) == 1
    assert (tests[0].first, tests[0].last, tests[0].geos) == (20, 23, (0, 1))
    assert tests[0].spend_change == -300.0
    assert mmm.experiments(panel, {}) == ()


def test_sums_in_another_order_give_the_same_panel(inputs: dict[str, pd.DataFrame]) -> None:
    rng = np.random.default_rng(3)
    week = inputs["feat_mmm_week"].copy()
    for column in week.select_dtypes("floating").columns:
        week[column] *= 1 + 1e-15 * rng.integers(-1, 2, len(week))
    one, _ = mmm.build_panel(inputs)
    other, _ = mmm.build_panel({**inputs, "feat_mmm_week": week})
    np.testing.assert_array_equal(one.kpi, other.kpi)
    np.testing.assert_array_equal(one.controls, other.controls)
