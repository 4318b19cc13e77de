"""The forecast command: its files, its refusals, and that a seed repeats it byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modeling.__main__ import main


def weekly(series: int = 3, weeks: int = 60, ahead: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-01-07", periods=weeks + ahead, freq="7D")
    rows = []
    for s in range(series):
        promo = (rng.random(len(dates)) < 0.2).astype(int)
        y = np.round(np.exp(4 + 0.3 * s + 0.3 * promo + rng.normal(0, 0.1, len(dates)))).astype(object)
        y[weeks:] = None
        rows.append(
            pd.DataFrame({"series": f"s{s}", "region": f"g{s % 2}", "date": dates, "y": y, "promo": promo})
        )
    return pd.concat(rows, ignore_index=True)


def run(table: pd.DataFrame, folder: Path, *options: str, freq: str = "W", horizon: int = 4) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "history.csv", index=False)
    words = ["forecast", "--history", str(folder / "history.csv"), "--horizon", str(horizon), "--freq", freq]
    return main([*words, "--out", str(folder / "out"), *options])


def test_files_columns_and_dates(tmp_path: Path) -> None:
    assert run(weekly(), tmp_path, "--exog", "promo") == 0
    forecasts = pd.read_csv(tmp_path / "out/forecasts.csv")
    assert list(forecasts.columns[:7]) == ["series", "date", "model", "mean", "p10", "p50", "p90"]
    assert len(forecasts) == 3 * 4 and forecasts["date"].min() == "2025-03-02"
    assert (forecasts["p10"] <= forecasts["p50"]).all() and (forecasts["p50"] <= forecasts["p90"]).all()
    assert (forecasts[["mean", "p10"]] >= 0).all().all()
    backtest = pd.read_csv(tmp_path / "out/backtest.csv")
    assert list(backtest.columns) == ["series", "model", "cutoff", "wape", "mase", "pinball", "coverage80"]
    assert backtest.groupby(["series", "model"])["cutoff"].nunique().max() >= 4
    assert set(pd.read_csv(tmp_path / "out/selection.csv")["series"]) == {"s0", "s1", "s2"}


def test_same_seed_same_bytes_in_any_row_order(tmp_path: Path) -> None:
    table = weekly()
    assert run(table, tmp_path / "a", "--exog", "promo", "--seed", "3") == 0
    assert run(table.sample(frac=1, random_state=1), tmp_path / "b", "--exog=promo", "--seed", "3") == 0
    for name in ("forecasts.csv", "backtest.csv", "selection.csv"):
        assert (tmp_path / "a/out" / name).read_bytes() == (tmp_path / "b/out" / name).read_bytes()


def test_levels_add_up(tmp_path: Path) -> None:
    assert run(weekly(4).drop(columns="promo"), tmp_path, "--hierarchy", "region,series") == 0
    table = pd.read_csv(tmp_path / "out/forecasts.csv")
    by = table.pivot(index="date", columns="series", values="mean")
    bottom = [c for c in by if "/" in c]
    assert len(bottom) == 4 and {"total", "g0", "g1"} < set(by.columns)
    assert np.allclose(by[bottom].sum(axis=1), by["total"], rtol=1e-9)
    assert np.allclose(by[[c for c in bottom if c.startswith("g0/")]].sum(axis=1), by["g0"], rtol=1e-9)


def spoil(table: pd.DataFrame, what: str) -> pd.DataFrame:
    table = table.copy()
    if what == "three rows":
        return table.head(3)
    if what == "short":
        return table[table["date"] >= "2024-10-27"]
    if what == "duplicate":
        return pd.concat([table, table.iloc[[5]]])
    if what == "text":
        table.loc[7, "y"] = "many"
    if what == "gap":
        return table.drop(index=20)
    if what == "date":
        table["date"] = table["date"].astype(str)
        table.loc[3, "date"] = "soon"
    if what == "off grid":
        table.loc[3, "date"] += pd.Timedelta(days=1)
    if what == "no future promo":
        return table[table["y"].notna()]
    if what == "no y":
        return table.rename(columns={"y": "sales"})
    if what == "empty series":
        table.loc[table["series"] == "s1", "y"] = None
    return table


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("three rows", "too short"),
        ("short", "too short"),
        ("duplicate", "more than one row for 2024-02-11"),
        ("text", "'many', which is not a number"),
        ("gap", "no row for 2024-05-26"),
        ("date", "'soon' is not a date"),
        ("off grid", "whole number of weeks"),
        ("no future promo", "no value after the last y"),
        ("no y", "missing column 'y'"),
        ("empty series", "'s1' has no value"),
    ],
)
def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, says: str) -> None:
    assert run(spoil(weekly(), what), tmp_path, "--exog", "promo") == 2
    error = capsys.readouterr().err.strip()
    assert says in error and len(error.splitlines()) == 1 and "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_daily_dates_given_as_weekly_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(weekly(), tmp_path, freq="D") == 2
    assert "use --freq W" in capsys.readouterr().err


def test_a_gap_may_be_declared(tmp_path: Path) -> None:
    assert run(spoil(weekly(), "gap"), tmp_path, "--gaps", "missing") == 0
