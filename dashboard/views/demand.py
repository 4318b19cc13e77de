"""Demand by place and retailer, what stock is at risk, and how good the forecast has been."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import answers, charts, queries, ui
from dashboard import format as fmt
from dashboard.context import Context, section
from dashboard.ui import Card, Column


@cache
def places() -> pd.DataFrame:
    """Rounded coordinates of the 210 markets' main cities."""
    return pd.read_csv(Path(__file__).parents[1] / "dma_places.csv", dtype={"dma_id": str})


def render(page: Context) -> None:
    """Forecast by week and place, stock at risk, and how good the forecast has been."""
    page.model_state("forecast")
    if not page.ready("Forecast", "fct_demand_forecast_week"):
        return
    snap, f = page.snap, page.filters
    weeks = answers.forecast_weeks(snap, f)
    if weeks.empty:
        ui.state("empty", "No forecast for this view", "Choose other places or retailers.")
        return
    horizon = st.slider(
        "Weeks ahead", 1, max(2, len(weeks)), min(4, len(weeks)), key="horizon", bind="query-params"
    )
    _figures(page, horizon)
    st.header("By place")
    _map(page, horizon)
    _places(page, horizon)
    ui.download(answers.forecast_places(snap, f, horizon), "forecast-by-place")
    st.header("Stock at risk")
    if snap.has("fct_stock_risk_week"):
        _risk(page, horizon)
        ui.download(answers.stock_risk(snap, f, horizon), "stock-risk")
    else:
        ui.state("empty", "No stock figures in this view", "The model has not run in this version.")
    _accuracy(page)


@section
def _figures(page: Context, horizon: int) -> None:
    snap, f = page.snap, page.filters
    weeks = answers.forecast_weeks(snap, f)
    near = weeks.head(horizon)
    risk = answers.stock_risk(snap, f, horizon) if snap.has("fct_stock_risk_week") else pd.DataFrame()
    best = answers.accuracy(snap, f) if snap.has("fct_forecast_backtest") else pd.DataFrame({"model": []})
    span = fmt.interval(near.p10_units.sum(), near.p90_units.sum(), fmt.count)
    units = float(near.p50_units.sum())
    items = [
        Card(
            "p50_units",
            f"Units, next {horizon} weeks",
            units,
            fmt.count,
            f"{span} (weekly P10 to P90, added)",
        )
    ]
    if len(risk):
        likely = int((risk.probability_stockout > 0.5).sum())
        lost = float(risk.lost_sales_usd.sum())
        items.append(
            Card("stockouts", "Items likely to run out", likely, fmt.whole, f"of {len(risk):,} watched")
        )
        items.append(Card("lost_sales_usd", "Sales at risk", lost, fmt.money, f"Next {horizon} weeks"))
    for r in best[best.model == "served"].itertuples():
        items.append(
            Card("wape", "Forecast error (WAPE)", float(r.wape), fmt.percent, "Median of held-out tests")
        )
        items.append(
            Card("coverage80", "Inside the 80 % band", float(r.coverage80), fmt.percent, "Of held-out weeks")
        )
    ui.cards(items)
    st.header("Weeks ahead")
    _weeks(page, weeks)


def _weeks(page: Context, weeks: pd.DataFrame) -> None:
    past = queries.by(page.snap, queries.SALES, page.filters, queries.WEEK)
    both = pd.concat(
        [
            past[[queries.WEEK, "units"]].assign(part="Sold").rename(columns={"units": "value"}),
            weeks[[queries.WEEK, "p50_units", "p10_units", "p90_units"]]
            .assign(part="Forecast (P50)")
            .rename(columns={"p50_units": "value", "p10_units": "low", "p90_units": "high"}),
        ]
    ).astype({"value": float, "low": float, "high": float})
    axis, units = charts.dates(queries.WEEK), charts.number("value", "Units a week")
    tint = charts.choice("part", {"Sold": charts.GREY, "Forecast (P50)": charts.BLUE})
    tips = charts.tips(
        (queries.WEEK, "Week of", "date"),
        ("value", "Units", ",.0f"),
        ("low", "P10", ",.0f"),
        ("high", "P90", ",.0f"),
    )
    spec = {
        "height": 270,
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "area", "opacity": 0.2, "color": charts.BLUE},
                "encoding": {"x": axis, "y": {**units, "field": "low"}, "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"x": axis, "y": units, "color": tint, "tooltip": tips},
            },
        ],
    }
    ui.chart(
        both,
        spec,
        "Units sold a week (grey) and forecast P50 (blue) with the P10 to P90 band.",
        "Units a week: sold, and forecast with the band from P10 to P90",
    )


