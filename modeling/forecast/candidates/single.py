"""Prophet and SARIMAX, fitted one series at a time, on the same scale and regressors as the batched candidates."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from modeling.forecast import calendars
from modeling.forecast.panel import Array
from modeling.forecast.prepare import View


def prophet(view: View) -> Array:
    """Prophet (Taylor and Letham 2018) with the country's holidays and the panel's regressors.

    Holidays are given by period: on weekly data Prophet itself matches only those that fall on the first day.
    """
    from prophet import Prophet

    for name in ("prophet", "cmdstanpy"):
        logging.getLogger(name).disabled = True
    panel, length = view.panel, view.panel.length
    out = np.full((len(panel.names), panel.horizon), np.nan)
    columns = [f"x{k}" for k in range(view.exog.shape[2])]
    flags, names = calendars.event_matrix(panel.dates, length, view.country, panel.freq)
    periods, events = np.nonzero(flags)
    feasts = pd.DataFrame({"ds": panel.dates[periods], "holiday": [names[k] for k in events]})
    for s in range(len(panel.names)):
        use = view.use[s]
        if use.sum() < 2 * view.season and use.sum() < 30:
            continue
        table = pd.DataFrame(view.exog[s], columns=columns).assign(ds=panel.dates)
        table["y"] = np.concatenate([np.where(use, view.g[s], np.nan), np.full(panel.horizon, np.nan)])
        model = Prophet(
            weekly_seasonality=panel.freq == "D",
            daily_seasonality=False,
            yearly_seasonality=bool(view.yearly),
            uncertainty_samples=0,
            holidays=feasts if view.country and len(feasts) else None,
            holidays_prior_scale=10.0 if panel.freq == "D" else 0.1,
        )
        for column in columns:
            model.add_regressor(column, standardize=False)
        model.fit(table[table["y"].notna()], seed=view.seed + 1)
        path = model.predict(table.iloc[length:].drop(columns="y"))["yhat"].to_numpy()
        out[s] = view.back(np.tile(path, (len(panel.names), 1)))[s]
    return out


def sarimax(view: View) -> Array:
    """SARIMAX(1, 0, 1) with a weekly seasonal AR(1) on daily data; waves, weekdays and regressors as exog.

    Yearly season enters as waves (K = 3), since seasonal states of 52 or 364 periods cost minutes. The search
    starts from the parameters of the origin before.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    panel, length = view.panel, view.panel.length
    out = np.full((len(panel.names), panel.horizon), np.nan)
    blocks = [calendars.fourier(panel.dates, 3)] if view.yearly else []
    if panel.freq == "D":
        blocks.append(calendars.weekdays(panel.dates))
    for s in range(len(panel.names)):
        use = view.use[s]
        if use.sum() < 30:
            continue
        x = np.concatenate([*blocks, view.exog[s]], axis=1) if blocks or view.exog.shape[2] else None
        begin = int(np.argmax(use))
        if x is not None:
            x = x[:, np.ptp(x[begin:length], axis=0) > 0]
        model = SARIMAX(
            np.where(use, view.g[s], np.nan)[begin:],
            exog=None if x is None else x[begin:length],
            order=(1, 0, 1),
            seasonal_order=(1, 0, 0, 7) if panel.freq == "D" else (0, 0, 0, 0),
            trend="c",
            enforce_stationarity=False,
            enforce_invertibility=False,
            concentrate_scale=True,
        )
        key = f"sarimax {panel.names[s]}"
        start = view.memory.starts.get(key)
        fitted = model.fit(start, disp=0, maxiter=40, method="lbfgs", warn_convergence=False)
        view.memory.starts[key] = fitted.params
        path = fitted.forecast(panel.horizon, exog=None if x is None else x[length:])
        out[s] = view.back(np.tile(np.asarray(path), (len(panel.names), 1)))[s]
    return out
