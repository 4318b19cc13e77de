"""The batched counterparts of SARIMAX and Prophet against known answers and the originals; demand never seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modeling.errors import Refusal
from modeling.forecast.candidates import single
from modeling.forecast.candidates.structural import harmonic_arma, trend_season
from modeling.forecast.panel import Array, read_panel
from modeling.forecast.prepare import View
from tests.forecast.test_parts import panel


def _persistent(seed: int, count: int, length: int, ahead: int) -> tuple[Array, Array, Array]:
    """(log sales, regressor, errors): errors of autoregression 0.8, effect 0.5."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, length + ahead))
    e = rng.normal(0, 0.1, (count, length + ahead))
    for t in range(1, length + ahead):
        e[:, t] += 0.8 * e[:, t - 1]
    return 5.0 + 0.5 * x + e, x, e


def test_arma_errors_are_carried_ahead_and_die_away() -> None:
    length, ahead = 150, 12
    g, x, e = _persistent(3, 40, length, ahead)
    out = np.log(harmonic_arma(View(panel(np.exp(g[:, :length]), ahead, exog=x[:, :, None]), country="")))
    oracle = 5.0 + 0.5 * x[:, length:] + e[:, [length - 1]] * 0.8 ** np.arange(1, ahead + 1)
    near = slice(length, length + 3)
    miss, best = np.abs(out[:, :3] - g[:, near]).mean(), np.abs(oracle[:, :3] - g[:, near]).mean()
    forgetful = np.abs(e[:, near]).mean()
    assert miss < 1.15 * best < 0.9 * forgetful
    first = (out - 5.0 - 0.5 * x[:, length:])[:, 0]
    assert np.corrcoef(first, e[:, length - 1])[0, 1] > 0.9  # a forecast without memory has no such relation


def test_a_weekly_autoregression_and_missing_days_are_handled() -> None:
    rng = np.random.default_rng(4)
    length = 420
    e = rng.normal(0, 0.1, (6, length + 14))
    for t in range(7, length + 14):
        e[:, t] += 0.7 * e[:, t - 7]
    y = np.exp(4.0 + e)
    seen = y[:, :length].copy()
    seen[:, 100:110] = np.nan
    out = np.log(harmonic_arma(View(panel(seen, 14, "D"), country="")))
    known = e[:, length - 7 : length]
    assert np.isfinite(out).all()
    assert np.corrcoef((out[:, :7] - out.mean()).ravel(), known.ravel())[0, 1] > 0.6


def test_a_broken_trend_is_followed_from_its_last_slope() -> None:
    time = np.arange(160.0)
    g = 4.0 + np.where(time < 80, 0.01 * time, 0.8 - 0.005 * (time - 80))
    rng = np.random.default_rng(5)
    y = np.exp(g[None, :152] + rng.normal(0, 0.02, (3, 152)))
    out = np.log(trend_season(View(panel(y, 8), country="")))
    assert np.abs(out - g[152:]).max() < 0.08


@pytest.mark.slow
@pytest.mark.parametrize(("name", "batched"), [("prophet", trend_season), ("sarimax", harmonic_arma)])
def test_batched_forecasts_are_as_good_as_the_original(name: str, batched: object) -> None:
    length, ahead = 130, 8
    g, x, _ = _persistent(6, 8, length, ahead)
    wave = 0.3 * np.sin(2 * np.pi * np.arange(length + ahead) / 52)
    y = np.exp(g + wave)
    view = View(panel(y[:, :length], ahead, exog=x[:, :, None]), country="")
    ours = np.abs(batched(view) - y[:, length:]).sum()  # type: ignore[operator]
    theirs = np.abs(getattr(single, name)(view) - y[:, length:]).sum()
    assert ours < 1.1 * theirs


def test_a_series_cut_by_stock_throughout_is_refused() -> None:
    dates = pd.date_range("2024-01-07", periods=60, freq="7D")
    table = pd.concat([pd.DataFrame({"series": s, "date": dates, "y": 5.0, "out": s == "b"}) for s in "ab"])
    with pytest.raises(Refusal, match="series 'b': stock cut all but 0 of its observations"):
        read_panel(table, horizon=8, freq="W", stockout="out")
    some = table.assign(out=table["out"] & (table["date"] > dates[9]))
    assert read_panel(some, horizon=8, freq="W", stockout="out").usable.sum() == 70
