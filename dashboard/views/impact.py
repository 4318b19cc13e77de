"""The business side: sales beside claims, acquisition and its cost, margin, and correlation with its warning."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, economics, queries, ui
from dashboard import format as fmt
from dashboard.context import Context, section
from dashboard.ui import Card, Column

LAGS = (0, 1, 3, 7, 14)


def render(page: Context) -> None:
    """Claims beside sales, customers and margin, price, and correlation with its warning."""
    if not page.ready("Sales and media", "fct_media_daily", "fct_pos_daily"):
        return
    st.header("Claimed and sold, day by day")
    _claims(page)
    ui.download(queries.claims(page.snap, page.filters), "claimed-by-day")
    _business(page)


@section
def _claims(page: Context) -> None:
    snap, f = page.snap, page.filters
    claimed = _number(queries.totals(snap, queries.MEDIA, f).platform_value_usd)
    sold = _number(queries.totals(snap, queries.SALES, f).revenue_usd)
    share = claimed / sold if claimed is not None and sold else None
    rest = max(0.0, sold - claimed) if sold is not None and claimed is not None else None
    ui.cards(
        [
            Card("sold_usd", "Retailer sales", sold, fmt.money),
            Card("claimed_usd", "Claimed by platforms", claimed, fmt.money),
            Card("claimed_share", "Claimed share of sales", share, fmt.percent),
            Card("unclaimed_usd", "Claimed by nobody", rest, fmt.money, "At least: claims may overlap"),
        ]
    )
    if share is not None and share > 1:
        ui.state(
            "stale",
            "Platforms claim more than was sold",
            f"Together they claim {fmt.money(claimed)} of {fmt.money(sold)} sold: the same purchase is claimed more than once.",
        )
    rows = queries.claims(snap, f)
    rows = rows.assign(group=[charts.GROUP_NAMES.get(g, "Other") for g in rows.channel_group])
    days = queries.by(snap, queries.SALES, f, "date_day")
    stamps = pd.to_datetime(days.date_day).dt.strftime("%Y-%m-%dT00:00:00Z")
    sold_days = [{"date_day": d, "sold": v} for d, v in zip(stamps, days.revenue_usd, strict=True)]
    areas = charts.stacked(
        "date_day", "claimed_usd", charts.colour("group", list(rows.group.unique())), "USD a day"
    )
    line = {
        "data": {"values": sold_days},
        "mark": {"type": "line", "strokeWidth": 2, "color": charts.GREY, "strokeDash": [5, 3]},
        "encoding": {"x": charts.dates("date_day"), "y": charts.number("sold", "USD a day")},
    }
    ui.chart(
        rows[["date_day", "group", "claimed_usd"]],
        {"height": areas.pop("height"), "layer": [areas, line]},
        "Daily sales claimed by each channel group as stacked areas, and retailer sales as a dashed line.",
        "Sales claimed by platforms, by channel group and day; dashed: what the retailers sold",
    )


def _number(value: object) -> float | None:
    return None if fmt.missing(value) else float(value)  # type: ignore[arg-type]


@section
def _business(page: Context) -> None:
    st.header("Customers and margin")
    if page.ready("Own shop", "fct_business_daily"):
        _customers(page)
        _profit(page)
    st.header("Price")
    if page.ready("Price elasticity", "fct_price_elasticity"):
        _price(page)
    st.header("Do spend and sales move together?")
    ui.state(
        "stale",
        "Correlation is not cause",
        "Budgets follow demand: media is bought when people shop. A high figure here does not mean that media sold anything; use the Incrementality page for that.",
    )
    rows = economics.correlations(page.snap, page.filters, LAGS)
    ui.table(
        rows,
        [
            Column("lag_days", "Sales this many days later", fmt.whole),
            Column("r", "Correlation of daily spend and sales", fmt.ratio),
            Column("n", "Days", fmt.whole),
            Column("p", "p, days counted for their likeness", fmt.p_value),
        ],
        "Pearson correlation by lag",
        key="correlation",
        head=False,
    )


def _customers(page: Context) -> None:
    snap, f = page.snap, page.filters
    shop = queries.totals(snap, queries.SHOP, f)
    new, spend = _number(shop.new_customers), _number(queries.totals(snap, queries.MEDIA, f).spend_usd)
    ui.cards(
        [
            Card("orders", "Orders, own shop", shop.orders, fmt.count),
            Card("new_customers", "New customers", new, fmt.count),
            Card("acquisition_rate", "New customers per order", shop.acquisition_rate, fmt.percent),
            Card("order_value_usd", "Average order", shop.order_value_usd, fmt.money_exact),
            Card("margin", "Gross margin", shop.margin, fmt.percent),
            Card("gross_profit_usd", "Gross profit, own shop", _number(shop.gross_profit_usd), fmt.money),
            Card(
                "cpa_usd",
                "Media per new customer",
                spend / new if new and spend is not None else None,
                fmt.money,
                "All media over own-shop customers; retailers report none of theirs",
            ),
        ]
    )
    if not fmt.missing(shop.impossible_days) and int(shop.impossible_days):
        ui.state(
            "stale",
            f"{int(shop.impossible_days)} days report more new customers than new orders",
            "The shop's export counts the two differently; the figures are shown as delivered.",
        )
    weeks = queries.by(snap, queries.SHOP, f, queries.WEEK)
    for part, column, words, form in zip(
        st.columns(2),
        ("new_customers", "gross_profit_usd"),
        ("New customers of the own shop by week", "Gross profit of the own shop by week, USD"),
        ("~s", "~s"),
        strict=True,
    ):
        with part:
            ui.chart(weeks[[queries.WEEK, column]], charts.line(queries.WEEK, column, "", form=form), words)


def _profit(page: Context) -> None:
    rows = economics.profit_by_channel(page.snap, page.filters)
    if rows.empty:
        return
    st.header("Profit by channel")
    ui.note(economics.RULE + " A claim is not a cause: the Budget page has what media caused.")
    ui.table(
        rows,
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("sales_usd", "Sales claimed", fmt.money),
            Column("cogs_usd", "Cost of goods", fmt.money),
            Column("gross_profit_usd", "Gross profit", fmt.money),
            Column("spend_usd", "Media", fmt.money),
            Column("profit_usd", "Left after media", fmt.money),
        ],
        "Gross profit of all sales in the period, shared out by claims",
        key="profit",
    )


def _price(page: Context) -> None:
    rows = page.snap.frame(
        "select * from marts.fct_price_elasticity where brand_id = ? order by scope, scope_id", [page.brand]
    )
    if rows.empty:
        ui.state("empty", "No price estimate yet", "The elasticity model has not run in this version.")
        return
    kinds = {"brand": "Whole brand", "product": "Product", "retailer": "Retailer"}
    shown = rows.head(20)
    ui.table(
        shown.assign(
            what=[
                kinds["brand"] if s == "brand" else page.names.get(str(i), str(i))
                for s, i in zip(shown.scope, shown.scope_id, strict=True)
            ],
            kind=["" if s == "brand" else kinds.get(s, s) for s in shown.scope],
            interval=fmt.between(shown, "ci_low", "ci_high"),
            promo=[
                i if i == fmt.MISSING else i + " %"
                for i in fmt.between(shown, "promo_lift_ci_low", "promo_lift_ci_high", how=_points)
            ],
        ),
        [
            Column("what", "For", fmt.text, False, under="kind"),
            Column("estimate", "Units per 1 % of price, %", fmt.ratio, under="interval"),
            Column("promo_lift_pct", "Promotion lift, %", _points, under="promo"),
            Column("std_error_kind", "Standard errors", fmt.words, False),
        ],
        "Price elasticity of units, and what a promotion adds in its weeks; intervals are 95 %",
        key="price",
    )
    ui.note(
        "The best number of promotions a quarter is not identified: the lift is an average over promotion weeks, and these data do not "
        "show whether a third promotion in a quarter brings as much as the first."
    )


def _points(value: object) -> str:
    return fmt.MISSING if fmt.missing(value) else f"{float(value):.1f}".replace("-", "−")  # type: ignore[arg-type]
