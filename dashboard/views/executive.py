"""What happened, what caused it, what to do."""

from __future__ import annotations

from datetime import timedelta
from html import escape

import pandas as pd
import streamlit as st

from dashboard import answers, charts, queries, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Card, Column


def render(page: Context) -> None:
    """Key figures, open alerts, the weekly story, what caused it, and the advice."""
    if not page.ready("Sales and media", "fct_media_daily", "fct_pos_daily"):
        return
    page.model_state("mmm", "forecast")
    _cards(page)
    _alerts(page)
    st.header("What happened")
    _weeks(page)
    st.header("What caused it")
    _causes(page)
    st.header("What to do")
    _advice(page)


def _cards(page: Context) -> None:
    snap, f = page.snap, page.filters
    sales, media = queries.sales_totals(snap, f).iloc[0], queries.media_totals(snap, f).iloc[0]
    sales_weeks, media_weeks = queries.sales_weeks(snap, f), queries.media_weeks(snap, f)

    def moves(what: str) -> tuple[tuple[str, float | None], ...]:
        return tuple((f"{days} d", queries.moves(snap, f, what, page.last, days)) for days in (7, 30))

    revenue, spend = _number(sales.revenue_usd), _number(media.spend_usd)
    items = [
        Card(
            "revenue_usd",
            "Retailer sales",
            revenue,
            fmt.money,
            "",
            moves("revenue_usd"),
            sales_weeks.revenue_usd.astype(float).tolist(),
        ),
        Card(
            "units",
            "Units sold",
            _number(sales.units),
            fmt.count,
            "",
            moves("units"),
            sales_weeks.units.astype(float).tolist(),
        ),
        Card(
            "spend_usd",
            "Media spend",
            spend,
            fmt.money,
            "",
            moves("spend_usd"),
            media_weeks.spend_usd.astype(float).tolist(),
        ),
        Card(
            "revenue_per_spend",
            "Sales per media dollar",
            revenue / spend if revenue is not None and spend else None,
            fmt.ratio,
            "All sales, not only what media caused",
        ),
        Card(
            "platform_roas",
            "ROAS, as platforms claim",
            _number(media.platform_roas),
            fmt.ratio,
            "Windows differ by channel; see Channels",
        ),
    ]
    if snap.has("fct_channel_roi", "window_name"):
        rows = answers.roi(snap, f, "launch")
        if len(rows):
            total, base = float(rows.contribution_usd.sum()), float(rows.spend_usd.sum())
            items.append(
                Card(
                    "incremental_roas",
                    "Incremental ROAS, launch",
                    total / base if base else None,
                    fmt.ratio,
                    f"Market mix model, {fmt.money(total)} caused by media",
                )
            )
    if snap.has("fct_demand_forecast_week") and snap.has("fct_stock_risk_week"):
        weeks = answers.forecast_weeks(snap, f)
        if len(weeks):
            items.append(
                Card(
                    "forecast_next_units",
                    "Forecast, next week",
                    float(weeks.p50_units.iloc[0]),
                    fmt.count,
                    f"Units; likely {fmt.count(weeks.p10_units.iloc[0])} to {fmt.count(weeks.p90_units.iloc[0])}",
                )
            )
        risk = answers.stock_risk(snap, f)
        if len(risk):
            items.append(
                Card(
                    "lost_sales_usd",
                    "Sales at risk from stock",
                    float(risk.lost_sales_usd.sum()),
                    fmt.money,
                    f"{int((risk.probability_stockout > 0.5).sum())} items more likely than not to run out",
                )
            )
    ui.cards(items)
    ui.note(
        f"7 d and 30 d compare the last 7 and 30 complete days (to {fmt.day(page.last)}) with the days before; small lines "
        "show the complete weeks of the period. A dash means that a window is not complete."
    )


def _number(value: object) -> float | None:
    return None if fmt.missing(value) else float(value)  # type: ignore[arg-type]


def _alerts(page: Context) -> None:
    st.header("Alerts")
    if not page.snap.has("fct_alert", "status", "severity", "expected_value_usd"):
        ui.state("empty", "No alert run yet", "Alerts appear here after the first complete run.")
        return
    rows = answers.alerts(page.snap, page.brand)
    if rows.empty:
        ui.state("good", "Nothing needs attention", "No open alert in the latest run.")
        return
    rows = rows.assign(entity=rows.entity.map(lambda e: page.names.get(str(e), e)))
    top = rows.head(4)
    st.html("".join(alert_html(row) for row in top.itertuples()))
    if len(rows) > len(top):
        with st.expander(f"{len(rows) - len(top)} more alerts"):
            ui.table(
                rows.iloc[len(top) : len(top) + 60],
                ALERT_COLUMNS,
                "Alerts that are still open or acknowledged",
            )
    ui.download(rows, "alerts")


ALERT_COLUMNS = [
    Column("severity", "Severity", fmt.words, False),
    Column("entity", "About", fmt.text, False),
    Column("message", "What", fmt.text, False, True),
    Column("action", "Do", fmt.text, False, True),
    Column("expected_value_usd", "Worth", fmt.money),
    Column("owner", "Owner", fmt.text, False),
    Column("status", "State", fmt.words, False),
]


