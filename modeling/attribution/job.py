"""The attribution job: Markov credit from transition counts, laid out by week and DMA, and intervals of every model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from modeling.attribution import markov
from modeling.attribution.models import (
    MODELS,
    TAILS,
    Settings,
    bootstrap_draws,
    credit_matrices,
    path_division,
    shares_of,
)
from modeling.attribution.paths import Floats, Paths, build_paths
from modeling.attribution.spec import OUTPUTS
from modeling.errors import Refusal
from modeling.runner import JobResult

ORDERS = (1, 2)
DRAWS = 100


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: paths of all weeks together."""
    return ["all"]


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Solve removal effects of orders 1 and 2 and draw intervals for every window.

    Raises:
        Refusal: no conversions, or fewer than two channels.
    """
    table = features["feat_attribution_path"]
    if table.empty or not table["conversions"].sum() > 0:
        raise Refusal("no converted path: nothing to attribute")
    removal, intervals, credit = [], [], []
    spans: list[tuple[dt.date, dt.date]] = []
    for window, rows in table.groupby("window_name", sort=True):
        name = str(window)
        paths, _ = build_paths(rows["path"], rows["conversions"], rows["value_usd"], rows["nulls"])
        moves = features["feat_attribution_transition"]
        first_order = markov.chain_from_table(moves[moves["window_name"] == window], paths.channels)
        effects = {}
        for order in ORDERS:
            # Order one needs only the counts that SQL made; a longer memory needs the distinct paths.
            chain = first_order if order == 1 else markov.build_chain(paths, order)
            effects[order] = markov.removal_effects(chain, len(paths.channels))
            removal.append(_removal_rows(name, order, paths, chain, effects[order]))
        span = (rows["first_week"].min().date(), (rows["last_week"].max() + pd.Timedelta(days=6)).date())
        spans.append(span)
        decay = _decay_matrix(features["feat_attribution_path_decay"], paths, rows["path"])
        intervals.append(_interval_rows(name, span, paths, effects, decay, seed))
        if name == "history":
            credit = [
                _credit_rows(features["feat_attribution_path_week"], paths, effects[o], o) for o in ORDERS
            ]
    outputs = {
        "attribution_credit_week": pd.concat(credit, ignore_index=True)[
            list(OUTPUTS["attribution_credit_week"])
        ],
        "attribution_interval": pd.concat(intervals, ignore_index=True)[
            list(OUTPUTS["attribution_interval"])
        ],
        "attribution_removal": pd.concat(removal, ignore_index=True)[list(OUTPUTS["attribution_removal"])],
    }
    metrics = {
        "distinct_paths": len(table),
        "conversions": float(table["conversions"].max()),
        "draws": DRAWS,
    }
    return JobResult(outputs, metrics, (min(s[0] for s in spans), max(s[1] for s in spans)))


def _removal_rows(window: str, order: int, paths: Paths, chain: markov.Chain, effect: Floats) -> pd.DataFrame:
    value = np.full_like(effect, np.nan)
    if chain.value.sum() > 0:
        value = markov.removal_effects(chain, len(paths.channels), reward="value")
    return pd.DataFrame(
        {
            "window_name": window,
            "markov_order": order,
            "channel_id": paths.channels,
            "removal_effect": effect,
            "removal_effect_value": value,
            "share": shares_of(effect),
        }
    )


def _credit_rows(weekly: pd.DataFrame, paths: Paths, effect: Floats, order: int) -> pd.DataFrame:
    """Markov credit by week, DMA and channel: each conversion is divided on its own path."""
    own, _ = build_paths(weekly["path"].drop_duplicates(), pd.Series(np.ones(weekly["path"].nunique())))
    code = {c: i for i, c in enumerate(paths.channels)}
    aligned = np.array([effect[code[c]] for c in own.channels])
    division = path_division(own, aligned).tocoo()
    texts = weekly["path"].drop_duplicates().tolist()
    parts = pd.DataFrame(
        {
            "path": np.array(texts, dtype=object)[division.row],
            "channel_id": np.array(own.channels, dtype=object)[division.col],
            "credit": division.data,
        }
    )
    joined = weekly.merge(parts, on="path")
    joined["credited_conversions"] = joined["credit"] * joined["conversions"]
    joined["credited_value_usd"] = joined["credit"] * joined["value_usd"]
    key = ["week_start_date", "dma_id", "channel_id"]
    out = joined.groupby(key, as_index=False)[["credited_conversions", "credited_value_usd"]].sum()
    model = "markov" if order == 1 else f"markov_order{order}"
    out["week_start_date"] = out["week_start_date"].dt.date
    return out.assign(model=model, model_version=f"markov-order{order}-path")


def _decay_matrix(decay: pd.DataFrame, paths: Paths, texts: pd.Series) -> sparse.csr_array:
    """(P, C) time-decay credit per path, from SQL; null-only paths have none."""
    place = {text: i for i, text in enumerate(texts.drop_duplicates())}
    code = {c: i for i, c in enumerate(paths.channels)}
    inside = decay[decay["path"].isin(place)]
    rows = inside["path"].map(place).to_numpy(dtype=np.int64)
    columns = inside["channel_id"].map(code).to_numpy(dtype=np.int64)
    shape = (len(paths.lengths), len(paths.channels))
    return sparse.coo_array(
        (inside["credit"].to_numpy(dtype=np.float64), (rows, columns)), shape=shape
    ).tocsr()


def _interval_rows(
    window: str,
    span: tuple[dt.date, dt.date],
    paths: Paths,
    effects: dict[int, Floats],
    decay: sparse.csr_array,
    seed: int,
) -> pd.DataFrame:
    settings = Settings(seed=seed)
    matrices = {**credit_matrices(paths, settings), "time_decay": decay}
    draws = bootstrap_draws(paths, settings, matrices, draws=DRAWS, markov_by_path=True).shares
    total = float(paths.conversions.sum())
    parts = []
    for model in MODELS:
        matrix = path_division(paths, effects[1]) if model == "markov" else matrices[model]
        share = (matrix.T @ paths.conversions) / total
        low, high = np.quantile(draws[model], [0.05, 0.95], axis=0, method=TAILS)
        parts.append(
            pd.DataFrame(
                {
                    "window_name": window,
                    "window_start": span[0],
                    "window_end": span[1],
                    "model": model,
                    "channel_id": paths.channels,
                    "share": share,
                    "share_low": low,
                    "share_high": high,
                    "conversions": share * total,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
