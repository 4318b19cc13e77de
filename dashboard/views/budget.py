"""Where the next dollar should go: curves, plans, and a what-if between two channels."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import answers, charts, queries, ui, whatif
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.filters import Filters, period
from dashboard.ui import Card, Column


def render(page: Context) -> None:
    page.model_state("mmm", "budget")
    if page.ready("Plans", "fct_budget_scenario"):
        st.header("Plans")
        _plans(page)
    if page.ready("Response curves", "fct_response_curve"):
        st.header("Move money between two channels")
        _move(page)
        st.header("Response curves")
        _curves(page)
    st.header("Claimed return and marginal return")
    if page.ready("Channel ROI", "fct_channel_roi", "fct_channel_evidence"):
        _marginal(page)
    st.header("Spend that does not pay")
    if page.ready("Wasted spend", "fct_wasted_spend"):
        _wasted(page)


def _plans(page: Context) -> None:
    rows = answers.scenarios(page.snap, page.brand)
    rows = rows.assign(
        name=rows.scenario.map(answers.scenario_name),
        caution=["beyond observed spend" if x is True else "" for x in rows.is_extrapolated],
        interval=[
            fmt.MISSING if scenario == "current" else fmt.interval(a, b, fmt.money)
            for scenario, a, b in zip(rows.scenario, rows.p05_usd, rows.p95_usd, strict=True)
        ],
    )
    today = rows[rows.scenario == "current"]
    if len(today):
        now = today.iloc[0]
        ui.cards(
            [
                Card("current.spend_usd", "Today's plan, budget", now.spend_usd, fmt.money),
                Card(
                    "current.caused_usd",
                    "Sales it causes",
                    now.incremental_revenue_usd,
                    fmt.money,
                    f"{fmt.interval(now.p05_usd, now.p95_usd, fmt.money)} (90 %)",
                ),
            ]
        )
    ui.table(
        rows,
        [
            Column("name", "Plan", fmt.text, False),
            Column("spend_usd", "Budget", fmt.money),
            Column("gain_usd", "Change in sales", fmt.money),
            Column("interval", "90 % interval", fmt.text, False),
            Column("probability_of_gain", "Chance of a gain", fmt.percent),
            Column("caution", "Caution", fmt.text, False),
        ],
        "Every stored plan over the planning horizon, against today's plan",
        key="scenario",
    )
    names = rows.scenario.tolist()
    start = names.index("optimal") if "optimal" in names else 0
    chosen = (
        st.selectbox(
            "Plan to open",
            names,
            index=start,
            format_func=answers.scenario_name,
            key="plan",
            bind="query-params",
        )
        or names[start]
    )
    plan = answers.plan(page.snap, page.brand, chosen)
    if page.filters.channels:
        plan = plan[plan.channel_id.isin(page.filters.channels)]
    plan = plan.assign(
        interval=[fmt.interval(a, b, fmt.money) for a, b in zip(plan.p05_usd, plan.p95_usd, strict=True)],
        caution=["beyond observed" if x else "" for x in plan.is_extrapolated],
    )
    ui.table(
        plan,
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("current_spend_usd", "Today", fmt.money),
            Column("spend_usd", "Plan", fmt.money),
            Column("spend_change_usd", "Change", fmt.money),
            Column(
                "incremental_revenue_usd",
                "Sales caused" if chosen == "current" else "Change in sales",
                fmt.money,
            ),
            Column("interval", "90 % interval", fmt.text, False),
            Column("caution", "Caution", fmt.text, False),
        ],
        f"{answers.scenario_name(chosen)}, by channel",
        key="plan",
    )
    change = plan.assign(
        direction=["more" if c >= 0 else "less" for c in plan.spend_change_usd],
        spend_change_usd=plan.spend_change_usd.astype(float),
    )
    order = plan.sort_values("spend_change_usd", ascending=False).channel_name.tolist()
    fill = {
        "field": "direction",
        "type": "nominal",
        "title": None,
        "scale": {"domain": ["more", "less"], "range": [charts.BLUE, charts.ORANGE]},
        "legend": {"orient": "top"},
    }
    ui.chart(
        change,
        charts.bars("channel_name", "spend_change_usd", "Change in spend, USD", order, fill=fill),
        f"Change in spend by channel under {answers.scenario_name(chosen)}; blue is more, orange is less.",
    )
    ui.download(plan.drop(columns=["interval", "caution"]), f"plan-{chosen}", "Download the plan as CSV")


def _move(page: Context) -> None:
    everything = answers.curves(
        page.snap, Filters(page.brand, page.first, page.last)
    )  # a move may leave the filtered channels
    now = weekly_spend(page)
    ids = [c for c in dict.fromkeys(everything.channel_id) if now.get(c, 0) > 0]
    if len(ids) < 2:
        ui.state(
            "empty", "Not enough curves", "A move needs two channels with a response curve and current spend."
        )
        return
    name = lambda i: page.names.get(i, i)  # noqa: E731
    one, two, three = st.columns(3)
    with one:
        source = st.selectbox(
            "Take from",
            ids,
            index=ids.index("meta_retargeting") if "meta_retargeting" in ids else 0,
            format_func=name,
            key="from",
            bind="query-params",
        )
    with two:
        targets = [i for i in ids if i != source]
        target = st.selectbox(
            "Give to",
            targets,
            index=targets.index("ctv_other") if "ctv_other" in targets else 0,
            format_func=name,
            key="to",
            bind="query-params",
        )
    with three:
        share = st.slider("Share of its weekly spend, %", 5, 100, 25, 5, key="share", bind="query-params")
    amount = now[source] * share / 100
    try:
        result = whatif.move(everything, now, source, target, amount)
    except whatif.WhatIfError as error:
        ui.state("empty", "The stored curves cannot answer this", str(error))
        return
    ui.cards(
        [
            Card(
                "move.amount",
                f"From {name(source)} to {name(target)}",
                result.amount_per_week_usd,
                fmt.money,
                "a week",
            ),
            Card("move.lost", "Sales given up", result.lost_usd, fmt.money, "a week"),
            Card("move.gained", "Sales gained", result.gained_usd, fmt.money, "a week"),
            Card(
                "move.net",
                "Net change in sales",
                result.net_usd,
                fmt.money,
                f"{fmt.interval(result.p05_usd, result.p95_usd, fmt.money)} (90 %)",
            ),
            Card(
                "move.chance",
                "Chance of a gain",
                result.probability_of_gain,
                fmt.percent,
                "Beyond observed spend: treat as a guess"
                if result.is_extrapolated
                else "Within observed spend",
            ),
        ]
    )
    ui.note(whatif.METHOD)


def weekly_spend(page: Context) -> dict[str, float]:
    """Current weekly spend by channel, USD: the mean of the launch window, which the curves were drawn around."""
    start, end = period("launch", page.first, page.last)
    rows = queries.channels(page.snap, Filters(page.brand, start, end))
    weeks = ((end - start).days + 1) / 7
    return {
        str(r.channel_id): float(r.spend_usd) / weeks
        for r in rows.itertuples()
        if not fmt.missing(r.spend_usd)
    }


def _curves(page: Context) -> None:
    rows = answers.curves(page.snap, page.filters)
    ids = list(dict.fromkeys(rows.channel_id))
    if not ids:
        ui.state("empty", "No curves for these channels", "Choose other channels.")
        return
    chosen = (
        st.selectbox(
            "Curve of", ids, format_func=lambda i: page.names.get(i, i), key="curve", bind="query-params"
        )
        or ids[0]
    )
    part = rows[rows.channel_id == chosen].astype(
        dict.fromkeys(("spend_per_week_usd", "incremental_revenue_usd", "p05_usd", "p95_usd"), float)
    )
    part = part.assign(
        seen=[
            "Within observed spend" if s else "Beyond observed spend" for s in part.is_observed.astype(bool)
        ]
    )
    border = part[part.is_observed.astype(bool)].tail(1).assign(seen="Beyond observed spend")
    part = pd.concat([part, border]).sort_values("spend_per_week_usd", kind="stable")  # the two strokes meet
    ui.chart(
        part,
        charts.band(
            "spend_per_week_usd",
            "incremental_revenue_usd",
            "p05_usd",
            "p95_usd",
            "Sales caused a week, USD",
            temporal=False,
            x_title="Spend a week, USD",
            observed="seen",
        ),
        f"Response curve of {page.names.get(chosen, chosen)}: weekly sales caused against weekly spend with 90 % interval; dashed beyond observed spend.",
    )
    ui.download(rows, "response-curves")


def _marginal(page: Context) -> None:
    rows = answers.roi(page.snap, page.filters, "launch")
    claims = answers.evidence(page.snap, page.filters)
    claims = claims[claims.source == "platform_claim"][["channel_id", "roas"]].rename(
        columns={"roas": "claim"}
    )
    rows = rows.merge(claims, on="channel_id", how="left").sort_values("marginal_roi", ascending=False)
    rows = rows.assign(
        interval=[
            fmt.interval(a, b) for a, b in zip(rows.marginal_roi_p05, rows.marginal_roi_p95, strict=True)
        ],
        supported=["yes" if s else "no" for s in rows.is_supported.astype(bool)],
    )
    ui.table(
        rows,
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("claim", "Claimed ROAS", fmt.ratio),
            Column("roi", "Caused per dollar", fmt.ratio),
            Column("marginal_roi", "Next dollar", fmt.ratio),
            Column("interval", "90 % interval", fmt.text, False),
            Column("supported", "Supported by data", fmt.text, False),
            Column("note", "Note", fmt.text, False, True),
        ],
        "The plan follows the next dollar's return, not the platforms' claims",
        key="marginal",
    )


def _wasted(page: Context) -> None:
    rows = answers.wasted(page.snap, page.filters)
    if rows.empty:
        ui.state(
            "good", "No wasted spend found", "No channel and place falls below the threshold in this view."
        )
        return
    rows = rows.assign(
        interval=[
            fmt.interval(a, b) for a, b in zip(rows.marginal_roi_p05, rows.marginal_roi_p95, strict=True)
        ]
    )
    ui.table(
        rows.head(25),
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("place", "Place", fmt.place, False),
            Column("spend_usd", "Spend", fmt.money),
            Column("marginal_roi", "Next dollar", fmt.ratio),
            Column("interval", "90 % interval", fmt.text, False),
            Column("probability_wasted", "Probability", fmt.percent),
            Column("wasted_spend_usd", "Wasted", fmt.money),
        ],
        f"The {min(25, len(rows))} largest of {len(rows)} channel and place pairs whose next dollar brings back less than it costs",
        key="wasted",
    )
    ui.download(rows.drop(columns=["interval"]), "wasted-spend")