def alert_html(row: object) -> str:
    """One alert as a block: what, since when, who, what to do and what that is worth."""
    get = lambda name: getattr(row, name, None)  # noqa: E731
    worth = (
        f"Worth {fmt.money(get('expected_value_usd'))}. "
        if not fmt.missing(get("expected_value_usd"))
        else ""
    )
    seen = (
        f"Acknowledged by {fmt.text(get('acknowledged_by'))}." if get("status") == "acknowledged" else "Open."
    )
    return (
        f'<section class="ml-alert {escape(str(get("severity")))}"><p><span class="ml-badge">{escape(fmt.words(get("severity")))}</span> '
        f"<b>{escape(fmt.text(get('entity')))}</b>: {escape(fmt.text(get('message')))}</p>"
        f"<p><b>Do:</b> {escape(fmt.text(get('action')))} {escape(worth)}</p>"
        f"<p>{escape(fmt.day(get('period_end')))} · owner {escape(fmt.text(get('owner')))} · {escape(seen)}</p></section>"
    )


def _weeks(page: Context) -> None:
    snap, f = page.snap, page.filters
    left, right = st.columns(2)
    with left:
        weeks = queries.retailer_weeks(snap, f)
        order = sorted(weeks.retailer.unique())
        series = {
            "field": "retailer",
            "type": "nominal",
            "title": None,
            "legend": {"orient": "top"},
            "scale": {
                "domain": order,
                "range": ["#E69F00", "#009E73", "#0072B2", "#CC79A7", "#56B4E9"][: max(1, len(order))],
            },
        }
        ui.chart(
            weeks.astype({"revenue_usd": float}),
            charts.stacked("week_start_date", "revenue_usd", series, "Sales, USD a week"),
            f"Weekly sales by retailer: {', '.join(order)}, from {fmt.day(f.start)} to {fmt.day(f.end)}.",
            "Sales by retailer, USD a week.",
        )
    with right:
        weeks = _grouped(queries.channel_weeks(snap, f))
        ui.chart(
            weeks,
            charts.stacked(
                "week_start_date",
                "spend_usd",
                charts.colour("group", list(weeks.group.unique())),
                "Spend, USD a week",
            ),
            f"Weekly media spend by channel group, from {fmt.day(f.start)} to {fmt.day(f.end)}.",
            "Media spend by channel group, USD a week.",
        )


def _grouped(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.assign(
        group=rows.channel_group.map(charts.GROUP_NAMES).fillna("Other"),
        spend_usd=rows.spend_usd.astype(float),
    )
    return rows.groupby(["week_start_date", "group"], as_index=False)["spend_usd"].sum()


def _causes(page: Context) -> None:
    if not page.ready("Market mix model", "fct_mmm_contribution_week", "fct_channel_roi"):
        return
    snap, f = page.snap, page.filters
    left, right = st.columns(2)
    with left:
        rows = answers.contribution_weeks(snap, f)
        if rows.empty:
            ui.state("empty", "No modelled weeks in this period", "Choose a longer period.")
        else:
            rows = rows.assign(
                group=rows.grp.map(charts.GROUP_NAMES).fillna(rows.grp),
                revenue_usd=rows.revenue_usd.astype(float),
            )
            rows = rows[rows.grp != "baseline"]
            ui.chart(
                rows,
                charts.stacked(
                    "week_start_date",
                    "revenue_usd",
                    charts.colour("group", list(rows.group.unique())),
                    "Caused sales, USD a week",
                ),
                "Weekly sales that the market mix model ascribes to each channel group; the baseline is left out.",
                "Sales that media, price and promotion caused, by the market mix model (baseline left out).",
            )
    with right:
        rows = answers.roi(snap, f, "launch")
        order = rows.channel_name.tolist()
        rows = rows.assign(group=rows.channel_group.map(charts.GROUP_NAMES))
        ui.chart(
            rows,
            charts.intervals(
                "channel_name",
                "roi",
                "roi_p05",
                "roi_p95",
                "Sales caused per dollar",
                order,
                fill=charts.colour("group", list(rows.group.unique())),
                reference=1.0,
            ),
            "Incremental return per media dollar for each channel with its 90 % interval, launch window.",
            "Sales caused per media dollar in the launch window, with 90 % intervals. Dashed: one dollar back for one spent.",
        )


def _advice(page: Context) -> None:
    snap = page.snap
    if page.ready("Budget plan", "fct_budget_scenario"):
        rows = answers.scenarios(snap, page.brand)
        rows = rows[rows.scenario.isin(["optimal", "move_5m", "plus_10pct"])].assign(
            name=lambda d: d.scenario.map(answers.scenario_name),
            interval=lambda d: [
                fmt.interval(a, b, fmt.money) for a, b in zip(d.p05_usd, d.p95_usd, strict=True)
            ],
        )
        if len(rows):
            ui.table(
                rows,
                [
                    Column("name", "If we choose", fmt.text, False),
                    Column("spend_usd", "Budget", fmt.money),
                    Column("gain_usd", "Change in sales", fmt.money),
                    Column("interval", "90 % interval", fmt.text, False),
                    Column("probability_of_gain", "Chance of a gain", fmt.percent),
                ],
                "Plans against today's, over the planning horizon",
                key="advice",
            )
    if snap.has("fct_hypothesis", "verdict"):
        rows = answers.hypotheses(snap, page.brand)
        ui.table(
            rows,
            [
                Column("statement", "Working hypothesis", fmt.text, False, True),
                Column("verdict", "Verdict", fmt.words, False),
                Column("probability", "Probability", fmt.percent),
            ],
            "What we believed, and what the data say",
            key="hypotheses",
        )
    start = page.filters.end + timedelta(days=1)
    ui.note(
        f"Plans and verdicts come from the last good model runs; the Budget and Incrementality pages carry their intervals. Next open week: {fmt.day(start)}."
    )
