"""Clusters of places, and whether a sales model for each cluster predicts better than one for all.

Three models of log revenue per home with a level of their own for every place, compared on weeks they have not seen:
one set of slopes for all (pooled), one for each cluster, and slopes of every place drawn towards the common ones as
far as the data ask for it (mixed: random coefficients, Swamy 1970, by empirical Bayes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.segments.cluster import segment
from modeling.segments.profile import profiles

MEDIA = ("video_usd_per_home", "social_usd_per_home", "search_usd_per_home", "rmn_usd_per_home")
FEATURES = ("revenue_per_home", "log_homes", "amazon_share", "walmart_share", "temperature")
HORIZON = 13
FOLDS = 3
MODELS = ("pooled", "clusters", "mixed")


@dataclass(frozen=True)
class GeographyClusters:
    """Clusters: one row a place (dma_id, cluster_id, cluster_name, description); scores: model, cutoff_date, wape, is_best."""

    clusters: pd.DataFrame
    scores: pd.DataFrame
    reason: str


def place_features(panel: pd.DataFrame) -> pd.DataFrame:
    """One row a place: means over the weeks given."""
    grouped = panel.groupby("dma_id")
    return pd.DataFrame(
        {
            "revenue_per_home": grouped["revenue_usd"].mean() / grouped["tv_homes"].first(),
            "log_homes": np.log(grouped["tv_homes"].first()),
            "amazon_share": grouped["amazon_share"].mean(),
            "walmart_share": grouped["walmart_share"].mean(),
            "temperature": grouped["temperature_f"].mean().fillna(0.0),
        }
    ).reset_index()


def design(panel: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Regressors (D, T, K) and log revenue per home (D, T) of a complete panel sorted by place and week."""
    places, weeks = panel["dma_id"].nunique(), panel["week_start_date"].nunique()
    start = panel["week_start_date"].min()
    age = (panel["week_start_date"] - start).dt.days.to_numpy(float) / 364.0
    columns = [
        np.log(panel["price_index"].ffill().to_numpy(float)),
        panel["promo_index"].fillna(0).to_numpy(float),
    ]
    for name in MEDIA:
        spend = panel[name].to_numpy(float)
        columns.append(np.log1p(spend / max(spend.mean(), 1e-12)))
    if panel["search_interest"].notna().all():
        columns.append(np.log(panel["search_interest"].to_numpy(float)))
    columns += [age, *(f(2 * np.pi * k * age) for k in (1, 2) for f in (np.sin, np.cos))]
    x = np.column_stack(columns).reshape(places, weeks, len(columns))
    y = np.log(np.maximum(panel["revenue_usd"].to_numpy(float), 1.0) / panel["tv_homes"].to_numpy(float))
    return x, y.reshape(places, weeks)


def _slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Common slopes of centred data (D, T, K), (D, T); a whisper of ridge keeps an idle channel finite."""
    flat = x.reshape(-1, x.shape[-1])
    gram = flat.T @ flat
    return np.asarray(
        np.linalg.solve(gram + 1e-6 * np.trace(gram) / len(gram) * np.eye(len(gram)), flat.T @ y.ravel())
    )


def _mixed(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes of every place, (D, K): own least squares drawn towards the common slopes by their precision."""
    common = _slopes(x, y)
    left = y - x @ common
    d, t, k = x.shape
    noise = float((left**2).sum() / (d * (t - 1) - k))
    gram = np.einsum("dtk,dtj->dkj", x, x)
    keep = np.array([np.linalg.cond(g) < 1e10 for g in gram])
    own = np.zeros((d, k))
    variance = np.zeros((d, k))
    for place in np.flatnonzero(keep).tolist():
        inverse = np.linalg.inv(gram[place])
        own[place] = inverse @ (x[place].T @ left[place])
        variance[place] = noise * np.diag(inverse)
    if keep.sum() < 3:
        return np.tile(common, (d, 1))
    spread = np.maximum((own[keep] ** 2 - variance[keep]).mean(axis=0), 1e-10)
    out = np.empty((d, k))
    for place in range(d):
        out[place] = common + np.linalg.solve(
            gram[place] / noise + np.diag(1 / spread), x[place].T @ left[place] / noise
        )
    return out


