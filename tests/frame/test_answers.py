"""The answers that the demo prints: figures of the marts, the truth beside them, never a traceback."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from serving.answers import answers


@pytest.fixture
def served(tmp_path: Path) -> Path:
    path = tmp_path / "serving.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("create schema marts")
        db.execute(
            """create table marts.fct_budget_scenario as select * from (values
            ('b', 'move_5m', 'tv', 6e6, 3e6, 4e6, 3e6, 5e6, 0.9, true, 12),
            ('b', 'move_5m', 'mail', 1e6, -3e6, -1e6, -2e6, 0.0, 0.2, false, 12),
            ('b', 'move_5m', 'all', 7e6, 0.0, 3e6, 1e6, 5e6, 0.95, true, 12),
            ('other', 'move_5m', 'all', 7e6, 0.0, 9e9, 1e6, 5e6, 0.95, true, 12)
            ) t(brand_id, scenario, channel_id, spend_usd, spend_change_usd, incremental_revenue_usd, p05_usd,
                p95_usd, probability_of_gain, is_extrapolated, horizon_weeks)"""
        )
    return path


def test_a_scenario_states_gain_interval_chance_and_what_is_beyond_the_data(served: Path) -> None:
    said = {a.question: a for a in answers(served, "b")}["What happens if $5M moves?"]
    assert "$3.00M revenue against the current plan [$1.00M, $5.00M], probability of a gain 0.95" in said.text
    assert "mail -$3.00M; tv $3.00M" in said.text
    assert said.text.endswith("beyond observed spend for tv")
    assert said.truth == ""


def test_the_truth_beside_a_plan_is_read_off_the_true_response(served: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    # twelve launch weeks: TV returns 2 per $1 up to 4M and 1 beyond, mail returns nothing
    (truth / "response.csv").write_text(
        "channel,multiple,launch_weeks,launch_spend,launch_contribution,launch_tail_contribution\n"
        "tv,0,12,0,0,0\ntv,1,12,4e6,7e6,1e6\ntv,2,12,8e6,10e6,2e6\nmail,0,12,0,0,0\nmail,1,12,4e6,0,0\n"
    )
    said = {a.question: a for a in answers(served, "b", truth)}["What happens if $5M moves?"]
    assert said.truth == "$4.00M, by the launch's own response"  # from 3M (6M) to 6M (10M)


def test_marts_that_are_missing_give_a_reason(served: Path) -> None:
    by = {a.question: a for a in answers(served, "b")}
    assert len(by) == 6
    for question, answer in by.items():
        if "$5M" not in question:
            assert answer.text.startswith("not answered by the published marts (")
