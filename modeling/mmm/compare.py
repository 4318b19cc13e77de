"""The mix model beside simpler ones, on the same time folds with the same inputs. Raw scores, never clipped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from modeling.mmm.baseline import seasonal_columns
from modeling.mmm.diagnostics import fold_edges, head, predict, scores
from modeling.mmm.estimator import Options, fit
from modeling.mmm.form import FormChoice
from modeling.mmm.panel import Panel
from modeling.mmm.pool import pooled
from modeling.mmm.transforms import Adstock, Array, adstock_series

#: Sales of all geographies together: what the simpler models are given.
_DECAY = 0.5


def design(panel: Panel) -> Array:
    """(T, P) national inputs of the simpler models: adstocked log spend, controls, trend, season."""
    t = panel.shape[1]
    kernel = Adstock("geometric", _DECAY).weights(min(t, 26))
    spend = panel.exposure.sum(axis=1)
    media = [np.log1p(adstock_series(x / (x.mean() or 1.0), kernel)) for x in spend]
    season, _ = seasonal_columns(panel, 2)
    controls = [c.mean(axis=0) for c in panel.controls]
    return np.stack([*media, *controls, np.arange(t) / t, *season], axis=1)


def compare(
    panel: Panel, options: Options, form: FormChoice, folds: int = 3
) -> tuple[pd.DataFrame, float | None]:
    """Scores of every model on each fold (model, fold, metric, value), and the mix model's mean wMAPE.

    All models forecast the national KPI in money. The scaling of inputs is learned inside each training window. The
    rows "additive form" and "multiplicative form" hold the log scores that `form` was chosen by, on its own folds.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import ElasticNetCV, LinearRegression, RidgeCV
    from sklearn.model_selection import TimeSeriesSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    nation = pooled(panel)
    # In single precision: which of two like splits a tree takes hangs on the last digit, and that on the order in which
    # the warehouse added up.
    x, y = (v.astype(np.float32).astype(float) for v in (design(nation), nation.kpi[0]))
    light = replace(options, chains=2, warmup=30, keep=40)
    rows: list[dict[str, object]] = [
        {"model": f"{name} form", "fold": k, "metric": "log_score", "value": value}
        for name, values in form.scores.items()
        for k, value in enumerate(values, start=1)
    ]
    own: list[float] = []
    for k, (t0, h) in enumerate(fold_edges(nation, folds), start=1):
        split = TimeSeriesSplit(3)
        models = {
            "ols": make_pipeline(StandardScaler(), LinearRegression()),
            "ridge": make_pipeline(StandardScaler(), RidgeCV(np.geomspace(0.01, 1000, 20), cv=split)),
            "elastic net": make_pipeline(
                StandardScaler(),
                ElasticNetCV(l1_ratio=[0.2, 0.8], alphas=30, cv=split, random_state=0, max_iter=5000),
            ),
            "random forest": RandomForestRegressor(100, min_samples_leaf=3, random_state=0, n_jobs=1),
        }
        known = fit(replace(head(nation, t0), form=form.chosen), light)
        forecast = {"mix model": predict(known, head(nation, t0 + h))[0]}
        for name, model in models.items():
            model.fit(x[:t0], y[:t0])
            forecast[name] = model.predict(x[t0 : t0 + h])
        if t0 >= 52:
            forecast["seasonal naive"] = y[t0 - 52 : t0 - 52 + h]
        for name, predicted in forecast.items():
            for metric, value in scores(y[t0 : t0 + h], np.asarray(predicted)).items():
                rows.append({"model": name, "fold": k, "metric": metric, "value": value})
                if name == "mix model" and metric == "wmape":
                    own.append(value)
    frame = pd.DataFrame(rows, columns=["model", "fold", "metric", "value"])
    return frame, float(np.mean(own)) if own else None