def predict(
    model: str, x: np.ndarray, y: np.ndarray, train: int, horizon: int, cluster: np.ndarray
) -> np.ndarray:
    """Log revenue per home of the ``horizon`` weeks after ``train``, (D, horizon)."""
    xm, ym = x[:, :train].mean(axis=1, keepdims=True), y[:, :train].mean(axis=1, keepdims=True)
    xt, yt = x[:, :train] - xm, y[:, :train] - ym
    live = np.abs(xt).max(axis=(0, 1)) > 1e-9  # a cause that never moved explains nothing
    x, xm, xt = x[..., live], xm[..., live], xt[..., live]
    if model == "pooled":
        slopes = np.tile(_slopes(xt, yt), (len(x), 1))
    elif model == "clusters":
        slopes = np.empty((len(x), x.shape[2]))
        for number in np.unique(cluster):
            mine = cluster == number
            slopes[mine] = _slopes(xt[mine], yt[mine])
    else:
        slopes = _mixed(xt, yt)
    ahead = x[:, train : train + horizon] - xm
    return np.asarray(ym + np.einsum("dtk,dk->dt", ahead, slopes))


def cluster_places(panel: pd.DataFrame, *, seed: int = 0) -> GeographyClusters:
    """Cluster the places on weeks before the first hold-out, and compare the three models on the hold-outs.

    Args:
        panel: one row a place and week with the columns of ``feat_geo_cluster_week``.

    Raises:
        Refusal: too few complete places or weeks.
    """
    whole = panel[panel["is_complete"].astype(bool)].copy()
    whole["week_start_date"] = pd.to_datetime(whole["week_start_date"])
    weeks = np.sort(whole["week_start_date"].unique())
    counts = whole.groupby("dma_id").size()
    whole = whole[whole["dma_id"].isin(counts[counts == len(weeks)].index)].sort_values(
        ["dma_id", "week_start_date"]
    )
    places = whole["dma_id"].nunique()
    first_cut = len(weeks) - FOLDS * HORIZON
    if places < 40 or first_cut < 30:
        raise Refusal(
            f"{places} places with {len(weeks)} weeks each: too few to compare models by cluster out of sample"
        )
    table = place_features(whole[whole["week_start_date"] < weeks[first_cut]])
    fitted = segment(table, FEATURES, seed=seed, most_k=8)
    about = profiles(table, fitted).set_index("segment")
    x, y = design(whole)
    homes = whole.groupby("dma_id")["tv_homes"].first().to_numpy(float)[:, None]
    rows = []
    for fold in range(FOLDS):
        cut = first_cut + fold * HORIZON
        real = homes * np.exp(y[:, cut : cut + HORIZON])
        for model in MODELS:
            guess = homes * np.exp(predict(model, x, y, cut, HORIZON, fitted.labels))
            rows.append(
                {
                    "model": model,
                    "cutoff_date": weeks[cut],
                    "wape": float(np.abs(guess - real).sum() / real.sum()),
                }
            )
    scores = pd.DataFrame(rows)
    mean = scores.groupby("model")["wape"].mean()
    scores["is_best"] = scores["model"] == mean.idxmin()
    clusters = pd.DataFrame(
        {
            "dma_id": table["dma_id"],
            "cluster_id": fitted.labels,
            "cluster_name": about.loc[fitted.labels, "name"].to_numpy(),
            "description": about.loc[fitted.labels, "description"]
            .str.replace("of customers", "of places")
            .to_numpy(),
        }
    )
    words = ", ".join(f"{m} {mean[m]:.3f}" for m in MODELS)
    return GeographyClusters(clusters, scores, f"{fitted.reason}; mean WAPE out of sample: {words}")
