"""What happened, what caused it, what to do."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from dashboard import answers, charts, queries, ui
from dashboard import format as fmt
from dashboard.context import Context, section
from dashboard.ui import Card, Column

RETAILER_COLOURS = ("#E69F00", "#56B4E9", "#0072B2", "#CC79A7", "#009E73")
LOUD = 4


def render(page: Context) -> None:
    """Key figures, open alerts, the weekly story, what caused it, and the advice."""
    if not page.ready("Sales and media", "fct_media_daily", "fct_pos_daily"):
        return
    _figures(page)
    _alerts(page)
    _story(page)


@section
def _figures(page: Context) -> None:
    page.model_state("mmm", "forecast")
    snap, f = page.snap, page.filters
    sales, media = queries.totals(snap, queries.SALES, f), queries.totals(snap, queries.MEDIA, f)
    weeks = {fact.table: queries.by(snap, fact, f, queries.WEEK) for fact in (queries.SALES, queries.MEDIA)}
    moves = {
        **queries.moves(snap, queries.SALES, f, page.last),
        **queries.moves(snap, queries.MEDIA, f, page.last),
    }

    def card(column: str, label: str, row: pd.Series, fact: queries.Fact, show=fmt.money) -> Card:  # type: ignore[no-untyped-def, type-arg]
        trend = weeks[fact.table][column].tolist()
        return Card(column, label, _number(row[column]), show, "", moves[column], trend)

    revenue, spend = _number(sales.revenue_usd), _number(media.spend_usd)
    ui.cards(
        [
            card("revenue_usd", "Retailer sales", sales, queries.SALES),
            card("units", "Units sold", sales, queries.SALES, fmt.count),
            card("spend_usd", "Media spend", media, queries.MEDIA),
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
            *_modelled(page),
        ]
    )
    ui.note(
        f"7 d and 30 d compare the last 7 and 30 complete days (to {fmt.day(page.last)}) with the days before; small lines "
        "show the complete weeks of the period. A dash means that a window is not complete."
    )


def _modelled(page: Context) -> list[Card]:
    """Cards that come from models: what media caused, next week's demand, stock at risk."""
    snap, f = page.snap, page.filters
    items: list[Card] = []
    if snap.has("fct_channel_roi", "window_name"):
        rows = answers.roi(snap, f, "launch")
        if len(rows):
            total, base = float(rows.contribution_usd.sum()), float(rows.spend_usd.sum())
            note = f"{fmt.money(total)} caused by media (mix model)"
            value = total / base if base else None
            items.append(Card("incremental_roas", "Incremental ROAS, launch", value, fmt.ratio, note))
    if snap.has("fct_demand_forecast_week") and snap.has("fct_stock_risk_week"):
        weeks = answers.forecast_weeks(snap, f).head(1)
        for r in weeks.itertuples():
            note = f"Units; 8 in 10 times {fmt.interval(r.p10_units, r.p90_units, fmt.count)}"
            items.append(
                Card("forecast_next_units", "Forecast, next week", float(r.p50_units), fmt.count, note)
            )
        risk = answers.stock_risk(snap, f)
        if len(risk):
            likely = int((risk.probability_stockout > 0.5).sum())
            note = f"Next 4 weeks; {likely:,} of {len(risk):,} items likely to run out"
            lost = float(risk.lost_sales_usd.sum())
            items.append(Card("lost_sales_usd", "Sales at risk from stock", lost, fmt.money, note))
    return items


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
    rows = rows.assign(
        action=[named(page, a, e) for a, e in zip(rows.action, rows.entity, strict=True)],
        entity=[named(page, e, e) for e in rows.entity],
    )
    # One of each kind first: five items short of stock must not hide an overspend.
    nth = rows.groupby("rule").cumcount() if "rule" in rows else pd.Series(0, index=rows.index)
    rows = rows.assign(nth=nth).sort_values("nth", kind="stable").drop(columns="nth")
    top, rest = rows.head(LOUD), rows.iloc[LOUD:]
    st.html(f'<div class="ml-alerts">{"".join(alert_html(row) for row in top.itertuples())}</div>')
    if len(rest):
        with st.expander(f"{len(rest)} more alerts"):
            ui.table(rest.head(60), ALERT_COLUMNS, "Alerts that are still open or acknowledged")
            ui.download(rows, "alerts")


def named(page: Context, text: object, entity: object) -> str:
    """A text of an alert with the name of what it is about in place of its id."""
    if str(entity) in answers.SCENARIO_NAMES:
        return answers.scenario_name(str(entity)) if text == entity else fmt.text(text)
    return fmt.text(text).replace(str(entity), page.names.get(str(entity), str(entity)))


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
        f" Worth {fmt.money(get('expected_value_usd'))}."
        if not fmt.missing(get("expected_value_usd"))
        else ""
    )
    seen = (
        f"acknowledged by {fmt.text(get('acknowledged_by'))}" if get("status") == "acknowledged" else "open"
    )
    kind = fmt.words(get("severity"))
    return (
        f'<section class="ml-alert {escape(str(get("severity")))}"><p><span class="ml-badge">{escape(kind)}</span> '
        f"<b>{escape(fmt.text(get('entity')))}</b>: {escape(fmt.text(get('message')))}</p>"
        f"<p>{escape(fmt.text(get('action')))}<b>{escape(worth)}</b></p>"
        f'<p class="meta">{escape(fmt.day(get("period_end")))} · {escape(fmt.text(get("owner")))} · {escape(seen)}</p></section>'
    )


