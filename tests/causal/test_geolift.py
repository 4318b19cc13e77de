"""Geo lift: the published case, known effects, awkward panels, and what the command refuses."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling.__main__ import main
from modeling.errors import Refusal
from modeling.geolift import inference
from modeling.geolift.analysis import Options, analyse
from modeling.geolift.control import METHODS, donor_weights, left_out_residuals, simplex_weights
from modeling.geolift.noise import mean_difference_variance
from modeling.geolift.panel import Panel, build_panel, find_geos, parse_periods

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "geolift" / "GeoLift_Test.csv"


def world(seed=0, geos=12, before=60, after=14, lift=0.0, add=0.0, noise=0.04, treated=1):
    """Multiplicative panel with a shared trend and week; the first ``treated`` geographies get the effect."""
    rng = np.random.default_rng(seed)
    count = before + after
    t = np.arange(count)
    shape = (1 + 0.002 * t) * (1 + 0.1 * np.sin(2 * np.pi * t / 7))
    values = (
        rng.uniform(500, 5000, geos) * shape[:, None] * np.exp(noise * rng.standard_normal((count, geos)))
    )
    values[before:, :treated] = values[before:, :treated] * (1 + lift) + add
    days = pd.date_range("2025-01-01", periods=count).strftime("%Y-%m-%d")
    names = [f"geo {g}" for g in range(geos)]
    frame = pd.DataFrame(values, index=days, columns=names).rename_axis("date").reset_index()
    return frame.melt("date", var_name="geo", value_name="kpi"), days[before], days[-1], names[:treated]


def write(tmp_path, frame, name="panel.csv"):
    file = tmp_path / name
    frame.to_csv(file, index=False)
    return str(file)


def run(tmp_path, frame, start, end, treated, *extra):
    out = tmp_path / "out"
    command = [
        "geolift",
        "--panel",
        write(tmp_path, frame),
        "--treated",
        ",".join(treated),
        "--out",
        str(out),
    ]
    code = main([*command, "--start", start, "--end", end, *extra])
    return code, (json.loads((out / "lift.json").read_text()) if code == 0 else None), out


@pytest.mark.skipif(not SHARED.is_file(), reason="the shared panel is not here")
def test_published_case(tmp_path):
    frame = pd.read_csv(SHARED)
    code, lift, out = run(
        tmp_path, frame, "2021-04-01", "2021-04-15", ["chicago", "portland"], "--spend", "1000"
    )
    assert code == 0
    assert lift["method"] == "synthetic_control"
    assert lift["att"] == pytest.approx(155.6, abs=0.05)
    assert lift["lift_pct"] == pytest.approx(5.4, abs=0.05)
    assert lift["incremental"] == pytest.approx(4667, abs=1)
    assert lift["p_value"] < 0.05 and lift["ci_low"] > 0
    assert lift["iroas"] == pytest.approx(lift["incremental"] / 1000)
    table = pd.read_csv(out / "counterfactual.csv")
    assert list(table.columns) == ["date", "observed", "counterfactual", "low", "high"]
    test = table[table["date"] >= "2021-04-01"]
    assert (test["observed"] - test["counterfactual"]).sum() == pytest.approx(lift["incremental"])


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("treated", [1, 3])
def test_known_lift_is_found_and_the_record_adds_up(tmp_path, method, treated):
    frame, start, end, names = world(seed=3, lift=0.2, treated=treated)
    code, lift, out = run(tmp_path, frame, start, end, names, "--method", method)
    assert code == 0
    assert lift["ci_low"] < 20 < lift["ci_high"]
    assert lift["lift_pct"] == pytest.approx(20, abs=6)
    assert lift["p_value"] < 0.01
    assert lift["incremental"] == pytest.approx(lift["att"] * treated * 14)
    table = pd.read_csv(out / "counterfactual.csv")
    test = table[table["date"] >= start]
    assert (test["observed"] - test["counterfactual"]).sum() == pytest.approx(lift["incremental"], rel=1e-9)
    assert lift["lift_pct"] == pytest.approx(100 * lift["incremental"] / test["counterfactual"].sum())


def test_no_effect_is_not_found():
    frame, start, end, names = world(seed=4)
    result = analyse(build_panel(frame["date"], frame["geo"], frame["kpi"]), names, start, end)
    assert result.p_value > 0.05 and result.lift_low < 0 < result.lift_high


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    test=st.sampled_from(["t", "conformal", "placebo"]),
    lift=st.sampled_from([0.0, 0.03, 0.06]),
    confidence=st.sampled_from([0.8, 0.9, 0.95]),
    noise=st.sampled_from([0.02, 0.1]),
)
def test_p_value_and_interval_never_contradict_each_other(seed, test, lift, confidence, noise):
    frame, start, end, names = world(seed=seed, geos=21, before=24, after=6, lift=lift, noise=noise)
    panel = build_panel(frame["date"], frame["geo"], frame["kpi"])
    result = analyse(panel, names, start, end, Options(test=test, confidence=confidence))
    outside = result.lift_low > 0 or (result.lift_high is not None and result.lift_high < 0)
    assert outside == (result.p_value < 1 - confidence - 1e-12)
    assert result.lift_low <= result.lift <= (result.lift_high if result.lift_high is not None else np.inf)
    assert (result.att_low > 0 or result.att_high < 0) == outside


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-3, 3))
def test_conformal_interval_is_the_inversion_of_its_p_value(seed, shift):
    rng = np.random.default_rng(seed)
    gap = rng.standard_normal(40)
    test = np.arange(40) >= 30
    gap[test] += shift
    result = inference.conformal(gap, test, 0.9)

    def p_of(effect):
        moved = gap - effect * test
        own = abs(moved[test].mean() - moved[~test].mean())
        rolled = [np.roll(moved, -s) for s in range(40)]
        return np.mean([abs(m[test].mean() - m[~test].mean()) >= own - 1e-12 for m in rolled])

    assert result.p_value == pytest.approx(p_of(0.0))
    for end, inside in ((result.low, 1), (result.high, -1)):
        assert p_of(end + inside * 1e-6) >= 0.1
        assert p_of(end - inside * 1e-6) < 0.1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), donors=st.integers(2, 25), ridge=st.sampled_from([0.0, 3.0]))
def test_simplex_weights_are_optimal(seed, donors, ridge):
    """First-order conditions: no direction along the simplex improves the fit."""
    rng = np.random.default_rng(seed)
    moves, goal = rng.standard_normal((30, donors)) * rng.uniform(0.1, 50), rng.standard_normal(30)
    moves, goal = moves - moves.mean(axis=0), goal - goal.mean()
    towards = np.full(donors, 1 / donors)
    weights = simplex_weights(moves, goal, ridge=ridge, towards=towards)
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    scale = np.sqrt((moves**2).sum() / donors)
    slope = moves.T @ (moves @ weights - goal) / scale**2 + ridge * (weights - towards)
    assert (slope[weights > 0] <= slope.min() + 1e-6 * max(1, np.abs(slope).max())).all()


@given(rho=st.floats(0, 0.95), before=st.integers(1, 60), after=st.integers(1, 40))
def test_mean_difference_variance_equals_the_matrix_form(rho, before, after):
    count = before + after
    correlation = (
        rho ** np.abs(np.subtract.outer(np.arange(count), np.arange(count))) if rho else np.eye(count)
    )
    contrast = np.concatenate([np.full(before, -1 / before), np.full(after, 1 / after)])
    assert mean_difference_variance(rho, before, after) == pytest.approx(
        contrast @ correlation @ contrast, rel=1e-6
    )


@pytest.mark.parametrize("shape", [(104, 30, 8), (21, 1, 4), (30, 2, 30), (11, 5, 3)])
def test_left_out_gaps_are_those_of_a_fit_without_the_block(shape: tuple[int, int, int]) -> None:
    weeks, count, length = shape
    draw = np.random.default_rng(weeks)
    donors = draw.normal(0, 2, count) + draw.normal(0, 0.1, (weeks, 1)) + draw.normal(0, 0.05, (weeks, count))
    target = donors.mean(axis=1) + draw.normal(0, 0.05, weeks)
    edges = np.linspace(0, weeks, max(weeks // max(2, min(length, weeks // 5)), 2) + 1).astype(int)
    for method in METHODS:
        expected = []
        for first, last in itertools.pairwise(edges):
            train = np.r_[:first, last:weeks]
            weights = donor_weights(method, target[train], donors[train])
            gap = target - donors @ weights
            expected += list(gap[first:last] - gap[train].mean())
        assert left_out_residuals(method, target, donors, length) == pytest.approx(expected, abs=1e-12)


def test_donor_with_its_own_shock_is_left_out_and_named():
    frame, start, end, names = world(seed=6, lift=0.1)
    frame.loc[(frame["geo"] == "geo 5") & (frame["date"] >= start), "kpi"] *= 2
    result = analyse(build_panel(frame["date"], frame["geo"], frame["kpi"]), names, start, end)
    assert result.dropped_donors == ["geo 5"]
    assert result.lift_low < 0.1 < result.lift_high
    assert any("geo 5" in note for note in result.notes)


def test_pre_period_spike_of_the_treated_series_does_not_move_the_answer():
    frame, start, end, names = world(seed=7, lift=0.1)
    clean = analyse(build_panel(frame["date"], frame["geo"], frame["kpi"]), names, start, end)
    frame.loc[(frame["geo"] == names[0]) & (frame["date"] == "2025-01-20"), "kpi"] *= 10
    dirty = analyse(build_panel(frame["date"], frame["geo"], frame["kpi"]), names, start, end)
    assert dirty.lift == pytest.approx(clean.lift, abs=0.01)
    assert any("outlier" in note for note in dirty.notes)


def test_negative_and_zero_weeks_are_handled_on_levels():
    frame, start, end, names = world(seed=8, add=400)
    frame["kpi"] -= 1.05 * frame.loc[frame["geo"] == names[0], "kpi"].min()
    frame.loc[3, "kpi"] = 0
    result = analyse(build_panel(frame["date"], frame["geo"], frame["kpi"]), names, start, end)
    assert not result.method.endswith("_log")
    assert result.att_low < 400 < result.att_high


def test_lift_does_not_exist_without_a_positive_counterfactual():
    frame, start, end, names = world(seed=8, add=100)
    frame.loc[frame["geo"] == names[0], "kpi"] -= 20_000
    result = analyse(build_panel(frame["date"], frame["geo"], frame["kpi"]), names, start, end)
    assert result.lift is None and result.lift_low is None
    assert np.isfinite([result.att, result.att_low, result.att_high]).all()


def test_few_donors_and_short_history_still_answer():
    frame, start, end, names = world(seed=9, geos=2, before=10, after=4, lift=0.1)
    result = analyse(build_panel(frame["date"], frame["geo"], frame["kpi"]), names, start, end)
    assert result.lift_low < 0.1 < result.lift_high
    assert any("donor" in note for note in result.notes)


def test_donor_blanks_are_filled_or_the_donor_leaves(tmp_path):
    frame, start, end, names = world(seed=10, lift=0.1)
    frame.loc[(frame["geo"] == "geo 4") & (frame["date"] < "2025-02-01"), "kpi"] = np.nan
    frame.loc[(frame["geo"] == "geo 3") & (frame["date"] == "2025-01-05"), "kpi"] = np.nan
    code, lift, _ = run(tmp_path, frame, start, end, names)
    assert code == 0 and lift["ci_low"] < 10 < lift["ci_high"]
    notes = " ".join(lift["notes"])
    assert "geo 4" in notes and "1 blank cells filled" in notes


def test_treated_blank_in_the_test_is_refused_and_in_the_history_left_out():
    frame, start, end, names = world(seed=10)
    early = frame.copy()
    early.loc[(early["geo"] == names[0]) & (early["date"] == "2025-01-05"), "kpi"] = np.nan
    panel = build_panel(early["date"], early["geo"], early["kpi"], must_have=names, test=(start, end))
    assert len(panel.periods) == 73
    frame.loc[(frame["geo"] == names[0]) & (frame["date"] == end), "kpi"] = np.nan
    with pytest.raises(Refusal, match="no KPI in the test"):
        build_panel(frame["date"], frame["geo"], frame["kpi"], must_have=names, test=(start, end))


def test_spillover_is_tested_apart_and_never_enters_the_control(tmp_path):
    """A neighbour that felt the test: left out of the control and tested itself, so the lift stays what it is."""
    frame, start, end, names = world(seed=8, lift=0.2, noise=0.02)
    felt = (frame["geo"] == "geo 1") & (frame["date"] >= start)
    frame.loc[felt, "kpi"] *= 1.10
    code, lift, out = run(tmp_path, frame, start, end, names, "--exclude", "geo 1")
    assert code == 0
    assert lift["spillover"]["geos"] == ["geo 1"] and lift["spillover"]["ci_low"] > 0
    assert lift["spillover"]["lift_pct"] == pytest.approx(10, abs=4)
    assert "geo 1" not in set(pd.read_csv(out / "weights.csv")["geo"])
    assert lift["ci_low"] < 20 < lift["ci_high"]


def test_washout_is_reported_apart(tmp_path):
    frame, start, _, names = world(seed=11, lift=0.2)
    middle = "2025-03-08"
    code, lift, _ = run(tmp_path, frame, start, middle, names, "--washout", "4")
    assert code == 0
    assert lift["washout"]["periods"] == 4 and lift["washout"]["incremental"] > 0
    assert lift["incremental"] == pytest.approx(lift["att"] * 7)


def test_command_reads_other_columns_numbers_as_names_and_counted_periods(tmp_path):
    frame, start, _end, _ = world(seed=12, lift=0.15)
    frame["geo"] = frame["geo"].str.replace("geo ", "05")
    days = sorted(frame["date"].unique())
    frame["date"] = frame["date"].map({d: i + 1 for i, d in enumerate(days)})
    frame = frame.rename(columns={"date": "tag", "geo": "ort", "kpi": "umsatz"}).sample(
        frac=1, random_state=1
    )
    first = str(days.index(start) + 1)
    code, lift, out = run(
        tmp_path, frame, first, str(len(days)), ["050"],
        "--date-column", "tag", "--geo-column", "ort", "--kpi-column", "umsatz",
    )  # fmt: skip
    assert code == 0 and lift["ci_low"] < 15 < lift["ci_high"]
    assert pd.read_csv(out / "counterfactual.csv")["date"].tolist() == list(range(1, len(days) + 1))


def test_missing_periods_are_said_and_dates_may_be_in_the_files_format(tmp_path):
    frame, start, end, names = world(seed=2, lift=0.1)
    days = sorted(frame["date"].unique())
    frame = frame[~frame["date"].isin(days[10:12])]
    code, lift, _ = run(tmp_path, frame, start, end, names)
    assert code == 0 and f"2 periods are missing in every geography (first after {days[9]})" in lift["notes"]
    frame["date"] = pd.to_datetime(frame["date"]).dt.strftime("%d/%m/%Y")
    first, last = (pd.Timestamp(d).strftime("%d/%m/%Y") for d in (start, end))
    code, again, _ = run(tmp_path, frame, first, last, names, "--date-format", "%d/%m/%Y")
    assert code == 0 and again["att"] == lift["att"]


def test_duplicates_need_a_meaning(tmp_path):
    frame, start, end, names = world(seed=13, lift=0.1)
    half = frame.assign(kpi=frame["kpi"] / 2)
    code, summed, _ = run(tmp_path, pd.concat([half, half]), start, end, names, "--duplicates", "sum")
    assert code == 0
    _, once, _ = run(tmp_path, frame, start, end, names)
    assert summed["lift_pct"] == pytest.approx(once["lift_pct"])


def test_names_with_commas_and_other_letter_case():
    geos = ["washington, dc", "Boston", "new york"]
    assert find_geos("Washington, DC,boston", geos) == ["washington, dc", "Boston"]


def test_slashed_dates_are_read_only_where_one_order_fits():
    assert parse_periods(pd.Series(["01/02/2025", "01/13/2025"])).tolist() == ["2025-01-02", "2025-01-13"]
    assert parse_periods(pd.Series(["20250102", "20250113"])).tolist() == ["2025-01-02", "2025-01-13"]
    with pytest.raises(ValueError, match="--date-format"):
        parse_periods(pd.Series(["01/02/2025", "01/03/2025"]))


def refusals():
    frame, start, end, names = world(seed=1, geos=5)
    yield "three rows", frame.head(3), start, end, names, [], "3 rows"
    yield "one geography", frame[frame["geo"] == "geo 0"], start, end, names, [], "one geography"
    yield "unknown name", frame, start, end, ["geo 9"], [], "did you mean"
    yield "start outside", frame, "2024-01-01", end, names, [], "outside"
    yield "end outside", frame, start, "2026-01-01", names, [], "outside"
    yield "reversed", frame, end, start, names, [], "after"
    yield "no date", frame, "soon", end, names, [], "not a date"
    yield "no history", frame, "2025-01-03", end, names, [], "too few"
    yield "all treated", frame, start, end, [f"geo {g}" for g in range(5)], [], "none left"
    yield "twice", frame, start, end, ["geo 0", "geo 0"], [], "twice"
    yield "duplicates", pd.concat([frame, frame.head(1)]), start, end, names, [], "--duplicates"
    yield "text kpi", frame.assign(kpi="many"), start, end, names, [], "not a number"
    yield "no kpi column", frame.rename(columns={"kpi": "x"}), start, end, names, [], "KPI"
    yield "still", frame.assign(kpi=1.0), start, end, names, [], "does not move"
    yield "bad spend", frame, start, end, names, ["--spend", "free"], "--spend"
    yield "bad method", frame, start, end, names, ["--method", "magic"], "magic"
    yield "bad test", frame, start, end, names, ["--test", "magic"], "magic"
    yield "bad confidence", frame, start, end, names, ["--confidence", "95"], "--confidence"
    yield "bad dates", frame.assign(date="someday"), start, end, names, [], "not a date"
    yield (
        "log of negatives",
        frame.assign(kpi=-frame["kpi"]),
        start,
        end,
        names,
        ["--method", "did_log"],
        "positive",
    )


@pytest.mark.parametrize("case", list(refusals()), ids=lambda c: c[0])
def test_command_refuses_in_one_line(tmp_path, capsys, case):
    _, frame, start, end, treated, extra, says = case
    code, _, out = run(tmp_path, frame, start, end, treated, *extra)
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert says in error and "\n" not in error
    assert not out.exists()


def test_panel_keeps_order_of_counted_periods():
    panel = build_panel(
        pd.Series(["2", "10", "1", "2", "10", "1"]),
        pd.Series(list("aaabbb")),
        pd.Series([1.0, 2, 3, 4, 5, 6]),
    )
    assert isinstance(panel, Panel) and panel.periods == ["1", "2", "10"]
    assert panel.values[:, 0].tolist() == [3.0, 1.0, 2.0]
