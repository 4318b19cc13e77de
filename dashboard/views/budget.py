"""Where the next dollar should go: curves, plans, and a what-if between two channels."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import answers, charts, economics, queries, ui, whatif
from dashboard import format as fmt
from dashboard.context import Context, section
from dashboard.filters import Filters, period
from dashboard.ui import Card, Column

#: Plans that people choose between; what remains are the plans without one channel.
MAIN = tuple(answers.SCENARIO_NAMES)
SHOWN_WASTE = 12


def render(page: Context) -> None:
    """Stored plans, a what-if between two channels, response curves, marginal returns, and spend that does not pay."""
    page.model_state("mmm", "budget")
    if page.ready("Plans", "fct_budget_scenario"):
        st.header("Plans")
        _plans(page)
        names = answers.scenarios(page.snap, page.brand).scenario.tolist()
        start = names.index("optimal") if "optimal" in names else 0
        chosen = st.selectbox(
            "Plan to open",
            names,
            index=start,
            format_func=answers.scenario_name,
            key="plan",
            bind="query-params",
        )
        chosen = chosen or names[start]
        _plan(page, chosen)
        ui.download(_plan_rows(page, chosen), f"plan-{chosen}", "Download the plan as CSV")
    if page.ready("Response curves", "fct_response_curve"):
        st.header("Move money between two channels")
        _move(page)
        st.header("Response curves")
        _curves(page)
    _returns(page)
    if page.ready("Wasted spend", "fct_wasted_spend"):
        ui.download(answers.wasted(page.snap, page.filters), "wasted-spend")


@section
def _plans(page: Context) -> None:
    rows = answers.scenarios(page.snap, page.brand)
    rows = rows.assign(
        name=rows.scenario.map(answers.scenario_name),
        caution=["part beyond observed spend" if x is True else "" for x in rows.is_extrapolated],
        interval=[
            fmt.MISSING if scenario == "current" else text
            for scenario, text in zip(
                rows.scenario, fmt.between(rows, "p05_usd", "p95_usd", fmt.money), strict=True
            )
        ],
    )
    for now in rows[rows.scenario == "current"].itertuples():
        spread = f"{fmt.interval(now.p05_usd, now.p95_usd, fmt.money)} (90 %)"
        ui.cards(
            [
                Card("current.spend_usd", "Today's plan, budget", now.spend_usd, fmt.money, _horizon(page)),
                Card("current.caused_usd", "Sales it causes", now.incremental_revenue_usd, fmt.money, spread),
                *_best(rows),
            ]
        )
    columns = [
        Column("name", "Plan", fmt.text, False),
        Column("spend_usd", "Budget", fmt.money),
        Column("gain_usd", "Change in sales", fmt.money),
        Column("interval", "90 % interval", fmt.text, False),
        Column("probability_of_gain", "Chance of a gain", fmt.chance),
        Column("caution", "Caution", lambda v: str(v or ""), False),
    ]
    main = rows.scenario.isin(MAIN)
    ui.table(
        rows[main], columns, "Stored plans over the planning horizon, against today's plan", key="scenario"
    )
    if (~main).any():
        with st.expander("What each channel carries: the plan without it"):
            ui.table(rows[~main], columns[:-1], "Plans without one channel", key="without")


def _horizon(page: Context) -> str:
    plans = answers.every_plan(page.snap, page.brand)
    return f"Over {int(plans.horizon_weeks.iloc[0])} weeks" if len(plans) else ""


def _best(rows: pd.DataFrame) -> list[Card]:
    return [
        Card(
            f"{r.scenario}.gain_usd",
            f"{r.name_} would add",
            r.gain_usd,
            fmt.money,
            f"{r.interval} (90 %)",
        )
        for r in rows[rows.scenario.isin(("optimal", "move_5m"))]
        .rename(columns={"name": "name_"})
        .itertuples()
    ]


def _plan_rows(page: Context, chosen: str) -> pd.DataFrame:
    plan = answers.plan(page.snap, page.brand, chosen)
    return plan[plan.channel_id.isin(page.filters.channels)] if page.filters.channels else plan


@section
def _plan(page: Context, chosen: str) -> None:
    plan = _plan_rows(page, chosen)
    plan = plan.assign(
        interval=fmt.between(plan, "p05_usd", "p95_usd", fmt.money),
        caution=["beyond observed spend" if x else "" for x in plan.is_extrapolated],
        direction=["more" if c >= 0 else "less" for c in plan.spend_change_usd],
        change=plan.spend_change_usd.astype(float),
    )
    ui.table(
        plan,
        [
            Column("channel_name", "Channel", fmt.text, False, under="caution"),
            Column("current_spend_usd", "Today", fmt.money),
            Column("spend_usd", "Plan", fmt.money),
            Column("spend_change_usd", "Change", fmt.money),
            Column(
                "incremental_revenue_usd",
                "Sales caused" if chosen == "current" else "Change in sales",
                fmt.money,
            ),
            Column("interval", "90 % interval", fmt.text, False),
        ],
        f"{answers.scenario_name(chosen)}, by channel",
        key="plan",
    )
    moved = plan[plan.change.abs() >= 0.5].sort_values("change", ascending=False)
    if len(moved):
        ui.chart(
            moved[["channel_name", "change", "direction"]],
            charts.bars(
                "channel_name",
                "change",
                "Change in spend, USD",
                moved.channel_name.tolist(),
                fill=charts.choice("direction", {"more": charts.BLUE, "less": charts.ORANGE}),
            ),
            f"Change in spend by channel under {answers.scenario_name(chosen)}; blue is more, orange is less.",
        )


def _basis(page: Context) -> tuple[pd.DataFrame, pd.DataFrame | None, dict[str, float]]:
    """Curves of all channels (a move may leave the filter), stored plans, and current weekly spend in USD."""
    curves = answers.curves(page.snap, Filters(page.brand, page.first, page.last))
    plans = answers.every_plan(page.snap, page.brand) if page.snap.has("fct_budget_scenario") else None
    return curves, plans, (whatif.start(plans) if plans is not None else {}) or weekly_spend(page)


def _move(page: Context) -> None:
    curves, plans, now = _basis(page)
    ids = [c for c in dict.fromkeys(curves.channel_id) if now.get(c, 0) > 0]
    if len(ids) < 2:
        ui.state(
            "empty", "Not enough curves", "A move needs two channels with a response curve and current spend."
        )
        return
    one, two, three = st.columns(3)
    with one:
        source = _channel(page, "Take from", ids, "meta_retargeting", "from")
    with two:
        target = _channel(page, "Give to", [i for i in ids if i != source], "ctv_other", "to")
    with three:
        share = st.slider("Share of its weekly spend, %", 5, 100, 25, 5, key="share", bind="query-params")
    try:
        result = whatif.move(curves, now, source, target, now[source] * share / 100, plans)
    except whatif.WhatIfError as error:
        ui.state("empty", "The stored curves cannot answer this", str(error))
        return
    route = f"From {page.names.get(source, source)} to {page.names.get(target, target)}"
    spread = f"{fmt.interval(result.p05_usd, result.p95_usd, fmt.money)} (90 %)"
    caution = "Beyond observed spend: treat as a guess" if result.is_extrapolated else "Within observed spend"
    ui.cards(
        [
            Card("move.amount", route, result.amount_per_week_usd, fmt.money, "a week"),
            Card("move.lost", "Sales given up", result.lost_usd, fmt.money, "a week"),
            Card("move.gained", "Sales gained", result.gained_usd, fmt.money, "a week"),
            Card("move.net", "Net change in sales", result.net_usd, fmt.money, spread),
            Card("move.chance", "Chance of a gain", result.probability_of_gain, fmt.chance, caution),
        ]
    )
    ui.note(whatif.METHOD)
    _shifts(page)


@section
def _shifts(page: Context) -> None:
    curves, plans, now = _basis(page)
    amount = sum(now.get(c, 0.0) for c in set(curves.channel_id)) / 100
    net = whatif.shifts(curves, now, amount, plans)
    names = {c: page.names.get(c, c) for c in net.columns}
    with st.expander("Every pair of channels at once"):
        ui.table(
            net.assign(giver=[names[c] for c in net.index]),
            [
                Column("giver", "Take from", fmt.text, False),
                *(Column(c, names[c], fmt.money) for c in net.columns),
            ],
            f"Net change in sales a week when {fmt.money(amount)} a week, a hundredth of the budget, moves from the row to the column",
            key="shift",
            head=False,
        )


def _channel(page: Context, label: str, ids: list[str], start: str, key: str) -> str:
    index = ids.index(start) if start in ids else 0
    name = lambda i: page.names.get(i, i)  # noqa: E731
    return st.selectbox(label, ids, index=index, format_func=name, key=key, bind="query-params") or ids[0]


def weekly_spend(page: Context) -> dict[str, float]:
    """Mean weekly spend by channel over the launch, USD: where no current plan is stored."""
    start, end = period("launch", page.first, page.last)
    rows = queries.channels(page.snap, Filters(page.brand, start, end))
    weeks = ((end - start).days + 1) / 7
    return {
        str(c): float(s) / weeks
        for c, s in zip(rows.channel_id, rows.spend_usd, strict=True)
        if not fmt.missing(s)
    }


def _curves(page: Context) -> None:
    rows = answers.curves(page.snap, page.filters)
    ids = list(dict.fromkeys(rows.channel_id))
    if not ids:
        ui.state("empty", "No curves for these channels", "Choose other channels.")
        return
    chosen = _channel(page, "Curve of", ids, "ctv_other", "curve")
    _curve(page, chosen)
    ui.download(rows, "response-curves")


@section
def _curve(page: Context, chosen: str) -> None:
    rows = answers.curves(page.snap, page.filters)
    part = rows[rows.channel_id == chosen].astype(
        dict.fromkeys(("spend_per_week_usd", "incremental_revenue_usd", "p05_usd", "p95_usd"), float)
    )
    seen = part.is_observed.astype(bool)
    part = part.assign(seen=["Within observed spend" if s else "Beyond observed spend" for s in seen])
    border = part[seen].tail(1).assign(seen="Beyond observed spend")
    part = pd.concat([part, border]).sort_values("spend_per_week_usd", kind="stable")  # the two strokes meet
    ui.chart(
        part[["spend_per_week_usd", "incremental_revenue_usd", "p05_usd", "p95_usd", "seen"]],
        charts.band(
            charts.number("spend_per_week_usd", "Spend a week, USD"),
            "incremental_revenue_usd",
            "p05_usd",
            "p95_usd",
            "Sales caused a week, USD",
            dashed="seen",
        ),
        f"Response curve of {page.names.get(chosen, chosen)}: weekly sales caused against weekly spend with 90 % interval; dashed beyond observed spend.",
    )


@section
def _returns(page: Context) -> None:
    st.header("Claimed return and marginal return")
    if page.ready("Channel ROI", "fct_channel_roi", "fct_channel_evidence"):
        _marginal(page)
    st.header("Spend that does not pay")
    if page.ready("Wasted spend", "fct_wasted_spend"):
        _wasted(page)


def _marginal(page: Context) -> None:
    rows = answers.roi(page.snap, page.filters, "launch")
    claims = answers.evidence(page.snap, page.filters)
    claims = claims.loc[claims.source == "platform_claim", ["channel_id", "roas"]].rename(
        columns={"roas": "claim"}
    )
    rows = rows.merge(claims, on="channel_id", how="left").sort_values("marginal_roi", ascending=False)
    known = rows.marginal_roi.notna() & rows.marginal_roi_p05.notna() & rows.marginal_roi_p95.notna()
    told = rows.loc[known, ["marginal_roi", "marginal_roi_p05", "marginal_roi_p95"]].astype(float)
    ranks = economics.rank_probabilities(*(told[c].to_numpy() for c in told)) if len(told) > 1 else None
    for name, place in (("best", 0), ("worst", -1)):
        rows[name] = float("nan")
        if ranks is not None:
            rows.loc[known, name] = ranks[:, place]
    ui.table(
        rows.assign(
            interval=fmt.between(rows, "marginal_roi_p05", "marginal_roi_p95"),
            supported=["yes" if s else "no" for s in rows.is_supported.astype(bool)],
        ),
        [
            Column("channel_name", "Channel", fmt.text, False, True, under="note"),
            Column("claim", "Claimed ROAS", fmt.ratio),
            Column("roi", "Caused per dollar", fmt.ratio),
            Column("marginal_roi", "Next dollar", fmt.ratio),
            Column("interval", "90 % interval", fmt.text, False),
            Column("best", "Chance to be the best", fmt.chance),
            Column("worst", "Chance to be the worst", fmt.chance),
            Column("supported", "Supported by data", fmt.text, False),
        ],
        "The plan follows the next dollar's return, not the platforms' claims; chances take the channels as independent and normal",
        key="marginal",
    )


def _wasted(page: Context) -> None:
    rows = answers.wasted(page.snap, page.filters)
    if rows.empty:
        ui.state(
            "good", "No wasted spend found", "No channel and place falls below the threshold in this view."
        )
        return
    shown = rows.head(SHOWN_WASTE)
    ui.table(
        shown.assign(interval=fmt.between(shown, "marginal_roi_p05", "marginal_roi_p95")),
        [
            Column("channel_name", "Channel", fmt.text, False),
            Column("place", "Place", fmt.place, False),
            Column("spend_usd", "Spend", fmt.money),
            Column("marginal_roi", "Next dollar", fmt.ratio),
            Column("interval", "90 % interval", fmt.text, False),
            Column("probability_wasted", "Probability", fmt.chance),
            Column("wasted_spend_usd", "Wasted", fmt.money),
        ],
        f"The {len(shown)} largest of {len(rows):,} channel and place pairs whose next dollar brings back less than it costs",
        key="wasted",
    )
