"""The weekly warehouse job: every DMA x retailer x product, coherent, with the stock at risk.

One unit per retailer, and one ("nation") for the levels above retailers. Within a retailer:

1. Product series are lifted where stock cut their sales, and added up to DMA x retailer.
2. DMA x retailer and the retailer's total are forecast by the batched candidates; MinT makes them add up.
3. Products are forecast by the batched regression and smoothing candidates and scaled to their DMA's forecast.

Prophet and SARIMAX compete on the nation's total only, at the newest four origins: their cost forbids 630 series.

A series whose history is too short or empty is filled by its share of its sisters and flagged, never left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.forecast import stock
from modeling.forecast.candidates import BATCHED
from modeling.forecast.censor import unconstrained
from modeling.forecast.engine import Forecast, forecast_panel
from modeling.forecast.hierarchy import Tree, build_tree, coherent_quantiles, reconcile_means
from modeling.forecast.panel import MIN_BORROWED, MIN_HISTORY, Array, Mask, Panel
from modeling.runner import JobResult

HORIZON = 13
#: Backtest origins, a quarter apart in two years of history.
ORIGINS = 4
NATION = "nation"
MEDIA = ("video_usd", "social_usd", "search_usd", "crm_usd")
#: Candidates for markets: without two that repeat a sister's forecast and cost a tenth of the run.
MARKET = tuple(name for name in BATCHED if name not in ("theta", "trend_season"))
#: Candidates for the product split: all that need no trees.
SPLIT = ("four_week_mean", "last_year", "ets_exog", "mstl_ets", "harmonic_pooled", "level_factor")
SHORT, NO_HISTORY, YARDSTICK, SHARE = "short_history", "no_history", "yardstick_only", "scaled_to_dma"


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit per retailer, then the nation."""
    sales = features["feat_forecast_product_week"]
    if sales.empty:
        raise Refusal("no sales to forecast from")
    return [*sorted(sales["retailer_id"].unique()), NATION]


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Forecast one retailer, or the levels above the retailers.

    Raises:
        Refusal: fewer weeks of sales than the least that a forecast needs.
    """
    sales = features["feat_forecast_product_week"]
    weeks = pd.DatetimeIndex(sorted(pd.to_datetime(sales["week_start_date"].unique())))
    if len(weeks) < max(MIN_HISTORY["W"], 2 * HORIZON):
        raise Refusal(
            f"too short: {len(weeks)} weeks of sales; a forecast of {HORIZON} weeks needs"
            f" {max(MIN_HISTORY['W'], 2 * HORIZON)}"
        )
    grid = pd.date_range(weeks[0], periods=(weeks[-1] - weeks[0]).days // 7 + 1 + HORIZON, freq="7D")
    length = len(grid) - HORIZON
    window = (grid[0].date(), (grid[length - 1] + pd.Timedelta(days=6)).date())
    if unit == NATION:
        outputs, metrics = _nation(features, grid, seed)
    else:
        outputs, metrics = _retailer(features, unit, grid, seed)
    return JobResult(outputs=outputs, metrics=metrics, window=window)


def product_panel(features: Mapping[str, pd.DataFrame], retailer: str, grid: pd.DatetimeIndex) -> Panel:
    """Products of one retailer by DMA: series are named ``dma|product``."""
    sales = features["feat_forecast_product_week"]
    sales = sales[sales["retailer_id"] == retailer]
    length = len(grid) - HORIZON
    names, index = np.unique(
        (sales["dma_id"] + "|" + sales["product_id"]).to_numpy(dtype=str), return_inverse=True
    )
    column = ((pd.to_datetime(sales["week_start_date"]) - grid[0]).dt.days // 7).to_numpy()
    y = np.full((len(names), length), np.nan)
    y[index, column] = sales["units_sold"].to_numpy(dtype=float)
    cut = np.zeros(y.shape, dtype=bool)
    cut[index, column] = sales["is_censored"].to_numpy(dtype=bool)
    begun = np.maximum.accumulate(np.isfinite(y), axis=1)
    y = np.where(begun & ~np.isfinite(y), 0.0, y)  # the retailer reported, the product did not sell
    promo = _promotions(features, retailer, grid)
    exog = np.zeros((len(names), len(grid), 1))
    for s, name in enumerate(names):
        exog[s, :, 0] = promo.get(str(name).split("|", 1)[1], np.zeros(len(grid)))
    return _panel([str(n) for n in names], grid, y, exog, ["discount"], cut)


def _panel(
    names: list[str],
    grid: pd.DatetimeIndex,
    y: Array,
    exog: Array,
    labels: list[str],
    cut: Mask | None = None,
    assumed: tuple[int, ...] = (),
) -> Panel:
    closed = np.zeros((len(names), len(grid)), dtype=bool)
    censored = np.zeros(y.shape, dtype=bool) if cut is None else cut & np.isfinite(y)
    return Panel(names, grid, y, exog, labels, closed, censored, "W", HORIZON, assumed=assumed)


def _promotions(
    features: Mapping[str, pd.DataFrame], retailer: str, grid: pd.DatetimeIndex
) -> dict[str, Array]:
    """product -> (T + H,) discount share, weighted by the promoted days of the week."""
    table = features["feat_forecast_promotion_week"]
    table = table[table["retailer_id"] == retailer]
    out: dict[str, Array] = {}
    for product, part in table.groupby("product_id"):
        column = ((pd.to_datetime(part["week_start_date"]) - grid[0]).dt.days // 7).to_numpy()
        inside = (column >= 0) & (column < len(grid))
        values = np.zeros(len(grid))
        depth = part["discount_pct"].to_numpy(dtype=float) * part["promo_days"].to_numpy(dtype=float) / 7.0
        values[column[inside]] = depth[inside]
        out[str(product)] = values
    return out


def _media(
    features: Mapping[str, pd.DataFrame], dmas: list[str], grid: pd.DatetimeIndex, columns: tuple[str, ...]
) -> Array:
    """(S, T + H, K) log of carried-over spend by DMA over its own mean.

    In single precision: spend is a sum whose last digits depend on the order of its rows, and a tree that splits
    between two equal values would turn that difference into another forecast.
    """
    table = features["feat_forecast_media_week"]
    column = ((pd.to_datetime(table["week_start_date"]) - grid[0]).dt.days // 7).to_numpy()
    inside = (column >= 0) & (column < len(grid))
    row = {dma: i for i, dma in enumerate(dmas)}
    known = table["dma_id"].isin(row).to_numpy() & inside
    part = table[known]
    i, j = part["dma_id"].map(row).to_numpy(), column[known]
    layers = []
    for name in columns:
        grid_values = np.zeros((len(dmas), len(grid)))
        grid_values[i, j] = np.nan_to_num(part[name].to_numpy(dtype=np.float32))
        mean = grid_values[:, : len(grid) - HORIZON].mean(axis=1, keepdims=True)
        layers.append(np.log1p(grid_values / np.where(mean > 0, mean, 1.0)))
    return np.stack(layers, axis=2)


def _sum_by(keys: list[str], y: Array, weight: Array | None = None) -> tuple[list[str], Array]:
    names, index = np.unique(np.array(keys), return_inverse=True)
    total = np.zeros((len(names), y.shape[1]))
    np.add.at(total, index, np.nan_to_num(y) * (1.0 if weight is None else weight))
    return [str(n) for n in names], total


def _depth(products: Panel, lifted: Array) -> Array:
    """(D, T + H) discount of each DMA: its products' discounts weighted by their mean units."""
    dma_of = [n.split("|", 1)[0] for n in products.names]
    level = np.repeat(np.nan_to_num(lifted).mean(axis=1)[:, None], len(products.dates), axis=1)
    _, depth = _sum_by(dma_of, level, products.exog[:, :, 0])
    _, base = _sum_by(dma_of, level)
    return depth / np.maximum(base, 1e-9)


