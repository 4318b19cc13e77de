"""Channels side by side, over time, and drilled from channel to tactic, campaign and place."""

from __future__ import annotations

import streamlit as st

from dashboard import charts, queries, ui
from dashboard import format as fmt
from dashboard.context import Context
from dashboard.ui import Column

LEVELS = {"channel": "Channel", "tactic": "Tactic", "campaign": "Campaign", "place": "Place"}
METRICS = {
    "spend_usd": ("Spend, USD", "~s"),
    "platform_roas": ("ROAS as claimed", "~g"),
    "platform_cpa_usd": ("CPA as claimed, USD", "~g"),
    "ctr": ("CTR", ".1%"),
    "cpm_usd": ("CPM, USD", "~g"),
}
RATES = [
    Column("spend_usd", "Spend", fmt.money),
    Column("impressions", "Impressions", fmt.count),
    Column("clicks", "Clicks", fmt.count),
    Column("ctr", "CTR", fmt.small_percent),
    Column("cpm_usd", "CPM", fmt.money_exact),
    Column("platform_roas", "ROAS, claimed", fmt.ratio),
    Column("platform_cpa_usd", "CPA, claimed", fmt.money_exact),
    Column("attribution_window", "Counted within", fmt.text, False),
]


def render(page: Context) -> None:
    if not page.ready("Media", "fct_media_daily", "dim_channel"):
        return
    snap, f = page.snap, page.filters
    rows = queries.channels(snap, f)
    if rows.empty:
        ui.state("empty", "No media in this view", "Choose another period, channel or place.")
        return
    total = queries.media_totals(snap, f).iloc[0]
    ui.cards(
        [
            ui.Card("spend_usd", "Spend", total.spend_usd, fmt.money),
            ui.Card("impressions", "Impressions", total.impressions, fmt.count),
            ui.Card("clicks", "Clicks", total.clicks, fmt.count),
            ui.Card("ctr", "CTR", total.ctr, fmt.small_percent),
            ui.Card("cpm_usd", "CPM", total.cpm_usd, fmt.money_exact),
            ui.Card(
                "platform_roas",
                "ROAS, claimed",
                total.platform_roas,
                fmt.ratio,
                "Mixed windows: read per channel",
            ),
        ]
    )
    st.header("Comparison")
    ui.table(
        rows,
        [Column("channel_name", "Channel", fmt.text, False), *RATES],
        "Media by channel; claims are counted by each platform in its own window and are not comparable across windows",
        key="channel",
    )
    ui.note(
        "ROAS and CPA here are what each platform claims for itself. What media really caused is on the Incrementality page."
    )
    ui.download(rows, "channels")
    st.header("Trend")
    _trend(page)
    st.header("Drill down")
    _drill(page)


def _trend(page: Context) -> None:
    metric = (
        st.segmented_control(
            "Measure",
            list(METRICS),
            default="spend_usd",
            format_func=lambda m: METRICS[m][0].split(",")[0],
            key="measure",
            bind="query-params",
        )
        or "spend_usd"
    )
    rows = queries.channel_weeks(page.snap, page.filters)
    title, form = METRICS[metric]
    rows = rows.assign(**{metric: rows[metric].astype(float)})
    if metric == "spend_usd":
        rows = rows.assign(group=rows.channel_group.map(charts.GROUP_NAMES).fillna("Other"))
        rows = rows.groupby(["week_start_date", "group"], as_index=False)[metric].sum()
        ui.chart(
            rows,
            charts.stacked(
                "week_start_date",
                metric,
                charts.colour("group", list(rows.group.unique())),
                f"{title} a week",
            ),
            "Weekly spend by channel group.",
            "Spend by channel group and week.",
        )
        return
    # Twelve lines in one frame cannot be told apart; small panels of one line each can.
    spec = {
        "facet": {
            "field": "channel_name",
            "type": "nominal",
            "title": None,
            "header": {"labelFontWeight": "bold", "labelLimit": 140},
        },
        "columns": 3,
        "spacing": {"row": 18, "column": 22},
        "resolve": {"axis": {"x": "independent"}},
        "spec": {**charts.line("week_start_date", metric, "", form=form, height=70), "width": 190},
    }
    names = ", ".join(rows.channel_name.dropna().unique())
    st.vega_lite_chart(
        rows, spec, alt=f"{title} by week, one small panel for each of: {names}.", width="content"
    )
    st.caption(f"{title} by week, one panel per channel, all on the same scale.")


def _drill(page: Context) -> None:
    snap, f = page.snap, page.filters
    left, right = st.columns([2, 1])
    with left:
        level = (
            st.segmented_control(
                "Level",
                list(LEVELS),
                default="campaign",
                format_func=LEVELS.get,
                key="level",
                bind="query-params",
            )
            or "campaign"
        )
    found = queries.channels(snap, f)
    ids = [str(i) for i in found.channel_id]
    with right:
        only = (
            st.selectbox(
                "Channel to open",
                ["all", *ids],
                format_func=lambda i: "All channels" if i == "all" else page.names.get(i, i),
                key="open",
                bind="query-params",
            )
            or "all"
        )
    rows = queries.drill(snap, f, level)
    if only != "all":
        rows = rows[rows.channel_id == only]
    names = {
        "channel": [],
        "tactic": [("tactic", "Tactic")],
        "campaign": [("tactic", "Tactic"), ("campaign_name", "Campaign")],
        "place": [("place", "Place")],
    }[level]
    shown = rows.head(60)
    ui.table(
        shown,
        [
            Column("channel_name", "Channel", fmt.text, False),
            *(Column(c, h, fmt.text, False) for c, h in names),
            *RATES[:-1],
        ],
        f"{LEVELS[level]} level, largest spend first; rows add up to the level above",
        key="drill",
    )
    if len(rows) > len(shown):
        ui.note(f"Showing the {len(shown)} largest of {len(rows):,} rows; the download has all of them.")
    ui.download(rows, f"channels-{level}", f"Download {LEVELS[level].lower()} rows as CSV")
