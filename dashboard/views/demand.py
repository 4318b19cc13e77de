"""Demand by place and retailer, what stock is at risk, and how good the forecast has been."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import answers, charts, queries, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Card, Column


@cache
def places() -> pd.DataFrame:
    """Rounded coordinates of the 210 markets' main cities."""
    return pd.read_csv(Path(__file__).parents[1] / "dma_places.csv", dtype={"dma_id": str})


def render(page: Context) -> None:
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
    near = weeks.head(horizon)
    risk = answers.stock_risk(snap, f, horizon) if snap.has("fct_stock_risk_week") else pd.DataFrame()
    best = answers.accuracy(snap, f) if snap.has("fct_forecast_backtest") else pd.DataFrame()
    champion = best[best.is_champion.astype(bool)].head(1) if len(best) else best
    ui.cards(
        [
            Card(
                "p50_units",
                f"Units, next {horizon} weeks",
                float(near.p50_units.sum()),
                fmt.count,
                f"{fmt.count(near.p10_units.sum())} to {fmt.count(near.p90_units.sum())} (sum of weekly P10 to P90)",
            ),
            *(
                [
                    Card(
                        "stockouts",
                        "Items likely to run out",
                        int((risk.probability_stockout > 0.5).sum()),
                        fmt.whole,
                        f"of {len(risk):,} watched",
                    ),
                    Card("lost_sales_usd", "Sales at risk", float(risk.lost_sales_usd.sum()), fmt.money),
                ]
                if len(risk)
                else []
            ),
            *(
                [
                    Card(
                        "wape",
                        "Forecast error (WAPE)",
                        float(champion.wape.iloc[0]),
                        fmt.percent,
                        "Median over series and cut-offs",
                    ),
                    Card(
                        "coverage80", "Inside the 80 % band", float(champion.coverage80.iloc[0]), fmt.percent
                    ),
                ]
                if len(champion)
                else []
            ),
        ]
    )
    st.header("Weeks ahead")
    _weeks(page, weeks)
    st.header("By place")
    _places(page, horizon)
    st.header("Stock at risk")
    _risk(page, risk)
    st.header("Forecast accuracy")
    _accuracy(best)


def _weeks(page: Context, weeks: pd.DataFrame) -> None:
    past = queries.sales_weeks(page.snap, page.filters)
    past = past.assign(part="Sold", value=past.units.astype(float), low=None, high=None)
    ahead = weeks.assign(part="Forecast", value=weeks.p50_units, low=weeks.p10_units, high=weeks.p90_units)
    both = pd.concat(
        [
            past[["week_start_date", "part", "value", "low", "high"]],
            ahead[["week_start_date", "part", "value", "low", "high"]],
        ]
    ).astype({"value": float, "low": float, "high": float})
    axis = {
        "field": "week_start_date",
        "type": "temporal",
        "title": None,
        "axis": {"format": "%-d %b", "tickCount": 6, "labelOverlap": True},
    }
    tint = {
        "field": "part",
        "type": "nominal",
        "title": None,
        "legend": {"orient": "top"},
        "scale": {"domain": ["Sold", "Forecast"], "range": [charts.GREY, charts.BLUE]},
    }
    spec = {
        "height": 260,
        "layer": [
            {
                "transform": [{"filter": "datum.part == 'Forecast'"}],
                "mark": {"type": "area", "opacity": 0.22, "color": charts.BLUE},
                "encoding": {
                    "x": axis,
                    "y": {
                        "field": "low",
                        "type": "quantitative",
                        "title": "Units a week",
                        "axis": {"format": "~s"},
                    },
                    "y2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {
                    "x": axis,
                    "y": {"field": "value", "type": "quantitative"},
                    "color": tint,
                    "tooltip": [
                        {"field": "week_start_date", "type": "temporal"},
                        {"field": "value", "type": "quantitative", "format": ",.0f"},
                        {"field": "low", "type": "quantitative", "title": "P10", "format": ",.0f"},
                        {"field": "high", "type": "quantitative", "title": "P90", "format": ",.0f"},
                    ],
                },
            },
        ],
    }
    ui.chart(
        both,
        spec,
        "Units sold a week (grey) and forecast P50 (blue) with the P10 to P90 band.",
        "Units a week: sold (grey), forecast (blue) with the band from P10 to P90 summed over series.",
    )


def _places(page: Context, horizon: int) -> None:
    rows = answers.forecast_places(page.snap, page.filters, horizon)
    located = rows.merge(places(), on="dma_id", how="inner")
    left, right = st.columns([11, 9])
    with left:
        if len(located):
            located = located.assign(
                probability_stockout=located.probability_stockout.astype(float).fillna(0.0),
                p50_units=located.p50_units.astype(float),
            )
            ui.chart(
                located,
                charts.place_map(
                    "p50_units",
                    "probability_stockout",
                    "place",
                    "Units forecast",
                    "Highest chance to run out",
                ),
                f"Map of {len(located)} markets: circle area is forecast units, shade is the highest chance that a product runs out.",
                "Circle area: units forecast. Lighter: a product there is likelier to run out. The table has the same figures.",
            )
    with right:
        ui.table(
            rows.head(15),
            [
                Column("place", "Place", fmt.place, False),
                Column("p10_units", "P10", fmt.count),
                Column("p50_units", "P50", fmt.count),
                Column("p90_units", "P90", fmt.count),
                Column("probability_stockout", "Run out", fmt.percent),
            ],
            f"The {min(15, len(rows))} largest of {len(rows)} places, next {horizon} weeks",
            key="place",
        )
        ui.download(rows, "forecast-by-place")


def _risk(page: Context, risk: pd.DataFrame) -> None:
    if risk.empty:
        ui.state(
            "empty",
            "No stock figures in this view",
            "Inventory feeds have not been loaded for these places, or the model has not run.",
        )
        return
    ui.table(
        risk.head(20),
        [
            Column("place", "Place", fmt.place, False),
            Column("retailer", "Retailer", fmt.text, False),
            Column("product_id", "Product", fmt.text, False),
            Column("on_hand_units", "On hand", fmt.count),
            Column("weeks_of_supply", "Weeks of supply", fmt.ratio),
            Column("probability_stockout", "Run out", fmt.percent),
            Column("probability_overstock", "Too much", fmt.percent),
            Column("lost_sales_usd", "Sales at risk", fmt.money),
            Column("suggested_order_units", "Order", fmt.count),
            Column("suggestion", "Advice", fmt.words, False),
        ],
        f"The {min(20, len(risk))} largest of {len(risk)} items by sales at risk",
        key="risk",
    )
    ui.download(risk, "stock-risk")


def _accuracy(best: pd.DataFrame) -> None:
    if best.empty:
        ui.state("empty", "No backtest yet", "Accuracy appears after the first backtest.")
        return
    best = best.assign(served=["served" if c else "" for c in best.is_champion.astype(bool)])
    ui.table(
        best,
        [
            Column("model", "Model", fmt.words, False),
            Column("served", "", fmt.text, False),
            Column("tests", "Tests", fmt.whole),
            Column("wape", "WAPE", fmt.percent),
            Column("mase", "MASE", fmt.ratio),
            Column("pinball", "Pinball", fmt.ratio),
            Column("coverage80", "Inside 80 % band", fmt.percent),
        ],
        "Backtest on held-out weeks: medians over series and cut-offs",
        key="accuracy",
    )
