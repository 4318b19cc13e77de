"""Can the numbers be trusted? Fit, forecast and residual tests, collinearity, adequacy. Nothing is clipped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import gammaincc

from modeling.mmm.demand import demand_controls
from modeling.mmm.estimator import Options, Posterior, fit
from modeling.mmm.panel import Panel
from modeling.mmm.posterior import best_linear_prediction, decompose, mean_effects, thin
from modeling.mmm.transforms import Array


def scores(actual: Array, predicted: Array) -> dict[str, float]:
    """R2 (raw, may be negative), MAPE over non-zero actuals, wMAPE and RMSE."""
    error = actual - predicted
    total = float(((actual - actual.mean()) ** 2).sum())
    nonzero = actual != 0
    return {
        "r2": float(1.0 - (error**2).sum() / total) if total > 0 else float("nan"),
        "mape": float(np.abs(error[nonzero] / actual[nonzero]).mean()) if nonzero.any() else float("nan"),
        "wmape": float(np.abs(error).sum() / np.abs(actual).sum())
        if np.abs(actual).sum() > 0
        else float("nan"),
        "rmse": float(np.sqrt((error**2).mean())),
    }


def residual_tests(residual: Array, fitted: Array, lags: int = 10) -> dict[str, Any]:
    """Durbin-Watson (mean over geographies), Ljung-Box, Breusch-Pagan on fitted values, Shapiro-Wilk.

    residual, fitted (G, T). A geography's residuals are scaled to unit spread before pooling. Sources: Ljung and
    Box (1978), Breusch and Pagan (1979, Koenker's studentised form), Shapiro and Wilk (1965).
    """
    sd = residual.std(axis=1, keepdims=True)
    z = residual / np.where(sd > 0, sd, 1.0)
    g, t = z.shape
    dw = float(np.mean((np.diff(z, axis=1) ** 2).sum(axis=1) / np.maximum((z**2).sum(axis=1), 1e-300)))
    lags = max(1, min(lags, t // 5))
    centred = z - z.mean(axis=1, keepdims=True)
    denom = np.maximum((centred**2).sum(axis=1), 1e-300)
    acf = np.stack([(centred[:, k:] * centred[:, :-k]).sum(axis=1) / denom for k in range(1, lags + 1)])
    q = float((t * (t + 2) * (acf**2 / (t - np.arange(1, lags + 1))[:, None]).sum(axis=0)).sum())
    x = fitted - fitted.mean(axis=1, keepdims=True)
    square = z**2 - (z**2).mean()
    slope_ss = float((x * square).sum()) ** 2 / max(float((x**2).sum()), 1e-300)
    bp = g * t * slope_ss / max(float((square**2).sum()), 1e-300)
    sample = z.ravel()
    if sample.size > 4000:
        sample = sample[np.linspace(0, sample.size - 1, 4000).astype(int)]
    from scipy.stats import shapiro  # a slow import, needed only here

    normal = shapiro(sample)
    tests: dict[str, Any] = {
        "durbin_watson": dw,
        "ljung_box": {"statistic": q, "lags": lags, "p_value": float(gammaincc(lags * g / 2.0, q / 2.0))},
        "breusch_pagan": {"statistic": bp, "p_value": float(gammaincc(0.5, bp / 2.0))},
        "shapiro_wilk": {"statistic": float(normal.statistic), "p_value": float(normal.pvalue)},
    }
    flags = []
    if not 1.5 <= dw <= 2.5:
        flags.append("residuals are autocorrelated (Durbin-Watson)")
    for name, text in (
        ("ljung_box", "residuals are autocorrelated (Ljung-Box)"),
        ("breusch_pagan", "residual variance changes with the level (Breusch-Pagan)"),
        ("shapiro_wilk", "residuals are not normal (Shapiro-Wilk)"),
    ):
        if tests[name]["p_value"] < 0.01:
            flags.append(text)
    tests["flags"] = flags
    return tests


def vif(columns: Array) -> Array:
    """Variance inflation factors of columns (N, P): a constant is included, the target is not among them.

    A column that the others determine gets infinity.
    """
    x = columns - columns.mean(axis=0)
    sd = x.std(axis=0)
    out = np.full(columns.shape[1], np.nan)
    live = np.flatnonzero(sd > 0)
    z = x[:, live] / sd[live]
    for i, p in enumerate(live):
        others = np.delete(z, i, axis=1)
        if others.shape[1] == 0:
            out[p] = 1.0
            continue
        coef = np.linalg.lstsq(others, z[:, i], rcond=None)[0]
        left = float(((z[:, i] - others @ coef) ** 2).sum())
        total = float((z[:, i] ** 2).sum())
        out[p] = total / left if left > 1e-10 * total else np.inf
    return out


def collinearity(panel: Panel) -> dict[str, Any]:
    """VIF of each channel's exposure and control, exposure/spend pairs, and highly correlated pairs."""
    names = [*panel.channels, *panel.control_names]
    stack = np.concatenate([panel.exposure, panel.controls]).reshape(len(names), -1).T
    values = vif(stack)
    pairs = []
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.corrcoef(stack.T) if len(names) > 1 else np.ones((1, 1))
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            if np.isfinite(r[i, j]) and abs(r[i, j]) >= 0.8:
                pairs.append({"a": names[i], "b": names[j], "correlation": float(r[i, j])})
    exposure_spend = []
    for c, name in enumerate(panel.channels):
        a, b = panel.exposure[c].ravel(), panel.spend[c].ravel()
        if not np.array_equal(a, b) and a.std() > 0 and b.std() > 0:
            exposure_spend.append({"channel": name, "correlation": float(np.corrcoef(a, b)[0, 1])})
    return {
        "vif": {n: float(v) for n, v in zip(names, values, strict=True)},
        "vif_note": "with constant, outcome excluded; above 10 a channel cannot be told from the others",
        "correlated_pairs": pairs,
        "exposure_vs_spend": exposure_spend,
    }


def head(panel: Panel, periods: int) -> Panel:
    """The first `periods` of the panel; experiments that end later are left out."""
    return replace(
        panel,
        dates=panel.dates[:periods],
        kpi=panel.kpi[:, :periods],
        spend=panel.spend[:, :, :periods],
        exposure=panel.exposure[:, :, :periods],
        money_per_kpi=panel.money_per_kpi[:, :periods],
        controls=panel.controls[:, :, :periods],
        exposure_variants={c: tuple(v[:, :periods] for v in vs) for c, vs in panel.exposure_variants.items()},
        lift_tests=tuple(x for x in panel.lift_tests if x.last < periods),
        mediators=tuple(replace(m, values=m.values[:, :periods]) for m in panel.mediators),
    )


def training_effects(train: Posterior, panel: Panel, n: int = 60) -> Array:
    """(D, G, T) media effect on the model's scale over the longer `panel`, by up to `n` draws of the training fit.

    Adstock carries over the edge.
    """
    g, t, _ = panel.shape
    index = thin(train, n)
    media = np.zeros((len(index), g, t))
    for i, c in enumerate(train.channels):
        d = train.dictionaries[i]
        readings = (panel.exposure[c], *panel.exposure_variants.get(c, ()))
        cache: dict[int, Array] = {}
        for row, s in enumerate(index):
            if train.draws.gamma[s, i] == 0.0:
                continue
            j = int(train.draws.candidate[s, i])
            if j not in cache:
                cache[j] = d.scale[j] * d.raw_curve(j, readings[d.parts(j)[0]] / panel.size[:, None])
            media[row] += train.draws.coefficient[s, i] * cache[j]
    return media


def predict(train: Posterior, panel: Panel) -> Array:
    """(G, T - T0) KPI money after the training window, from the training fit alone (actual media and controls).

    Drift stays where the training left it.
    """
    t0 = train.panel.shape[1]
    media = training_effects(train, panel).mean(axis=0)
    target = train.panel.outcome - mean_effects(train, thin(train, 60))[0].sum(axis=0)
    coef, drift, level = best_linear_prediction(train, target)
    future = nuisance_ahead(train, panel)
    step = np.einsum("gtp,p->gt", future[:, t0:], coef) + drift[:, -1:] + level[:, None]
    ahead = train.panel.from_outcome(step + media[:, t0:])
    return np.asarray(ahead * panel.size[:, None] * panel.money_per_kpi[:, t0:])


def nuisance_ahead(train: Posterior, panel: Panel) -> Array:
    """(G, T, P) nuisance columns of the whole panel, scaled with the training window's centre and spread."""
    from modeling.mmm.baseline import seasonal_columns

    t0 = train.panel.shape[1]
    g, t, _ = panel.shape
    names = train.frame.nuisance_names
    level = train.frame.own_level[:, None]
    out = np.zeros((g, t, len(names)))
    harmonics = sum(n.startswith("season_sin") for n in names)
    season, season_names = seasonal_columns(panel, harmonics)
    for p, name in enumerate(names):
        if name == "trend":
            out[:, :, p] = (-1.0 + 2.0 * np.arange(t) / max(t0 - 1, 1)) * level
        elif name in season_names:
            out[:, :, p] = season[season_names.index(name)] * level
        elif name.startswith("demand:"):
            _, channel, reading = name.split(":")
            c = panel.channels.index(channel)
            out[:, :, p] = demand_controls(panel, c, t0)[int(reading)] * level
        else:
            k = panel.control_names.index(name)
            x = train.panel.controls[k]
            sd = float(x.std())
            out[:, :, p] = (panel.controls[k] - x.mean()) / (sd if sd > 0 else 1.0) * level
    return out


def fold_edges(panel: Panel, folds: int = 3, horizon: int = 8) -> list[tuple[int, int]]:
    """(training periods, test periods) of expanding time folds at the end of the panel."""
    t = panel.shape[1]
    h = horizon * panel.periods_per_week
    first = 40 * panel.periods_per_week
    return [(t - h * k, h) for k in range(folds, 0, -1) if t - h * k >= first]


def out_of_sample(panel: Panel, options: Options, folds: int = 3) -> list[dict[str, Any]]:
    """Refit on each training window and score the periods after it; raw scores, next to a seasonal naive."""
    light = replace(options, chains=2, warmup=30, keep=40)
    rows = []
    for t0, h in fold_edges(panel, folds):
        known = head(panel, t0)
        if not (known.spend.sum(axis=(1, 2)) > 0).any():
            continue
        train = fit(known, light)
        part = head(panel, t0 + h)
        predicted = predict(train, part)
        actual = (part.kpi * part.money_per_kpi)[:, t0:]
        row: dict[str, Any] = {"train_periods": t0, "test_periods": h, **scores(actual, predicted)}
        year = 52 * panel.periods_per_week
        if t0 >= year:
            naive = (part.kpi * part.money_per_kpi)[:, t0 - year : t0 - year + h]
            row["seasonal_naive_wmape"] = scores(actual, naive)["wmape"]
        rows.append(row)
    return rows


def in_sample(posterior: Posterior) -> dict[str, Any]:
    """In-sample scores (labelled so) and residual tests of the reported decomposition."""
    parts = decompose(posterior)
    actual = posterior.panel.kpi * posterior.panel.money_per_kpi
    return {
        "in_sample": {**scores(actual, parts.fitted), "note": "in-sample: describes, does not validate"},
        "residuals": residual_tests(parts.residual, parts.fitted),
    }


def convergence(posterior: Posterior) -> dict[str, Any]:
    """Split R-hat of every channel's return (Gelman et al. 2013) and the error model's mixing."""
    draws = posterior.draws
    out = {}
    chains = int(draws.chain.max()) + 1
    for i, c in enumerate(posterior.channels):
        x = np.stack([draws.gamma[draws.chain == k, i] for k in range(chains)])
        n = x.shape[1] // 2
        split = np.concatenate([x[:, :n], x[:, n : 2 * n]])
        within = float(split.var(axis=1, ddof=1).mean())
        between = n * float(split.mean(axis=1).var(ddof=1))
        out[posterior.panel.channels[c]] = (
            float(np.sqrt(((n - 1) / n * within + between / n) / within)) if within > 0 else 1.0
        )
    worst = max(out.values(), default=1.0)
    return {"r_hat": out, "worst_r_hat": worst, "converged": bool(worst < 1.1)}


def transformation_uncertainty(posterior: Posterior) -> dict[str, Any]:
    """Per channel: posterior of family, mean lag and half-saturation (relative to mean exposure)."""
    out: dict[str, Any] = {}
    follows = {
        i: float(posterior.draws.support[posterior.n_channels + k]) for k, i in enumerate(posterior.demand_of)
    }
    for i, c in enumerate(posterior.channels):
        d = posterior.dictionaries[i]
        picks, counts = np.unique(posterior.draws.candidate[:, i], return_counts=True)
        family: dict[str, float] = {}
        kinds: dict[str, float] = {}
        lags, halves = [], []
        for j, n in zip(picks, counts, strict=True):
            _, a, s = d.parts(int(j))
            adstock, saturation = d.grid.adstocks[a], d.grid.saturations[s]
            share = n / counts.sum()
            family[saturation.kind] = family.get(saturation.kind, 0.0) + share
            kinds[adstock.kind] = kinds.get(adstock.kind, 0.0) + share
            lag = float(adstock.weights(d.grid.length) @ np.arange(d.grid.length))
            lags += [lag] * int(n)
            halves += [saturation.scale] * int(n)
        q = np.quantile(lags, [0.05, 0.5, 0.95])
        k = np.quantile(halves, [0.05, 0.5, 0.95])
        out[posterior.panel.channels[c]] = {
            "saturation_family": family,
            "adstock_family": kinds,
            "mean_lag_periods": {"p05": q[0], "p50": q[1], "p95": q[2]},
            "half_saturation": {"p05": k[0], "p50": k[1], "p95": k[2]},
            "support_probability": float(posterior.support()[i]),
            "follows_demand_probability": follows.get(i, 1.0 if posterior.demand_controlled(i) else 0.0),
        }
    return out