@section
def _map(page: Context, horizon: int) -> None:
    rows = answers.forecast_places(page.snap, page.filters, horizon)
    located = rows.merge(places(), on="dma_id", how="inner")
    if located.empty:
        return
    located = located[["place", "longitude", "latitude", "p50_units", "lost_share"]].astype(
        {"p50_units": float, "lost_share": float}
    )
    ui.chart(
        located.assign(lost_share=located.lost_share.fillna(0.0)),
        charts.place_map(
            "p50_units", "lost_share", "place", "Units forecast", "Units likely lost for want of stock"
        ),
        f"Map of {len(located)} markets: circle area is forecast units, shade is the share of them likely lost to stock-outs.",
        f"{len(located)} markets over the next {horizon} weeks: area shows units forecast, darker means more of them lost for want of stock",
    )


@section
def _places(page: Context, horizon: int) -> None:
    rows = answers.forecast_places(page.snap, page.filters, horizon)
    shown = rows.head(12)
    ui.table(
        shown,
        [
            Column("place", "Place", fmt.place, False),
            Column("p10_units", "P10 units", fmt.count),
            Column("p50_units", "P50 units", fmt.count),
            Column("p90_units", "P90 units", fmt.count),
            Column("lost_share", "Likely lost", fmt.percent),
            Column("lost_sales_usd", "Sales at risk", fmt.money),
            Column("probability_stockout", "An item runs out", fmt.chance),
        ],
        f"The {len(shown)} largest of {len(rows)} places, next {horizon} weeks",
        key="place",
    )


@section
def _risk(page: Context, horizon: int) -> None:
    risk = answers.stock_risk(page.snap, page.filters, horizon)
    if risk.empty:
        ui.state(
            "empty",
            "No stock figures in this view",
            "Inventory feeds have not been loaded for these places, or the model has not run.",
        )
        return
    shown = risk.head(15)
    ui.table(
        shown.assign(what=[f"{p}, {r}" for p, r in zip(shown.product_id, shown.retailer, strict=True)]),
        [
            Column("place", "Place", fmt.place, False, under="what"),
            Column("on_hand_units", "On hand", fmt.count),
            Column("weeks_of_supply", "Weeks of supply", fmt.ratio),
            Column("probability_stockout", "Runs out", fmt.chance),
            Column("probability_overstock", "Too much", fmt.chance),
            Column("lost_sales_usd", "Sales at risk", fmt.money),
            Column("suggested_order_units", "Order, units", fmt.whole),
        ],
        f"The {len(shown)} largest of {len(risk):,} items by sales at risk, next {horizon} weeks",
        key="risk",
    )


@section
def _accuracy(page: Context) -> None:
    st.header("Forecast accuracy")
    best = (
        answers.accuracy(page.snap, page.filters)
        if page.snap.has("fct_forecast_backtest")
        else pd.DataFrame()
    )
    if best.empty:
        ui.state("empty", "No backtest yet", "Accuracy appears after the first backtest.")
        return
    names = {"served": "What is served: each series' best", "seasonal_naive": "seasonal naive (benchmark)"}
    ui.table(
        best.assign(name=[names.get(m, fmt.words(m)) for m in best.model]),
        [
            Column("name", "Model", fmt.text, False),
            Column("champion_of", "Series it serves", fmt.whole),
            Column("tests", "Tests", fmt.whole),
            Column("wape", "WAPE", fmt.percent),
            Column("mase", "MASE", fmt.ratio),
            Column("coverage80", "Inside 80 % band", fmt.percent),
        ],
        "Backtest on held-out weeks, series below the nation: medians over series and cut-offs",
        key="accuracy",
    )