def _retailer(
    features: Mapping[str, pd.DataFrame], retailer: str, grid: pd.DatetimeIndex, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    products = product_panel(features, retailer, grid)
    length = products.length
    lifted = unconstrained(products)
    dma_of = [n.split("|", 1)[0] for n in products.names]
    dmas, total = _sum_by(dma_of, lifted)
    depth = _depth(products, lifted)
    media = _media(features, dmas, grid, (*MEDIA, f"rmn_{retailer}_usd"))
    labels = ["discount", *MEDIA, "rmn_usd"]
    unplanned = tuple(range(1, len(labels)))
    regressors = np.concatenate([depth[:, :, None], media], axis=2)
    panel = _panel(dmas, grid, total, regressors, labels, assumed=unplanned)
    keys = pd.DataFrame({"dma": dmas}, index=dmas)
    tree = build_tree(dmas, keys, ["dma"])
    top = _panel(["total"], grid, total.sum(axis=0, keepdims=True), _weighted(regressors, total), labels)
    full = _stack(top, panel) if len(dmas) > 1 else panel
    result = forecast_panel(full, seed=seed, models=MARKET, origins=ORIGINS)
    if len(dmas) > 1:
        _reconcile(result, tree)
    split = forecast_panel(products, seed=seed, models=SPLIT, origins=ORIGINS)
    outputs = _write(result, split, retailer, dma_of, features, seed)
    metrics = _metrics(result)
    metrics["lifted_units"] = float(np.nansum(lifted - np.nan_to_num(products.y)))
    metrics["censored_cells"] = int(products.censored.sum())
    metrics["weeks"] = length
    return outputs, metrics


def _stack(top: Panel, bottom: Panel) -> Panel:
    return Panel(
        [*top.names, *bottom.names],
        bottom.dates,
        np.concatenate([top.y, bottom.y]),
        np.concatenate([top.exog, bottom.exog]),
        bottom.exog_names,
        np.concatenate([top.closed, bottom.closed]),
        np.concatenate([top.censored, bottom.censored]),
        bottom.freq,
        bottom.horizon,
        assumed=bottom.assumed,
    )


def _weighted(exog: Array, volume: Array) -> Array:
    weight = volume.mean(axis=1)
    return np.asarray(np.einsum("s,stk->tk", weight / max(weight.sum(), 1e-9), exog)[None])


def _reconcile(result: Forecast, tree: Tree) -> None:
    count = len(result.mean)
    errors = np.moveaxis(result.errors, 1, 0).reshape(count, -1)
    mean = reconcile_means(tree, result.mean, errors)
    result.quantiles = coherent_quantiles(tree, result.mean, mean, result.quantiles)
    result.mean = mean


def _nation(
    features: Mapping[str, pd.DataFrame], grid: pd.DatetimeIndex, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """Levels above retailers: each DMA over all retailers, and the nation.

    Their published mean is the sum of the retailers' forecasts (made in the mart, so that it adds up whatever
    retailers there are); what this unit gives is how wide their intervals are.
    """
    sales = features["feat_forecast_product_week"]
    parts: dict[str, Array] = {}
    depths: list[dict[str, Array]] = []
    for retailer in sorted(sales["retailer_id"].unique()):
        products = product_panel(features, retailer, grid)
        lifted = unconstrained(products)
        names, total = _sum_by([n.split("|", 1)[0] for n in products.names], lifted)
        for name, row in zip(names, total, strict=True):
            parts[name] = parts.get(name, 0.0) + row
        depths.append(dict(zip(names, _depth(products, lifted), strict=True)))
    dmas = sorted(parts)
    y = np.stack([parts[d] for d in dmas])
    media = _media(features, dmas, grid, (*MEDIA, "rmn_amazon_usd", "rmn_walmart_usd", "rmn_target_usd"))
    none = np.zeros(len(grid))
    discounts = np.stack([[depth.get(dma, none) for dma in dmas] for depth in depths], axis=2)
    unplanned = tuple(range(media.shape[2]))
    media = np.concatenate([media, discounts], axis=2)
    labels = [f"x{k}" for k in range(media.shape[2])]
    panel = _panel(dmas, grid, y, media, labels, assumed=unplanned)
    top = _panel(["total"], grid, y.sum(axis=0, keepdims=True), _weighted(media, y), labels)
    slow = {"prophet": [0], "sarimax": [0]}
    result = forecast_panel(_stack(top, panel), seed=seed, models=MARKET, slow=slow, origins=ORIGINS)
    table = _forecast_rows(result, "all", {"total": ("000", "nation")}, "dma")
    empty = pd.DataFrame(columns=["dma_id"])
    return {
        "demand_forecast_week": table,
        "forecast_backtest": _backtest_rows(result, "all"),
        "stock_risk_week": empty.reindex(columns=_RISK_COLUMNS),
    }, _metrics(result)


_RISK_COLUMNS = [
    "dma_id",
    "retailer_id",
    "product_id",
    "week_start_date",
    "on_hand_units",
    "weeks_of_supply",
    "probability_stockout",
    "probability_overstock",
    "lost_units",
    "lost_sales_usd",
    "suggested_order_units",
    "suggestion",
]


def _metrics(result: Forecast) -> dict[str, object]:
    totals = result.totals().set_index("model")
    return {
        "wape": {str(k): round(float(v), 5) for k, v in totals["wape"].items()},
        "mase": {str(k): round(float(v), 4) for k, v in totals["mase"].items()},
        "mean_weight": {str(k): round(float(v), 4) for k, v in totals["mean_weight"].items()},
        "coverage80": round(float(result.calibration.coverage), 4),
        "cutoffs": [str(result.panel.dates[c - 1].date()) for c in result.back.cutoffs],
        "notes": result.notes,
    }


def _flags(result: Forecast) -> list[str]:
    seen = result.panel.usable.sum(axis=1)
    return [
        NO_HISTORY if n < MIN_BORROWED else SHORT if n < MIN_HISTORY["W"] else YARDSTICK if fallen else ""
        for n, fallen in zip(seen, result.fallen_back, strict=True)
    ]


def _forecast_rows(
    result: Forecast, retailer: str, top: Mapping[str, tuple[str, str]], level: str
) -> pd.DataFrame:
    """Rows of the output table for DMA-level series; ``top`` maps the total's name to its dma_id and level."""
    panel = result.panel
    horizon = panel.horizon
    places = [top.get(n, (n, level)) for n in panel.names]
    return pd.DataFrame(
        {
            "dma_id": np.repeat([p[0] for p in places], horizon),
            "retailer_id": retailer,
            "product_id": "all",
            "level": np.repeat([p[1] for p in places], horizon),
            "week_start_date": np.tile(panel.dates[panel.length :], len(places)),
            "horizon_week": np.tile(np.arange(1, horizon + 1), len(places)),
            "model": np.repeat(result.choice.label, horizon),
            "p10_units": result.quantiles[0].ravel(),
            "p50_units": result.quantiles[1].ravel(),
            "p90_units": result.quantiles[2].ravel(),
            "mean_units": result.mean.ravel(),
            "is_reconciled": retailer != "all",
            "forecast_flag": np.repeat(_flags(result), horizon),
        }
    )


def _backtest_rows(result: Forecast, retailer: str) -> pd.DataFrame:
    table = result.backtest_table()
    champion = dict(zip(result.panel.names, result.choice.label, strict=True))
    return pd.DataFrame(
        {
            "dma_id": table["series"].replace("total", "000"),
            "retailer_id": retailer,
            "product_id": "all",
            "model": table["model"],
            "cutoff_date": table["cutoff"] + pd.Timedelta(days=6),
            "wape": table["wape"],
            "mase": table["mase"],
            "pinball": table["pinball"],
            "coverage80": table["coverage80"],
            "is_champion": table["model"] == table["series"].map(champion),
        }
    )


def _write(
    result: Forecast,
    split: Forecast,
    retailer: str,
    dma_of: list[str],
    features: Mapping[str, pd.DataFrame],
    seed: int,
) -> dict[str, pd.DataFrame]:
    dma_row = {name: i for i, name in enumerate(result.panel.names)}
    at = np.array([dma_row[d] for d in dma_of])
    names, index = np.unique(np.array(dma_of), return_inverse=True)
    horizon = split.panel.horizon
    total = np.zeros((len(names), horizon))
    np.add.at(total, index, split.mean)
    # a DMA none of whose products has a forecast above zero is split by history
    history = np.nan_to_num(split.panel.y).mean(axis=1) + 1e-9
    by_history = np.zeros(len(names))
    np.add.at(by_history, index, history)
    share = np.where(
        total[index] > 0, split.mean / np.maximum(total[index], 1e-12), (history / by_history[index])[:, None]
    )
    mean = share * result.mean[at]
    ratio = np.where(split.mean > 0, mean / np.maximum(split.mean, 1e-12), 1.0)
    quantiles = np.sort(split.quantiles * np.clip(ratio, 0.0, 10.0)[None], axis=0)
    dma_table = _forecast_rows(result, retailer, {"total": ("000", "retailer")}, "dma_retailer")
    flags = [flag or SHARE for flag in _flags(split)]
    product_of = [n.split("|", 1)[1] for n in split.panel.names]
    weeks = split.panel.dates[split.panel.length :]
    product_table = pd.DataFrame(
        {
            "dma_id": np.repeat(dma_of, horizon),
            "retailer_id": retailer,
            "product_id": np.repeat(product_of, horizon),
            "level": "product",
            "week_start_date": np.tile(weeks, len(dma_of)),
            "horizon_week": np.tile(np.arange(1, horizon + 1), len(dma_of)),
            "model": np.repeat(split.choice.label, horizon),
            "p10_units": quantiles[0].ravel(),
            "p50_units": quantiles[1].ravel(),
            "p90_units": quantiles[2].ravel(),
            "mean_units": mean.ravel(),
            "is_reconciled": True,
            "forecast_flag": np.repeat(flags, horizon),
        }
    )
    held = stock.persistence(split.errors)
    risk = _stock_rows(features, retailer, dma_of, product_of, weeks, quantiles, mean, held, seed)
    return {
        "demand_forecast_week": pd.concat([dma_table, product_table], ignore_index=True),
        "forecast_backtest": _backtest_rows(result, retailer),
        "stock_risk_week": risk,
    }


def _stock_rows(
    features: Mapping[str, pd.DataFrame],
    retailer: str,
    dma_of: list[str],
    product_of: list[str],
    weeks: pd.DatetimeIndex,
    quantiles: Array,
    mean: Array,
    held: float,
    seed: int,
) -> pd.DataFrame:
    """Risk where stock is reported: by DMA, or for the nation ('000') where the retailer reports one figure."""
    table = features["feat_forecast_stock"]
    table = table[table["retailer_id"] == retailer].reset_index(drop=True)
    if table.empty:
        return pd.DataFrame(columns=_RISK_COLUMNS)
    position = {(d, p): i for i, (d, p) in enumerate(zip(dma_of, product_of, strict=True))}
    members: list[list[int]] = [
        [i for (d, p), i in position.items() if p == product and dma in ("000", d)]
        for dma, product in zip(table["dma_id"], table["product_id"], strict=True)
    ]
    table = table[[bool(m) for m in members]].reset_index(drop=True)
    members = [m for m in members if m]
    horizon = len(weeks)
    bands = np.zeros((3, len(members), horizon))
    for k, part in enumerate(members):
        middle = mean[part].sum(axis=0)
        # errors of DMAs move together in part: between independent and in step
        low, high = quantiles[1][part] - quantiles[0][part], quantiles[2][part] - quantiles[1][part]
        width = [np.sqrt(0.5 * (w**2).sum(axis=0) + 0.5 * w.sum(axis=0) ** 2) for w in (low, high)]
        bands[:, k] = np.stack([np.maximum(middle - width[0], 0.0), middle, middle + width[1]])
    on_hand = np.nan_to_num(table["on_hand_units"].to_numpy(dtype=float))
    inbound = np.nan_to_num(table["open_po_units"].to_numpy(dtype=float))
    risk = stock.assess(on_hand, inbound, bands, persistence=held, seed=seed)
    head = table[["dma_id", "retailer_id", "product_id"]].assign(
        on_hand_units=on_hand,
        weeks_of_supply=np.minimum(risk.supply, 999.0),
        pace=bands[1].mean(axis=1),
        order_units=risk.order,
    )
    head = stock.suggest(head).sort_index()
    price = np.nan_to_num(table["price_usd"].to_numpy(dtype=float))
    rows = head.loc[head.index.repeat(horizon)].reset_index(drop=True)
    rows["week_start_date"] = np.tile(weeks, len(head))
    rows["probability_stockout"] = risk.stockout.ravel()
    rows["probability_overstock"] = risk.overstock.ravel()
    rows["lost_units"] = risk.lost.ravel()
    rows["lost_sales_usd"] = (risk.lost * price[:, None]).ravel()
    return rows.reindex(columns=_RISK_COLUMNS)
