"""Known answers and properties of the parts: levels, intervals, choice, calendar, closures, lost demand, stock."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from modeling.forecast import calendars, stock
from modeling.forecast.backtest import Backtest, origins
from modeling.forecast.candidates.regression import harmonic_ar
from modeling.forecast.candidates.smoothing import smooth
from modeling.forecast.candidates.yardsticks import four_week_mean, seasonal_naive
from modeling.forecast.censor import unconstrained
from modeling.forecast.closed import closed_days
from modeling.forecast.combine import _apart, choose
from modeling.forecast.engine import forecast_panel
from modeling.forecast.hierarchy import build_tree, coherent_quantiles, reconcile_means, shrunk_covariance
from modeling.forecast.intermittent import factors
from modeling.forecast.intervals import _rest, calibrate
from modeling.forecast.linear import yule_walker
from modeling.forecast.panel import Panel, read_panel
from modeling.forecast.prepare import View


def panel(y: np.ndarray, horizon: int = 8, freq: str = "W", exog: np.ndarray | None = None) -> Panel:
    count, length = y.shape
    dates = pd.date_range("2022-01-02", periods=length + horizon, freq="7D" if freq == "W" else "D")
    x = np.zeros((count, length + horizon, 0)) if exog is None else exog
    off = np.zeros((count, length + horizon), dtype=bool)
    names = [f"s{i}" for i in range(count)]
    cut = np.zeros(y.shape, dtype=bool)
    return Panel(
        names, dates, y.astype(float), x, [f"x{k}" for k in range(x.shape[2])], off, cut, freq, horizon
    )


def test_easter_and_thanksgiving() -> None:
    assert calendars._easter(2024) == dt.date(2024, 3, 31) and calendars._easter(2038) == dt.date(2038, 4, 25)
    assert calendars._events(2026, "US")["thanksgiving"] == (dt.date(2026, 11, 26),)


def test_yardsticks_on_a_pure_weekday_pattern() -> None:
    week = np.array([1.0, 2, 3, 4, 5, 6, 7])
    view = View(panel(np.tile(week, 10)[None], 14, "D"))
    assert np.allclose(seasonal_naive(view)[0], np.tile(week, 2))
    assert np.allclose(four_week_mean(view)[0], np.tile(week, 2))


def test_smoothing_of_a_constant_and_of_a_season_is_exact() -> None:
    z = np.tile([1.0, 2, 3, 4, 5, 6, 7], 12)[None]
    out = smooth(z, np.ones_like(z, dtype=bool), 7, 14)
    assert np.allclose(out[0], np.tile([1.0, 2, 3, 4, 5, 6, 7], 2), atol=0.1)


def test_yule_walker_finds_an_autoregression() -> None:
    rng = np.random.default_rng(0)
    e = rng.normal(size=(20, 800))
    for t in range(1, 800):
        e[:, t] += 0.6 * e[:, t - 1]
    ar = yule_walker(e, np.ones_like(e, dtype=bool), (1, 2))
    assert abs(ar[:, 0].mean() - 0.6) < 0.05 and abs(ar[:, 1].mean()) < 0.05


def test_regression_recovers_a_promotion_and_short_series_borrow_it() -> None:
    rng = np.random.default_rng(1)
    promo = (rng.random((12, 128)) < 0.2).astype(float)
    y = np.exp(5 + 0.4 * promo[:, :120] + rng.normal(0, 0.05, (12, 120)))
    y[0, :110] = np.nan  # ten weeks of history
    promo[:, 120:] = 0.0
    promo[:, 124] = 1.0
    out = harmonic_ar(View(panel(y, 8, "W", promo[:, :, None])))
    lift = np.log(out[:, 4] / out[:, 3])
    assert np.allclose(lift[1:], 0.4, atol=0.08) and abs(lift[0] - 0.4) < 0.12


def test_origins_leave_a_horizon_and_are_four_or_more() -> None:
    for length, horizon, freq in (
        (116, 13, "W"),
        (104, 8, "W"),
        (60, 8, "W"),
        (730, 28, "D"),
        (200, 14, "D"),
    ):
        found = origins(length, horizon, freq)
        assert len(found) >= 4 and max(found) == length - horizon and found == sorted(set(found))


def tree4() -> tuple[object, pd.DataFrame]:
    names = ["a/x", "a/y", "b/x", "b/y"]
    keys = pd.DataFrame({"dma": ["a", "a", "b", "b"], "shop": ["x", "y", "x", "y"]}, index=names)
    return build_tree(names, keys, ["dma", "shop"]), keys


def test_crossed_levels_are_total_both_columns_and_bottom() -> None:
    tree, _ = tree4()
    assert tree.names == ["total", "a", "b", "*/x", "*/y", "a/x", "a/y", "b/x", "b/y"]  # type: ignore[attr-defined]


def test_reconciled_means_add_up_are_not_negative_and_lean_on_the_surer_level() -> None:
    tree, _ = tree4()
    rng = np.random.default_rng(2)
    bottom_error = rng.normal(0, 10.0, (4, 60))
    errors = tree.sums @ bottom_error  # type: ignore[attr-defined]
    errors[0] = rng.normal(0, 0.1, 60)  # the total is known almost exactly
    mean = np.array([[100.0], [30], [50], [40], [40], [20], [20], [20], [-5]])
    out = reconcile_means(tree, mean, errors)  # type: ignore[arg-type]
    assert np.allclose(out, tree.sums @ out[-4:], atol=1e-9) and (out >= 0).all()  # type: ignore[attr-defined]
    assert abs(out[0, 0] - 100) < 3


def test_quantiles_of_a_level_are_no_wider_than_those_of_children_in_step() -> None:
    tree, _ = tree4()
    mean = tree.sums @ np.full((4, 2), 10.0)  # type: ignore[attr-defined]
    wide = np.stack([mean * 0.1, mean, mean * 3.0])
    wide[:, -4:] = np.stack([np.full((4, 2), 8.0), np.full((4, 2), 10.0), np.full((4, 2), 12.0)])
    out = coherent_quantiles(tree, mean, mean, wide)  # type: ignore[arg-type]
    assert np.allclose(out[0, 0], 32) and np.allclose(out[2, 0], 48)
    assert (np.diff(out, axis=0) >= 0).all()


def test_shrunk_covariance_is_positive_definite_with_few_draws() -> None:
    errors = np.random.default_rng(3).normal(size=(40, 12))
    assert np.linalg.eigvalsh(shrunk_covariance(errors)).min() > 0


@pytest.mark.parametrize("growth", [0.5, 1.0])
def test_intervals_cover_on_new_data(growth: float) -> None:
    rng = np.random.default_rng(4)
    level = np.exp(rng.normal(3, 1, 80))

    def draw(origins: int) -> tuple[np.ndarray, np.ndarray]:
        forecast = level[None, :, None] * np.exp(rng.normal(0, 0.2, (origins, 80, 8)))
        noise = (
            rng.standard_t(4, forecast.shape) * 0.1 * forecast**growth * level[None, :, None] ** (1 - growth)
        )
        return forecast, np.maximum(forecast + noise, 0)

    forecast, actual = draw(6)
    fitted = calibrate(forecast, actual, np.ones_like(actual, dtype=bool), level, "W")
    new, truth = draw(40)
    inside = [
        ((t >= q[0]) & (t <= q[2])).mean()
        for f, t in zip(new, truth, strict=True)
        for q in [fitted.quantiles(f)]
    ]
    assert 0.77 <= float(np.mean(inside)) <= 0.83


def test_choice_prefers_the_better_model_and_falls_back_where_one_is_silent() -> None:
    rng = np.random.default_rng(5)
    actual = 100 + rng.normal(0, 5, (6, 10, 8))
    good, bad = actual + rng.normal(0, 3, actual.shape), actual + rng.normal(15, 20, actual.shape)
    forecast = np.stack([good, bad])
    final = np.stack([np.full((10, 8), 100.0), np.full((10, 8), 130.0)])
    final[0, 3] = np.nan
    back = Backtest(
        ["good", "bad"],
        [1, 2, 3, 4, 5, 6],
        forecast,
        final,
        actual,
        np.ones(actual.shape, bool),
        np.ones((6, 10)),
        {},
    )
    choice = choose(back, np.full(10, 100.0), 0)
    assert (choice.weights[np.arange(10) != 3, 0] > 0.8).all()
    assert np.allclose(choice.final[3], 130.0) and np.allclose(choice.weights.sum(axis=1), 1.0)


def test_a_clear_yardstick_is_named_champion() -> None:
    rng = np.random.default_rng(6)
    actual = 100 + rng.normal(0, 5, (8, 12, 4))
    models = ["seasonal_naive", "other"]
    forecast = np.stack([actual + 40, actual + rng.normal(0, 1, actual.shape)])
    forecast[:, :, 0] = forecast[::-1, :, 0]
    back = Backtest(
        models,
        list(range(8)),
        forecast,
        forecast[:, -1],
        actual,
        np.ones(actual.shape, bool),
        np.ones((8, 12)),
        {},
    )
    assert choose(back, np.full(12, 100.0), 0).label[0] == "seasonal_naive"


def test_closed_days_by_flag_weekday_and_date() -> None:
    dates = pd.date_range("2021-01-01", periods=800, freq="D")
    y = np.full((2, 772), 50.0)
    week = dates.dayofweek.to_numpy()
    y[0, week[:772] == 6] = 0
    y[1, (dates.month == 12)[:772] & (dates.day == 25)[:772]] = 0
    is_open = np.ones((2, 800, 1))
    is_open[1, 100:110] = 0
    is_open[1, 790] = 0
    y[1, 100:110] = 0
    closed = closed_days(y, is_open, dates, "D")
    assert closed[0, 772:].sum() == (week[772:] == 6).sum() and closed[1, 100:110].all() and closed[1, 790]
    assert closed[1, :772].sum() == 10 + 2


def test_lost_demand_is_lifted_and_less_biased_than_what_was_sold() -> None:
    rng = np.random.default_rng(7)
    truth = np.exp(4 + 0.3 * np.sin(np.arange(110) / 8)[None] + rng.normal(0, 0.08, (20, 110)))
    p = panel(truth.copy())
    cut = rng.random(truth.shape) < 0.08
    p.y[cut] = truth[cut] * rng.uniform(0, 0.5, int(cut.sum()))
    p.censored[:] = cut
    lifted = unconstrained(p)
    assert np.allclose(lifted[~cut], p.y[~cut]) and (lifted >= p.y - 1e-9).all()
    bias_sold = p.y[cut].sum() / truth[cut].sum() - 1
    bias_lifted = lifted[cut].sum() / truth[cut].sum() - 1
    assert bias_sold < -0.5 and abs(bias_lifted) < 0.05


def test_stock_risk_known_cases() -> None:
    demand = np.stack([np.full((3, 8), 9.0), np.full((3, 8), 10.0), np.full((3, 8), 11.0)])
    risk = stock.assess(np.array([0.0, 45.0, 1e6]), np.zeros(3), demand, persistence=0.5, seed=0)
    assert np.allclose(risk.stockout[0], 1) and risk.stockout[1, 3] < 0.05 and risk.stockout[1, 5] > 0.95
    assert np.allclose(risk.lost[0], 10, atol=0.2) and risk.overstock[2, 0] == 1 and risk.order[2] == 0
    assert 40 <= risk.order[0] <= 44 and risk.supply[1] == pytest.approx(4.5)


def test_transfers_come_before_orders_and_conserve_stock() -> None:
    table = pd.DataFrame(
        {
            "dma_id": ["501", "502", "503"],
            "retailer_id": "target",
            "product_id": "p",
            "on_hand_units": [500.0, 0, 0],
            "weeks_of_supply": [50.0, 0, 0],
            "pace": [10.0, 10, 10],
            "order_units": [0.0, 300, 200],
        }
    )
    out = stock.suggest(table).set_index("dma_id")
    assert out.at["501", "suggestion"] == "send out 380"
    assert (
        out.at["502", "suggestion"] == "transfer 300 from 501" and out.at["502", "suggested_order_units"] == 0
    )
    assert out.at["503", "suggestion"] == "transfer 80 from 501, order 120"


def test_absent_sundays_are_closed_days_and_other_gaps_are_refused() -> None:
    dates = pd.date_range("2024-01-01", periods=120, freq="D")
    table = pd.DataFrame({"series": "a", "date": dates, "y": 5.0 + np.arange(120) % 7})
    p = read_panel(table[dates.dayofweek != 6], horizon=14, freq="D")
    assert p.closed[0].sum() == (p.dates.dayofweek == 6).sum()
    with pytest.raises(ValueError, match="gaps"):
        read_panel(table.drop(index=50), horizon=14, freq="D")


def test_median_and_mean_of_sparse_counts_differ_and_busy_series_keep_theirs() -> None:
    rng = np.random.default_rng(8)
    truth = np.concatenate([rng.poisson(0.6, (6, 20, 14)), rng.poisson(50, (6, 20, 14))], axis=1).astype(
        float
    )
    forecast = np.concatenate([np.full((6, 20, 14), 0.5), np.full((6, 20, 14), 50.0)], axis=1)
    share = np.repeat([0.55, 0.0], 20)
    median, mean = factors(forecast, truth, np.ones(truth.shape, bool), share)
    assert median[0] < 0.3 and abs(mean[0] - truth[:, :20].mean() / 0.5) < 0.05
    assert np.allclose(median[20:], 1) and np.allclose(mean[20:], 1, atol=0.03)


def test_odd_series_still_get_finite_ordered_forecasts() -> None:
    rng = np.random.default_rng(9)
    length = 60
    late, ended, empty_tail = (
        np.full(length, np.nan),
        rng.poisson(20, length).astype(float),
        np.full(length, 7.0),
    )
    late[-4:] = 3.0
    ended[-25:] = 0.0
    empty_tail[-9:] = np.nan
    zero, once = np.zeros(length), np.zeros(length)
    once[30] = 5.0
    busy = rng.poisson(20, (3, length)).astype(float)
    y = np.vstack([busy, late, ended, empty_tail, zero, once, busy[0] * 1e9, busy[1] * 1e-6])
    result = forecast_panel(panel(y, 8))
    table = result.table()[["p10", "p50", "p90", "mean"]].to_numpy()
    assert np.isfinite(table).all() and (np.diff(table[:, :3], axis=1) >= 0).all() and (table >= 0).all()
    assert not result.back.failures


def test_overlapping_origins_are_less_evidence_and_are_left_out_together() -> None:
    forecast = np.zeros((1, 4, 2, 8))
    apart, close = (
        Backtest(
            ["m"],
            cutoffs,
            forecast,
            forecast[:, 0],
            forecast[0],
            np.ones((4, 2, 8), bool),
            np.ones((4, 2)),
            {},
        )
        for cutoffs in ([10, 18, 26, 34], [31, 32, 33, 34])
    )
    assert _apart(apart, [0, 1, 2, 3]) == 4.0 and _apart(close, [0, 1, 2, 3]) == pytest.approx(1 + 3 / 8)
    valid = np.ones((4, 2, 8), bool)
    assert [int(rest[:, 0, 0].sum()) for rest in _rest(valid, [30, 32, 34, 36], 8)] == [2, 1, 1, 2]
    assert [int(rest[:, 0, 0].sum()) for rest in _rest(valid, [10, 18, 26, 34], 8)] == [3, 3, 3, 3]


def test_intervals_lean_on_newer_origins() -> None:
    rng = np.random.default_rng(10)
    forecast = np.full((8, 60, 8), 100.0)
    spread = np.linspace(30.0, 5.0, 8)[:, None, None]  # errors shrink as history grows
    actual = forecast + spread * rng.normal(size=forecast.shape)
    fitted = calibrate(forecast, actual, np.ones(forecast.shape, bool), np.full(60, 100.0), "W")
    low, _, high = fitted.quantiles(forecast[0])
    pooled = np.quantile(actual - forecast, [0.1, 0.9])
    assert (high - low).mean() < 0.9 * (pooled[1] - pooled[0])


def test_errors_of_one_sign_at_overlapping_origins_do_not_stretch_the_band() -> None:
    rng = np.random.default_rng(3)
    bias = np.array([0.0, 0.16, 0.16, 0.17])[:, None, None]
    actual = 100 * (1 + bias + rng.normal(0, 0.03, (4, 30, 13)))
    forecast = np.full_like(actual, 100.0)
    level = np.full(30, 100.0)
    found = calibrate(forecast, actual, np.ones(actual.shape, bool), level, "W", cutoffs=[10, 37, 43, 49])
    low, _, high = found.quantiles(forecast[0])
    assert (low < 100).all() and (high > 110).all()
    largest = np.abs(actual - forecast).max()
    assert high.max() - 100 <= 1.6 * largest and 100 - low.min() <= 1.6 * largest