@section
def _story(page: Context) -> None:
    st.header("What happened")
    left, right = st.columns(2)
    with left:
        _sales(page)
    with right:
        _spend(page)
    st.header("What caused it")
    if page.ready("Market mix model", "fct_mmm_contribution_week", "fct_channel_roi"):
        left, right = st.columns(2)
        with left:
            _caused(page)
        with right:
            _returns(page)
    st.header("What to do")
    _advice(page)


def _sales(page: Context) -> None:
    f = page.filters
    weeks = queries.by(page.snap, queries.SALES, f, queries.WEEK, "retailer_id")
    order = sorted(weeks.retailer.unique())
    series = charts.choice("retailer", dict(zip(order, RETAILER_COLOURS, strict=False)))
    ui.chart(
        weeks[[queries.WEEK, "retailer", "revenue_usd"]],
        charts.stacked(queries.WEEK, "revenue_usd", series, "USD a week"),
        f"Weekly sales by retailer: {', '.join(order)}, from {fmt.day(f.start)} to {fmt.day(f.end)}.",
        "Sales by retailer, USD a week",
    )


def _spend(page: Context) -> None:
    f = page.filters
    weeks = _grouped(queries.group_weeks(page.snap, f), "channel_group")
    ui.chart(
        weeks[[queries.WEEK, "group", "spend_usd"]],
        charts.stacked(
            queries.WEEK, "spend_usd", charts.colour("group", list(weeks.group.unique())), "USD a week"
        ),
        f"Weekly media spend by channel group, from {fmt.day(f.start)} to {fmt.day(f.end)}.",
        "Media spend by channel group, USD a week",
    )


def _grouped(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return rows.assign(group=[charts.GROUP_NAMES.get(g, "Other") for g in rows[column]])


def _caused(page: Context) -> None:
    rows = answers.contribution_weeks(page.snap, page.filters)
    rows = _grouped(rows[rows.grp != "baseline"], "grp")
    if rows.empty:
        ui.state("empty", "No modelled weeks in this period", "Choose a longer period.")
        return
    ui.chart(
        rows[[queries.WEEK, "group", "revenue_usd"]],
        charts.stacked(
            queries.WEEK, "revenue_usd", charts.colour("group", list(rows.group.unique())), "USD a week"
        ),
        "Weekly sales that the market mix model ascribes to each channel group; the baseline is left out.",
        "Sales that media, price and promotion caused, by the mix model (baseline left out)",
    )


def _returns(page: Context) -> None:
    rows = _grouped(answers.roi(page.snap, page.filters, "launch"), "channel_group")
    ui.chart(
        rows[["channel_name", "roi", "roi_p05", "roi_p95", "group"]],
        charts.intervals(
            "channel_name",
            "roi",
            "roi_p05",
            "roi_p95",
            "Sales caused per dollar",
            rows.channel_name.tolist(),
            fill={**charts.colour("group", list(rows.group.unique())), "legend": None},
            reference=1.0,
            row=20,
        ),
        "Incremental return per media dollar for each channel with its 90 % interval, launch window.",
        "Sales caused per media dollar in the launch, with 90 % intervals (colours as in the spend chart)",
    )


def _advice(page: Context) -> None:
    snap = page.snap
    if page.ready("Budget plan", "fct_budget_scenario"):
        rows = answers.scenarios(snap, page.brand)
        rows = rows[rows.scenario.isin(["optimal", "move_5m", "plus_10pct"])]
        if len(rows):
            ui.table(
                rows.assign(
                    name=rows.scenario.map(answers.scenario_name),
                    interval=fmt.between(rows, "p05_usd", "p95_usd", fmt.money),
                ),
                [
                    Column("name", "If we choose", fmt.text, False),
                    Column("spend_usd", "Budget", fmt.money),
                    Column("gain_usd", "Change in sales", fmt.money),
                    Column("interval", "90 % interval", fmt.text, False),
                    Column("probability_of_gain", "Chance of a gain", fmt.chance),
                ],
                "Plans against today's, over the planning horizon",
                key="advice",
            )
    if snap.has("fct_hypothesis", "verdict"):
        ui.table(
            answers.hypotheses(snap, page.brand),
            [
                Column("statement", "Working hypothesis", fmt.text, False, True),
                Column("verdict", "Verdict", fmt.words, False),
                Column("probability", "Probability", fmt.chance),
            ],
            "What we believed, and what the data say",
            key="hypotheses",
        )
    ui.note(
        "Plans and verdicts come from the last good model runs; the Budget and Incrementality pages carry their intervals."
    )
