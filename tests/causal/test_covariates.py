"""Other causes that move unevenly over places: they are taken out, and what is reported stays what was sold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.geolift_panels import Draw, price_moves, uneven_media
from benchmarks.geolift_study import panel_of
from modeling.__main__ import main
from modeling.geolift.analysis import Lift, Options, analyse
from modeling.geolift.covariates import adjust, media_pressure
from modeling.geolift.job import _evened, _with_causes, planned_media
from modeling.geolift.panel import Panel

EFFECT = 0.075


def lift_of(draw: Draw, *, told: bool, method: str = "did_log") -> Lift:
    panel = panel_of(draw)
    panel = panel if told else replace(panel, covariates={})
    return analyse(panel, ["treated"], str(draw.pre), str(len(draw.observed) - 1), Options(method=method))


@pytest.mark.parametrize("kind", [uneven_media, price_moves])
def test_known_causes_bring_the_estimate_nearer_and_the_interval_in(kind: Callable[..., Draw]) -> None:
    errors: dict[bool, list[float]] = {True: [], False: []}
    widths: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(12):
        draw = kind(np.random.default_rng([3, seed]), EFFECT)
        true = draw.observed[draw.pre :].sum() / draw.counterfactual[draw.pre :].sum() - 1
        for told in errors:
            found = lift_of(draw, told=told)
            assert found.lift is not None and found.lift_low is not None and found.lift_high is not None
            errors[told].append(found.lift - true)
            widths[told].append(found.lift_high - found.lift_low)
    assert np.square(errors[True]).mean() < 0.8 * np.square(errors[False]).mean()
    assert np.mean(widths[True]) < 0.9 * np.mean(widths[False])


@pytest.mark.parametrize("method", ["did_log", "synthetic_control"])
def test_what_is_reported_is_what_was_sold(method: str) -> None:
    draw = uneven_media(np.random.default_rng(5), EFFECT)
    found = lift_of(draw, told=True, method=method)
    np.testing.assert_allclose(found.observed, draw.observed)
    test = slice(draw.pre, None)
    assert (found.observed - found.counterfactual)[test].sum() == pytest.approx(found.incremental)
    assert found.lift == pytest.approx(found.incremental / found.counterfactual[test].sum())
    assert (found.low < found.counterfactual).all() and (found.counterfactual < found.high).all()
    assert (found.p_value < 0.05) == (found.att_low > 0 or found.att_high < 0)


def test_a_cause_that_moves_alike_everywhere_changes_nothing() -> None:
    draw = uneven_media(np.random.default_rng(6), EFFECT, told=False)
    plain = panel_of(draw)
    season = np.sin(np.arange(len(plain.periods)))[:, None] * np.ones(len(plain.geos))
    found = analyse(replace(plain, covariates={"season": season}), ["treated"], "60", "65")
    assert "covariates that move alike everywhere: season" in found.notes
    assert found.att == analyse(plain, ["treated"], "60", "65").att


def test_noise_for_a_cause_hardly_changes_the_answer() -> None:
    rng = np.random.default_rng(7)
    draw = uneven_media(rng, EFFECT, told=False)
    plain = panel_of(draw)
    noise = {f"noise {k}": rng.standard_normal(plain.values.shape) for k in range(3)}
    with_noise = analyse(replace(plain, covariates=noise), ["treated"], "60", "65", Options(method="did_log"))
    without = analyse(plain, ["treated"], "60", "65", Options(method="did_log"))
    assert with_noise.lift == pytest.approx(without.lift, abs=0.3 * without.noise["standard_error"])


def test_coefficients_are_those_planted_and_know_their_error() -> None:
    misses = []
    for seed in range(40):
        rng = np.random.default_rng([8, seed])
        x = rng.standard_normal((30, 12))
        level = rng.normal(8, 1, 12) + rng.normal(0, 0.1, 30)[:, None]
        values = np.exp(level - 0.2 * x + rng.normal(0, 0.3, (30, 12)))
        known = np.ones_like(values, dtype=bool)
        known[20:, 0] = False
        values[20:, 0] *= 5  # what the test did must not be learnt from
        fitted = adjust(values, {"price": x}, known)
        spread = np.sqrt((fitted.moves[known] ** 2).mean())
        moved = fitted.moves[..., 0]
        scale = (x[0, 1] - x[0, 2] - x[1, 1] + x[1, 2]) / (
            moved[0, 1] - moved[0, 2] - moved[1, 1] + moved[1, 2]
        )
        beta = float(fitted.coefficients[0]) / scale
        misses.append((beta + 0.2) / (np.sqrt(fitted.covariance[0, 0]) / scale))
        assert 0.9 < spread < 1.1
    assert 0.6 < np.std(misses) < 1.6
    assert abs(np.mean(misses)) < 1  # the ridge draws a little towards zero


def test_a_kpi_below_zero_is_adjusted_by_adding() -> None:
    rng = np.random.default_rng(9)
    price = rng.normal(0, 1, (50, 10))
    season = rng.normal(0, 5, 50)[:, None]
    values = season + 12 - 8 * price + rng.normal(0, 1, (50, 10))
    values[40:, 0] += 20
    assert (values < 0).any()
    names = [f"g{j}" for j in range(10)]
    panel = Panel([str(t) for t in range(50)], names, values, covariates={"price": price})
    found = analyse(panel, ["g0"], "40", "49")
    assert found.att == pytest.approx(20, abs=2)
    assert (found.observed - found.counterfactual)[40:].mean() == pytest.approx(found.att, abs=1e-6)


def test_media_are_carried_over_and_flatten() -> None:
    spend = np.zeros((10, 2))
    spend[5] = [100.0, 200.0]
    one = media_pressure(spend, np.array([10.0, 10.0]), half_life=1.0)
    assert (one[:5] == 0).all() and (np.diff(one[5:], axis=0) < 0).all()
    assert one[5, 0] < one[5, 1] < 2 * one[5, 0]
    even = media_pressure(np.full((6, 2), 7.0), np.array([1.0, 3.0]), half_life=1.0)
    np.testing.assert_allclose(even, even[:1].repeat(6, axis=0))
    assert (media_pressure(np.zeros((6, 2)), np.ones(2), 1.0) == 0).all()


def media_rows() -> pd.DataFrame:
    weeks = pd.date_range("2026-01-04", periods=4, freq="7D")
    rows = [
        (w, d, c, float(i + 1), g, chase)
        for c, g, chase in (
            ("youtube", "video", False), ("hulu", "video", False),
            ("search_brand", "search", True), ("coupon", "crm", False),
        )
        for i, w in enumerate(weeks)
        for d in ("501", "502")
    ]  # fmt: skip
    columns = ["week_start_date", "dma_id", "channel_id", "spend_usd", "channel_group", "is_demand_chasing"]
    return pd.DataFrame(rows, columns=columns)


def test_neither_the_tested_channel_nor_what_follows_demand_is_a_covariate() -> None:
    media = planned_media({"feat_mmm_media_week": media_rows()})
    assert set(media) == {"youtube", "hulu"}
    weeks = ["2026-01-04", "2026-01-18"]
    panel = _with_causes(Panel(weeks, ["501", "502"], np.ones((2, 2))), {}, media, "youtube")
    assert set(panel.covariates) == {"hulu"}
    # The week that the panel lacks carries over too; before the first, the mean of the first four was carried in.
    first = 1 + 0.5 * 5
    third = 3 + 0.5 * (2 + 0.5 * first)
    pressure = np.expm1(panel.covariates["hulu"])
    assert pressure[1, 0] / pressure[0, 0] == pytest.approx(third / first)


def written(tmp_path: Path, seed: int = 3) -> Path:
    draw = uneven_media(np.random.default_rng(seed), EFFECT)
    panel = panel_of(draw)
    weeks = pd.date_range("2025-01-05", periods=len(panel.periods), freq="7D").strftime("%Y-%m-%d")
    frame = pd.DataFrame(
        {
            "date": np.repeat(weeks, len(panel.geos)),
            "geo": panel.geos * len(weeks),
            "kpi": panel.values.ravel(),
        }
    )
    for name, spend in draw.media.items():
        frame[name] = spend.ravel()
    frame["price"] = np.random.default_rng(seed).normal(3, 0.1, len(frame)).round(2)
    path = tmp_path / "panel.csv"
    frame.to_csv(path, index=False)
    return path


def command(path: Path, out: Path, *more: str) -> list[str]:
    dates = ["--start", "2026-03-01", "--end", "2026-04-05"]
    return ["geolift", "--panel", str(path), "--treated", "treated", *dates, "--out", str(out), *more]


def test_the_command_reads_covariates_and_works_without(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert main(command(path, tmp_path / "plain")) == 0
    told = "channel 0,channel 1,channel 2,channel 3"
    assert main(command(path, tmp_path / "told", "--media", told, "--covariates", "price")) == 0
    plain, full = (json.loads((tmp_path / d / "lift.json").read_text()) for d in ("plain", "told"))
    assert full["ci_high"] - full["ci_low"] < plain["ci_high"] - plain["ci_low"]
    assert any(n.startswith("adjusted for price, channel 0") for n in full["notes"])
    assert not any("adjusted" in n for n in plain["notes"])


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--media", "nothing"], "no column 'nothing'"),
        (["--covariates", "kpi"], "used twice"),
        (["--covariates", "price", "--media", "price"], "used twice"),
        (["--covariates", "geo"], "geo"),
        (["--media", "price"], "negative spend"),
    ],
)
def test_a_wrong_covariate_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], word: str
) -> None:
    path = written(tmp_path)
    if word == "negative spend":
        frame = pd.read_csv(path)
        frame.loc[3, "price"] = -1.0
        frame.to_csv(path, index=False)
    assert main(command(path, tmp_path / "out", *more)) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert word in line
    assert not (tmp_path / "out").exists()


def test_a_column_with_many_blanks_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)
    frame = pd.read_csv(path)
    frame.loc[frame.index % 5 == 0, "price"] = np.nan
    frame.to_csv(path, index=False)
    assert main(command(path, tmp_path / "out", "--covariates", "price")) == 2
    assert "is blank in 20%" in capsys.readouterr().err


def test_the_history_of_a_a_tests_is_evened_without_learning_from_real_tests() -> None:
    rng = np.random.default_rng(11)
    price = rng.normal(0, 0.1, (60, 12))
    price[40:46, 0] += (
        1.0  # a real test with a price of its own: what it did must not be taken for the price's doing
    )
    values = np.exp(rng.normal(8, 1, 12) - 2 * price + rng.normal(0, 0.02, (60, 12)))
    weeks = list(pd.date_range("2025-01-05", periods=60, freq="7D").strftime("%Y-%m-%d"))
    geos = [str(500 + j) for j in range(12)]
    hit = values.copy()
    hit[40:46, 0] *= 3
    plain = _evened(Panel(weeks, geos, values, covariates={"price": price}), [])
    tested = _evened(Panel(weeks, geos, hit, covariates={"price": price}), [("500", weeks[40], weeks[45])])
    assert not plain.covariates and np.log(plain.values).std(axis=0).mean() < 0.05
    apart = [
        np.log(p.values[:, 1:] / p.values[:, 1:2]) for p in (tested, plain)
    ]  # a shift of a week is shared
    np.testing.assert_allclose(apart[0], apart[1], atol=0.01)
    learnt = _evened(Panel(weeks, geos, hit, covariates={"price": price}), [])
    assert np.abs(np.log(learnt.values[:, 1:] / learnt.values[:, 1:2]) - apart[1]).max() > 0.01
