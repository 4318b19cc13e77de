"""The business side: sales beside claims, acquisition and its cost, margin, and correlation with its warning."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, queries, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Card, Column


def render(page: Context) -> None:
    if not page.ready("Sales and media", "fct_media_daily", "fct_pos_daily"):
        return
    st.header("Claimed and sold, day by day")
    _claims(page)
    st.header("Customers and margin")
    if page.ready("Own shop", "fct_business_daily"):
        _customers(page)
    st.header("Price")
    if page.ready("Price elasticity", "fct_price_elasticity"):
        _price(page)
    st.header("Spend and sales move together?")
    _correlation(page)


def _claims(page: Context) -> None:
    snap, f = page.snap, page.filters
    media, sales = queries.media_totals(snap, f).iloc[0], queries.sales_totals(snap, f).iloc[0]
    claimed = None if fmt.missing(media.platform_value_usd) else float(media.platform_value_usd)
    sold = None if fmt.missing(sales.revenue_usd) else float(sales.revenue_usd)
    share = claimed / sold if claimed is not None and sold else None
    ui.cards(
        [
            Card("sold_usd", "Retailer sales", sold, fmt.money),
            Card("claimed_usd", "Claimed by platforms", claimed, fmt.money),
            Card("claimed_share", "Claimed share of sales", share, fmt.percent),
            Card(
                "unclaimed_usd",
                "Claimed by nobody",
                max(0.0, sold - claimed) if sold is not None and claimed is not None else None,
                fmt.money,
            ),
        ]
    )
    if share is not None and share > 1:
        ui.state(
            "stale",
            "Platforms claim more than was sold",
            f"Together they claim {fmt.money(claimed)} of {fmt.money(sold)} sold: the same purchase is claimed more than once.",
        )
    rows = queries.claimed_by_day(snap, f)
    rows = rows.assign(
        group=rows.channel_group.map(charts.GROUP_NAMES).fillna("Other"),
        claimed_usd=rows.claimed_usd.astype(float),
    )
    rows = rows.groupby(["date_day", "group"], as_index=False)["claimed_usd"].sum()
    days = queries.sales_days(snap, f).astype({"revenue_usd": float})
    spec = {
        "height": 260,
        "layer": [
            charts.stacked(
                "date_day", "claimed_usd", charts.colour("group", list(rows.group.unique())), "USD a day"
            ),
            {
                "data": {
                    "values": [
                        {
                            "date_day": pd.Timestamp(r.date_day).strftime("%Y-%m-%dT00:00:00Z"),
                            "sold": r.revenue_usd,
                        }
                        for r in days.itertuples()
                    ]
                },
                "mark": {"type": "line", "strokeWidth": 2, "color": charts.GREY, "strokeDash": [5, 3]},
                "encoding": {
                    "x": {"field": "date_day", "type": "temporal"},
                    "y": {"field": "sold", "type": "quantitative"},
                },
            },
        ],
    }
    for layer in spec["layer"]:
        layer.pop("height", None)
    ui.chart(
        rows,
        spec,
        "Daily sales claimed by each channel group as stacked areas, and retailer sales as a dashed line.",
        "Sales claimed by platforms, by channel group and day; dashed line: what the retailers sold. Claims may overlap.",
    )
    ui.download(queries.claimed_by_day(snap, f), "claimed-by-day")


def _customers(page: Context) -> None:
    snap, f = page.snap, page.filters
    shop, media = (
        queries.business_totals(snap, f).iloc[0],
        queries.media_totals(snap, f.between(f.start, f.end)).iloc[0],
    )
    new = None if fmt.missing(shop.new_customers) else float(shop.new_customers)
    spend = None if fmt.missing(media.spend_usd) else float(media.spend_usd)
    profit = None if fmt.missing(shop.gross_profit_usd) else float(shop.gross_profit_usd)
    ui.cards(
        [
            Card("orders", "Orders, own shop", shop.orders, fmt.count),
            Card("new_customers", "New customers", new, fmt.count),
            Card("acquisition_rate", "New customers per order", shop.acquisition_rate, fmt.percent),
            Card("order_value_usd", "Average order", shop.order_value_usd, fmt.money_exact),
            Card("margin", "Gross margin", shop.margin, fmt.percent),
            Card("gross_profit_usd", "Gross profit, own shop", profit, fmt.money),
            Card(
                "cpa_usd",
                "Media per new customer",
                spend / new if new and spend is not None else None,
                fmt.money_exact,
                "All media over own-shop customers: retailers do not report theirs",
            ),
        ]
    )
    if not fmt.missing(shop.impossible_days) and int(shop.impossible_days):
        ui.state(
            "stale",
            f"{int(shop.impossible_days)} days report more new customers than new orders",
            "The shop's export counts the two differently; the figures are shown as delivered.",
        )
    weeks = queries.business_weeks(snap, f).astype({"new_customers": float, "margin": float})
    left, right = st.columns(2)
    with left:
        ui.chart(
            weeks,
            charts.line("week_start_date", "new_customers", "New customers a week"),
            "New customers of the own shop by week.",
        )
    with right:
        ui.chart(
            weeks,
            charts.line("week_start_date", "margin", "Gross margin", form=".1%", zero=False),
            "Gross margin of the own shop by week.",
        )


def _price(page: Context) -> None:
    rows = page.snap.frame(
        "select * from marts.fct_price_elasticity where brand_id = ? order by scope, scope_id", [page.brand]
    )
    rows = rows.assign(
        interval=[fmt.interval(a, b) for a, b in zip(rows.ci_low, rows.ci_high, strict=True)],
        promo=[
            fmt.interval(a, b) + " %"
            for a, b in zip(rows.promo_lift_ci_low, rows.promo_lift_ci_high, strict=True)
        ],
    )
    ui.table(
        rows.head(20),
        [
            Column("scope", "For", fmt.words, False),
            Column("scope_id", "", fmt.text, False),
            Column("estimate", "Units per 1 % of price, %", fmt.ratio),
            Column("interval", "95 % interval", fmt.text, False),
            Column("promo_lift_pct", "Promotion lift, %", fmt.ratio),
            Column("promo", "95 % interval", fmt.text, False),
            Column("std_error_kind", "Standard errors", fmt.words, False),
        ],
        "Price elasticity of units, and what a promotion adds net of pull-forward",
        key="price",
    )


def _correlation(page: Context) -> None:
    ui.state(
        "stale",
        "Correlation is not cause",
        "Budgets follow demand: media is bought when people shop. A high figure here does not mean that media sold anything; use the Incrementality page for that.",
    )
    rows = pd.DataFrame([queries.correlation(page.snap, page.filters, lag) for lag in (0, 1, 3, 7, 14)])
    ui.table(
        rows,
        [
            Column("lag_days", "Sales this many days later", fmt.whole),
            Column("r", "Correlation of daily spend and sales", fmt.ratio),
            Column("n", "Days", fmt.whole),
        ],
        "Pearson correlation by lag",
        key="correlation",
        head=False,
    )
