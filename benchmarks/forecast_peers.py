"""Forecasts of one file by peers, in their own environment; started by forecast_accuracy.py.

    python benchmarks/forecast_peers.py FOLD.parquet OUT.parquet FREQ HORIZON EXOG,EXOG

FOLD has unique_id, ds, y (empty ahead), and regressors. Peers as their documentation uses them: log1p target, a
yearly wave of three pairs for ARIMA, no regressors for MSTL and AutoETS, lags beyond the horizon for LightGBM.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("NIXTLA_NUMBA_CACHE", "1")  # compile statsforecast once, not at every fold

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)


def main(fold: str, out: str, freq: str, horizon: int, exog: list[str]) -> None:
    table = pd.read_parquet(fold).sort_values(["unique_id", "ds"]).reset_index(drop=True)
    step = 1 if freq == "D" else 7
    table["t"] = (table["ds"] - table["ds"].min()).dt.days // step
    table["z"] = np.log1p(table["y"].clip(lower=0))
    known = table["z"].notna()
    results = []
    for name, run in {"mstl": _mstl, "autoets": _ets, "arima_exog": _arima, "lightgbm": _lightgbm}.items():
        start = time.process_time()
        try:
            made = run(table, known, freq, horizon, exog)
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:120]}", file=sys.stderr)
            continue
        made["forecast"] = np.maximum(np.expm1(made["f"]), 0.0)
        results.append(
            made.assign(model=name, cpu=time.process_time() - start)[
                ["unique_id", "t", "model", "forecast", "cpu"]
            ]
        )
    frame = pd.concat(results).merge(table[["unique_id", "t", "ds"]], on=["unique_id", "t"])
    frame.to_parquet(out)


def _stats(model, table, known, horizon, columns):
    from statsforecast import StatsForecast

    names = ["unique_id", "t", "z", *columns]
    past = table.loc[known, names].rename(columns={"t": "ds", "z": "y"})
    ahead = table.loc[table["t"] > past["ds"].max(), ["unique_id", "t", *columns]].rename(columns={"t": "ds"})
    engine = StatsForecast([model], freq=1)
    made = engine.forecast(df=past, h=horizon, X_df=ahead if columns else None)
    return made.rename(columns={made.columns[-1]: "f", "ds": "t"})


def _mstl(table, known, freq, horizon, exog):
    from statsforecast.models import MSTL

    length = int(table.loc[known, "t"].max()) + 1
    seasons = (
        [7, 365] if freq == "D" and length >= 730 else [7] if freq == "D" else [52] if length >= 104 else [13]
    )
    return _stats(MSTL(season_length=seasons), table, known, horizon, [])


def _ets(table, known, freq, horizon, exog):
    from statsforecast.models import AutoETS

    return _stats(AutoETS(season_length=7 if freq == "D" else 1), table, known, horizon, [])


def _arima(table, known, freq, horizon, exog):
    from statsforecast.models import ARIMA

    table = table.copy()
    angle = 2 * np.pi * table["ds"].dt.dayofyear / 365.25
    waves = []
    for k in (1, 2, 3):
        for wave in (np.sin, np.cos):
            waves.append(f"{wave.__name__}{k}")
            table[waves[-1]] = wave(k * angle)
    columns = [c for c in [*exog, *waves] if table[known].groupby("unique_id")[c].nunique().min() > 1]
    model = ARIMA(order=(1, 0, 1), seasonal_order=(1, 0, 1) if freq == "D" else (0, 0, 0), season_length=7)
    return _stats(model, table, known, horizon, columns)


def _lightgbm(table, known, freq, horizon, exog):
    import lightgbm

    table = table.copy()
    by = table.groupby("unique_id")["z"]
    lags = (
        (horizon, horizon + 7, horizon + 14, 364) if freq == "D" else (horizon, horizon + 1, horizon + 2, 52)
    )
    for lag in lags:
        table[f"lag{lag}"] = by.shift(lag)
    shifted = by.shift(horizon)
    for width in (28, 91) if freq == "D" else (4, 13):
        table[f"mean{width}"] = shifted.groupby(table["unique_id"]).rolling(width).mean().to_numpy()
    table["dow"], table["dom"], table["doy"] = (
        table["ds"].dt.dayofweek,
        table["ds"].dt.day,
        table["ds"].dt.dayofyear,
    )
    table["id"] = table["unique_id"].astype("category").cat.codes
    features = [c for c in table if c.startswith(("lag", "mean")) or c in ("dow", "dom", "doy", "id", *exog)]
    model = lightgbm.LGBMRegressor(
        n_estimators=300, learning_rate=0.05, num_leaves=31, verbose=-1, n_jobs=1, random_state=0
    )
    train = table[known & table[f"lag{horizon}"].notna()]
    model.fit(train[features], train["z"])
    ahead = table[table["t"] > table.loc[known, "t"].max()]
    return pd.DataFrame(
        {"unique_id": ahead["unique_id"], "t": ahead["t"], "f": model.predict(ahead[features])}
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), [c for c in sys.argv[5].split(",") if c])
