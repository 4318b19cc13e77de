"""Design search, pre-registration and A/A tests."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from modeling.__main__ import main
from modeling.errors import Refusal
from modeling.geolift.design import Limits, evaluate, search
from modeling.geolift.panel import Panel
from modeling.geolift.placebo_tests import placebo_rate
from modeling.geolift.registration import registration


def panel(seed=0, geos=14, periods=70, noise=None):
    rng = np.random.default_rng(seed)
    t = np.arange(periods)
    spread = rng.uniform(0.02, 0.15, geos) if noise is None else np.full(geos, noise)
    values = rng.uniform(500, 5000, geos) * (1 + 0.1 * np.sin(2 * np.pi * t / 7))[:, None]
    values = values * np.exp(spread * rng.standard_normal((periods, geos)))
    days = pd.date_range("2025-01-01", periods=periods).strftime("%Y-%m-%d").tolist()
    return Panel(days, [f"g{i:02d}" for i in range(geos)], values)


def write(tmp_path, p):
    frame = pd.DataFrame(p.values, index=p.periods, columns=p.geos).rename_axis("date").reset_index()
    file = tmp_path / "panel.csv"
    frame.melt("date", var_name="geo", value_name="kpi").to_csv(file, index=False)
    return str(file)


def test_search_ranks_and_keeps_its_limits():
    world = panel()
    size = world.values.sum(axis=0) / world.values.sum()
    limits = Limits(counts=(1, 2), max_share=0.2, exclude=("g01",), include=("g03",))
    designs = search(world, 10, limits, keep=4)
    effects = [d.minimum_effect for d in designs]
    assert effects == sorted(effects)
    for d in designs:
        assert "g01" not in d.treated and "g03" in d.treated and len(d.treated) in (1, 2)
        assert sum(size[world.geos.index(g)] for g in d.treated) == pytest.approx(d.share)
        assert d.share <= 0.2
        assert list(d.power.values()) == sorted(d.power.values())
        assert 0 <= d.false_positive_rate <= 0.3 and d.tests > 10


def test_budget_limits_the_treated_sales():
    world = panel()
    cost = 0.1
    designs = search(world, 10, Limits(counts=(1,), budget=2_000, cost_per_kpi=cost), keep=3)
    assert all(d.cost <= 2_000 for d in designs)
    with pytest.raises(Refusal, match="limits"):
        search(world, 10, Limits(counts=(1,), budget=1, cost_per_kpi=cost))


def test_neighbours_of_the_treated_are_no_controls(monkeypatch):
    """With the best design's own neighbour named, the analysis behind the promise is told to leave it out."""
    from modeling.geolift import design

    left_out = []
    real = design.evaluate
    monkeypatch.setattr(
        design, "evaluate", lambda *a, **k: left_out.append((a[1], k["exclude"])) or real(*a, **k)
    )
    search(
        panel(),
        10,
        Limits(counts=(1,), include=("g03",), neighbours=(("g03", "g04"), ("g05", "g03"))),
        keep=1,
    )
    assert left_out == [(("g03",), ["g04", "g05"])]


def test_cells_are_disjoint_and_leave_each_other_alone():
    designs = search(panel(), 10, Limits(counts=(2,)), cells=2)
    assert len(designs) == 2 and {d.cell for d in designs} == {1, 2}
    assert not set(designs[0].treated) & set(designs[1].treated)


@pytest.mark.slow
def test_stated_minimum_effect_is_found_as_often_as_stated():
    """Plant the stated effect in fresh noise: about 80 % of the tests find it."""
    from modeling.geolift.analysis import analyse

    found, runs = 0, 40
    for seed in range(runs):
        world = panel(seed, noise=0.06)
        design = evaluate(world, ["g00"], 10)
        values = world.values.copy()
        values[-10:, 0] *= 1 + design.minimum_effect
        again = Panel(world.periods, world.geos, values)
        found += analyse(again, ["g00"], world.periods[-10], world.periods[-1]).p_value < 0.05
    assert 0.6 <= found / runs <= 0.95


def test_design_command_and_registration(tmp_path, capsys):
    world = panel()
    file, out = write(tmp_path, world), tmp_path / "plan"
    start, end = "2025-03-03", "2025-03-11"
    code = main(
        f"geolift design --panel {file} --duration 9 --out {out} --treated-counts 1,2 --start {start} --end {end}".split()
    )
    assert code == 0
    designs = pd.read_csv(out / "designs.csv")
    for column in ("rank", "treated", "minimum_detectable_effect_pct", "power", "aa_false_positive_rate"):
        assert designs[column].notna().all(), column
    assert designs["minimum_detectable_effect_pct"].is_monotonic_increasing
    registered = json.loads((out / "registration.json").read_text())
    treated = ",".join(registered["treated"])
    command = f"geolift --panel {file} --treated {treated} --end {end} --registration {out}/registration.json"
    assert main(f"{command} --start {start} --out {tmp_path}/a".split()) == 0
    capsys.readouterr()
    assert main(f"{command} --start 2025-03-02 --out {tmp_path}/b".split()) == 2
    assert "not what was registered: start 2025-03-02 instead of 2025-03-03" in capsys.readouterr().err
    assert main(f"{command} --start 2025-03-02 --deviate --out {tmp_path}/c".split()) == 0
    record = json.loads((tmp_path / "c" / "lift.json").read_text())
    assert record["deviations_from_registration"] == ["start 2025-03-02 instead of 2025-03-03"]
    assert json.loads((tmp_path / "a" / "lift.json").read_text())["deviations_from_registration"] == []


def test_edited_registration_is_refused(tmp_path, capsys):
    file = write(tmp_path, panel())
    body = registration("t1", ["g00"], "2025-03-01", "2025-03-10")
    (tmp_path / "r.json").write_text(json.dumps({**body, "start": "2025-02-20"}))
    code = main(
        f"geolift --panel {file} --treated g00 --start 2025-02-20 --end 2025-03-10 --out {tmp_path}/o "
        f"--registration {tmp_path}/r.json".split()
    )
    assert code == 2 and "changed after it was registered" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("--duration 40", "too few"),
        ("--duration x", "--duration"),
        ("--duration 5 --budget 10", "--cost-per-kpi"),
        ("--duration 5 --max-share 2", "--max-share"),
        ("--duration 5 --include nowhere", "nowhere"),
    ],
)
def test_design_command_refuses_in_one_line(tmp_path, capsys, extra, says):
    code = main(f"geolift design --panel {write(tmp_path, panel())} --out {tmp_path}/o {extra}".split())
    error = capsys.readouterr().err.strip()
    assert code == 2 and says in error and "\n" not in error
    assert not (tmp_path / "o").exists()


def test_placebo_rate_counts_and_avoids_busy_geographies():
    world = panel(geos=16, periods=60)
    rate = placebo_rate(world, 6, tests=30, donors=8, treated=(1, 2), min_history=30, seed=2)
    assert rate.tests == 30 and rate.low <= rate.rate <= rate.high
    values = world.values.copy()
    values[40:, 0] *= 3  # a real test that must not be mistaken for history without one
    busy = [("g00", world.periods[34], world.periods[-1])]
    hit = Panel(world.periods, world.geos, values)
    quiet = placebo_rate(hit, 6, tests=30, donors=8, treated=(1, 2), min_history=34, busy=busy, seed=2)
    clean = placebo_rate(world, 6, tests=30, donors=8, treated=(1, 2), min_history=34, busy=busy, seed=2)
    assert quiet == clean
    with pytest.raises(Refusal):
        placebo_rate(world, 6, donors=40)
