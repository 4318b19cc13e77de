"""The what-if reads stored curves: hand calculation, laws, refusals; and the period rules."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import answers, whatif
from dashboard.filters import PERIODS, Filters, known, last_complete_saturday, period
from dashboard.reader import Snapshot
from tests.dashboard.pages import open_page


def curve(channel: str, slope: float, spread: float, top: float = 200.0) -> pd.DataFrame:
    xs = [0.0, 50.0, 100.0, 150.0, top]
    return pd.DataFrame(
        {
            "channel_id": channel,
            "spend_per_week_usd": xs,
            "incremental_revenue_usd": [slope * x for x in xs],
            "p05_usd": [slope * x * (1 - spread) for x in xs],
            "p95_usd": [slope * x * (1 + spread) for x in xs],
            "is_observed": [x <= 150 for x in xs],
        }
    )


CURVES = pd.concat([curve("a", 0.5, 0.2), curve("b", 2.0, 0.3)], ignore_index=True)
SPEND = {"a": 100.0, "b": 100.0}


def test_hand_calculation() -> None:
    move = whatif.move(CURVES, SPEND, "a", "b", 40)
    assert (move.lost_usd, move.gained_usd, move.net_usd) == pytest.approx((20, 80, 60))
    sd = ((0.2 * 20 * 2 / (2 * whatif.Z90)) ** 2 + (0.3 * 80 * 2 / (2 * whatif.Z90)) ** 2) ** 0.5
    assert (move.p05_usd, move.p95_usd) == pytest.approx((60 - whatif.Z90 * sd, 60 + whatif.Z90 * sd))
    assert move.probability_of_gain > 0.99 and not move.is_extrapolated


@settings(deadline=None, max_examples=60)
@given(st.floats(0.1, 99.0))
def test_there_and_back_cancels_on_straight_curves(amount: float) -> None:
    one, two = whatif.move(CURVES, SPEND, "a", "b", amount), whatif.move(CURVES, SPEND, "b", "a", amount)
    assert one.net_usd == pytest.approx(-two.net_usd)
    assert one.probability_of_gain == pytest.approx(1 - two.probability_of_gain)
    assert one.p05_usd <= one.net_usd <= one.p95_usd


def test_the_matrix_of_shifts_is_every_move_at_once() -> None:
    """Straight curves: antisymmetric, and two steps add up. A bent curve: each cell is the move's own answer."""
    three = pd.concat([CURVES, curve("c", 1.0, 0.1)], ignore_index=True)
    spend = {"a": 100.0, "b": 100.0, "c": 100.0}
    net = whatif.shifts(three, spend, 10)
    assert np.isnan(np.diag(net)).all()
    np.testing.assert_allclose(net.fillna(0), -net.fillna(0).T)
    assert net.loc["a", "b"] == pytest.approx(net.loc["a", "c"] + net.loc["c", "b"]) == pytest.approx(15)
    bent = three.assign(incremental_revenue_usd=three.incremental_revenue_usd.abs() ** 0.7)
    net = whatif.shifts(bent, spend | {"c": 5.0}, 10)
    assert net.loc["a", "b"] == pytest.approx(whatif.move(bent, spend, "a", "b", 10).net_usd)
    assert net.loc["c"].isna().all() and net["c"].notna().sum() == 2, "c has nothing to give, but may take"
    small = whatif.shifts(bent, dict.fromkeys(spend, 90.0), 0.01)  # between two stored levels
    assert abs(small.loc["a", "b"] - small.loc["a", "c"] - small.loc["c", "b"]) < 0.02 * abs(
        small.loc["a", "b"]
    )


