"""The response to frequency, and the warehouse jobs on small feature frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modeling.attribution import job as attribution_job
from modeling.attribution import spec as attribution_spec
from modeling.attribution.markov import build_chain, chain_from_table, removal_effects
from modeling.attribution.models import path_division, transition_table
from modeling.attribution.paths import build_paths
from modeling.errors import Refusal
from modeling.frequency import job as frequency_job
from modeling.frequency import spec as frequency_spec
from modeling.frequency.response import fit_response, share_beyond
from modeling.geolift import job as geolift_job
from modeling.geolift import spec as geolift_spec

GROUPS = np.arange(1.0, 16.0)


def reached(seed=0, rate=0.002, knee=5.0, people=2e6, kind="hinge"):
    rng = np.random.default_rng(seed)
    persons = np.round(people * 0.75**GROUPS)
    if kind == "hinge":
        response = np.minimum(GROUPS, knee) / knee
    elif kind == "straight":
        response = GROUPS / 15
    else:
        response = 1 - np.exp(-GROUPS / knee)
    return persons, rng.poisson(persons * rate * response).astype(float)


@pytest.mark.parametrize("knee", [3.0, 4.5, 6.0, 8.0])
def test_planted_knee_is_recovered(knee):
    persons, actions = reached(knee=knee, people=2e7)
    found = fit_response(GROUPS, persons, actions)
    assert found.shape == "hinge"
    assert found.knee == pytest.approx(knee, abs=0.3)
    assert found.wasted_per_exposure > 0.85


def test_a_straight_response_has_no_knee():
    found = fit_response(GROUPS, *reached(kind="straight", people=2e6))
    assert found.shape == "straight" and np.isnan(found.knee) and found.wasted_per_exposure == 0


def test_a_smooth_response_is_called_saturating():
    found = fit_response(GROUPS, *reached(kind="smooth", knee=3.0, people=5e8))
    assert found.shape == "saturating"
    assert found.knee == pytest.approx(3 * np.log(10), rel=0.1)


def test_few_groups_or_no_actions_are_refused():
    persons, actions = reached()
    with pytest.raises(ValueError, match="five"):
        fit_response(GROUPS[:4], persons[:4], actions[:4])
    with pytest.raises(ValueError, match="actions"):
        fit_response(GROUPS, persons, np.zeros(15))


def test_share_beyond_by_hand():
    assert share_beyond(np.array([1.0, 4.0]), np.array([10.0, 5.0]), 3.0) == pytest.approx(5 / 30)


def frequency_features(knee=5.0):
    rows = []
    window = (pd.Timestamp("2026-08-02"), pd.Timestamp("2026-10-24"))
    for number, dma in enumerate(("501", "502", "503", "504", "505", "506")):
        persons, actions = reached(seed=number, knee=knee, people=3e6)
        for group, people, done in zip(GROUPS, persons, actions, strict=True):
            rows.append(("b", "hulu", dma, "dma", *window, int(group), people, people * group, done))
    columns = list(frequency_spec.INPUTS["feat_frequency"])
    spend = [("b", "hulu", d, *window, 100.0) for d in ("501", "502", "999")]
    return {
        "feat_frequency": pd.DataFrame(rows, columns=columns),
        "feat_frequency_spend": pd.DataFrame(
            spend, columns=list(frequency_spec.INPUTS["feat_frequency_spend"])
        ),
    }


def test_frequency_job_states_waste_with_an_interval_that_holds_it():
    features = frequency_features()
    result = frequency_job.fit(features, "all", seed=1, upstream={})
    response = result.outputs["frequency_response"].iloc[0]
    assert response["knee_p05"] < 5 < response["knee_p95"]
    waste = result.outputs["frequency_waste"]
    assert list(waste.columns) == list(frequency_spec.OUTPUTS["frequency_waste"])
    assert waste["is_assumed"].tolist() == [False, False, True]
    persons, _ = reached(people=3e6)
    real = 100 * share_beyond(GROUPS, persons, 5.0)
    assert (waste["waste_p05_usd"] <= real).all() and (waste["waste_p95_usd"] >= real).all()
    with pytest.raises(Refusal):
        frequency_job.fit(
            {**features, "feat_frequency": features["feat_frequency"].head(0)}, "all", seed=1, upstream={}
        )


def attribution_features():
    texts = ["a > b", "b", "a > b > a", "c > a", "direct"]
    conversions, nulls = [4.0, 2.0, 1.0, 0.0, 3.0], [6.0, 9.0, 2.0, 8.0, 0.0]
    value = [2 * c for c in conversions]
    weeks = pd.to_datetime(["2026-08-02"] * 5)
    paths, _ = build_paths(pd.Series(texts), pd.Series(conversions), pd.Series(value), pd.Series(nulls))
    moves = transition_table(build_chain(paths), paths.channels)
    moves["value_usd"] = 0.0
    moves = moves.rename(columns={"count": "journeys"}).assign(brand_id="b")
    path = pd.DataFrame({"path": texts, "conversions": conversions, "nulls": nulls, "value_usd": value})
    path = path.assign(brand_id="b", first_week=weeks, last_week=weeks)
    decay = [
        (t, c, t.split(" > ").count(c) / len(t.split(" > "))) for t in texts for c in set(t.split(" > "))
    ]
    weekly = path[path["conversions"] > 0].assign(week_start_date=weeks[0], dma_id="501")
    both = ("history", "launch")
    return {
        "feat_attribution_transition": pd.concat(
            [moves.assign(window_name=w) for w in both], ignore_index=True
        ),
        "feat_attribution_path": pd.concat([path.assign(window_name=w) for w in both], ignore_index=True),
        "feat_attribution_path_week": weekly,
        "feat_attribution_path_decay": pd.DataFrame(decay, columns=["path", "channel_id", "credit"]).assign(
            brand_id="b"
        ),
    }


def test_attribution_job_conserves_every_cell_and_reads_counts_from_sql():
    features = attribution_features()
    result = attribution_job.fit(features, "all", seed=1, upstream={})
    credit = result.outputs["attribution_credit_week"]
    assert list(credit.columns) == list(attribution_spec.OUTPUTS["attribution_credit_week"])
    totals = credit.groupby("model")[["credited_conversions", "credited_value_usd"]].sum()
    assert np.allclose(totals["credited_conversions"], 10) and np.allclose(totals["credited_value_usd"], 20)
    assert set(totals.index) == {"markov", "markov_order2"}
    intervals = result.outputs["attribution_interval"]
    assert np.allclose(intervals.groupby(["window_name", "model"])["share"].sum(), 1)
    assert (intervals["share_low"] <= intervals["share_high"]).all()
    with pytest.raises(Refusal):
        empty = {**features, "feat_attribution_path": features["feat_attribution_path"].head(0)}
        attribution_job.fit(empty, "all", seed=1, upstream={})


def test_chain_from_counts_equals_chain_from_paths():
    features = attribution_features()
    rows = features["feat_attribution_path"]
    rows = rows[rows["window_name"] == "history"]
    paths, _ = build_paths(rows["path"], rows["conversions"], rows["value_usd"], rows["nulls"])
    moves = features["feat_attribution_transition"]
    chain = chain_from_table(moves[moves["window_name"] == "history"], paths.channels)
    direct = removal_effects(build_chain(paths), len(paths.channels))
    assert removal_effects(chain, len(paths.channels)) == pytest.approx(direct, abs=1e-12)


def test_path_division_by_hand():
    paths, _ = build_paths(pd.Series(["a > b > a", "c"]), pd.Series([1.0, 1.0]))
    division = path_division(paths, np.array([0.6, 0.2, 0.0])).toarray()
    assert division[0] == pytest.approx([0.75, 0.25, 0])
    assert division[1] == pytest.approx([0, 0, 1])


def geolift_features(lift=0.3, spend_factor=2.0):
    rng = np.random.default_rng(4)
    weeks = pd.date_range("2024-01-07", periods=60, freq="7D")
    start, end = weeks[50], weeks[55] + pd.Timedelta(days=6)
    rows = []
    for number in range(14):
        arm = "treated" if number < 3 else "control"
        base = rng.uniform(1000, 9000)
        for at, week in enumerate(weeks):
            inside = arm == "treated" and 50 <= at <= 55
            revenue = base * np.exp(0.03 * rng.standard_normal()) * (1 + lift if inside else 1)
            spend = base / 10 * (spend_factor if inside else 1)
            rows.append(
                ("b", "T1", "hulu", "heavy_up", start, end, f"{500 + number}", arm, 0.0, week, revenue, spend)
            )
    panel = pd.DataFrame(rows, columns=list(geolift_spec.INPUTS["feat_geo_lift_panel"]))
    history = panel[["brand_id", "week_start_date", "dma_id", "revenue_usd"]]
    return {"feat_geo_lift_panel": panel, "feat_geo_history": history}


def test_geolift_job_measures_return_on_the_change_of_spend():
    features = geolift_features()
    result = geolift_job.fit(features, "all", seed=1, upstream={})
    table = result.outputs["geo_lift"]
    assert list(table.columns) == list(geolift_spec.OUTPUTS["geo_lift"])
    assert table["is_primary"].sum() == 1 and table["method"].nunique() == len(table)
    main_row = table[table["is_primary"]].iloc[0]
    # Spend doubled from a tenth of sales: +10 % of sales for +30 % of sales is a return of 3.
    assert main_row["iroas"] == pytest.approx(3, abs=0.5)
    assert main_row["iroas_ci_low"] < 3 < main_row["iroas_ci_high"]
    assert set(result.outputs["geo_lift_series"]["experiment_id"]) == {"T1"}


def test_geolift_job_turns_the_interval_of_a_holdout_the_right_way():
    features = geolift_features(lift=-0.2, spend_factor=0.0)
    row = geolift_job.fit(features, "all", seed=1, upstream={}).outputs["geo_lift"].iloc[0]
    assert row["spend_usd"] < 0 and row["incremental_revenue_usd"] < 0
    assert row["iroas_ci_low"] < row["iroas"] < row["iroas_ci_high"]
    assert row["iroas"] == pytest.approx(2, abs=0.5)


def test_geolift_job_refuses_when_no_experiment_has_run():
    features = geolift_features()
    late = features["feat_geo_lift_panel"].assign(
        start_date=pd.Timestamp("2030-01-01"), end_date=pd.Timestamp("2030-02-01")
    )
    with pytest.raises(Refusal, match="outside"):
        geolift_job.fit({**features, "feat_geo_lift_panel": late}, "all", seed=1, upstream={})