def test_the_page_shows_every_pair(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_PATH", str(serving))
    page = open_page("budget")
    cells = {k: v for k, v in page.figures.items() if k.startswith("shift.")}
    rows = {k.split(".")[1] for k in cells}
    columns = {k.split(".")[2] for k in cells}
    assert len(rows) == len(columns) > 5 and sum(v is not None for v in cells.values()) > len(rows)


def test_beyond_observed_spend_is_said() -> None:
    assert whatif.move(CURVES, SPEND, "a", "b", 60).is_extrapolated


@pytest.mark.parametrize("source, target, amount, words", [
    ("a", "a", 10, "differ"), ("x", "b", 10, "No response curve"), ("a", "b", 0, "positive"), ("a", "b", -1, "positive"),
    ("a", "b", float("nan"), "positive"), ("a", "b", float("inf"), "positive"), ("a", "b", 101, "no more than that"),
])  # fmt: skip
def test_refusals(source: str, target: str, amount: float, words: str) -> None:
    with pytest.raises(whatif.WhatIfError, match=words):
        whatif.move(CURVES, SPEND, source, target, amount)


def test_outside_the_stored_curve_is_refused() -> None:
    with pytest.raises(whatif.WhatIfError, match="outside the stored curve"):
        whatif.move(CURVES, {"a": 150.0, "b": 150.0}, "a", "b", 100)


@given(st.sampled_from(list(PERIODS)), st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 900))
def test_periods_are_whole_published_weeks(name: str, last: date, days: int) -> None:
    first = last - timedelta(days=days)
    start, end = period(name, first, last)
    assert start <= end <= last and end.weekday() == 5 and end == last_complete_saturday(last)
    assert start >= first or start == end


def test_filters_bind_their_values() -> None:
    where, values = Filters("b", date(2026, 1, 1), date(2026, 1, 2), channels=("x' or 1=1 --",)).where(
        "channel_id"
    )
    assert "or 1=1" not in where and values[-1] == "x' or 1=1 --"
    assert known(["youtube", "'; drop table x"], ["youtube", "hulu"]) == ("youtube",)


def stored(serving: Path) -> tuple[pd.DataFrame, pd.DataFrame, Snapshot]:
    snap = Snapshot(serving, "test")
    everything = Filters("swiftpod", date.min, date.max)
    return answers.curves(snap, everything), answers.every_plan(snap, "swiftpod"), snap


def test_the_move_agrees_with_the_stored_plan_where_they_overlap(own_copy: Path) -> None:
    """The stored plan that moves money from retargeting to CTV, asked of the slider's function: the same answer."""
    curves, plans, snap = stored(own_copy)
    now = whatif.start(plans)
    weeks = float(plans.horizon_weeks.iloc[0])
    moved = plans[(plans.scenario == "move_5m") & (plans.channel_id == "ctv_other")].spend_usd.iloc[0] / weeks
    wanted = snap.value(
        "select incremental_revenue_usd::double from marts.fct_budget_scenario where scenario = 'move_5m' and channel_id = 'all' and brand_id = 'swiftpod'"
    )
    amount = moved - now["ctv_other"]
    told = whatif.move(curves, now, "meta_retargeting", "ctv_other", amount, plans)
    assert told.net_usd * weeks == pytest.approx(wanted, rel=1e-6)
    untied = whatif.move(curves, now, "meta_retargeting", "ctv_other", amount)
    assert abs(untied.net_usd * weeks - wanted) > 0.01 * abs(wanted), (
        "without the tie the curve alone says otherwise"
    )
    snap.close()


def test_every_stored_level_is_met(own_copy: Path) -> None:
    """Each plan's change of each channel, where it is one that the curve can carry, is what the tied curve says."""
    curves, plans, snap = stored(own_copy)
    now, checked = whatif.start(plans), 0
    for channel in now:
        curve = curves[curves.channel_id == channel].sort_values("spend_per_week_usd")
        levels, ratios = whatif.tie(plans, curve, channel, now[channel])
        base = whatif.at(curve, now[channel])[0]
        for row in plans[(plans.channel_id == channel) & (plans.scenario != "current")].itertuples():
            level = row.spend_usd / row.horizon_weeks
            if level in levels:
                ratio = float(np.interp(level, levels, ratios))
                assert ratio * (whatif.at(curve, level)[0] - base) * row.horizon_weeks == pytest.approx(
                    row.incremental_revenue_usd, rel=1e-6
                )
                checked += 1
    assert checked >= 12
    snap.close()


@pytest.fixture
def own_copy(serving: Path, tmp_path: Path) -> Path:
    """A copy, because closing a snapshot removes its file."""
    return Path(shutil.copy(serving, tmp_path / "serving.duckdb"))
