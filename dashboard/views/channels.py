"""Channels side by side, over time, and drilled from channel to tactic, campaign and place."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, queries, ui
from dashboard import format as fmt
from dashboard.context import Context, section
from dashboard.ui import Column

LEVELS = {"channel": "Channel", "tactic": "Tactic", "campaign": "Campaign", "place": "Place"}
SHOWN = 60
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
    """Comparison, trend and drill-down of paid and owned media."""
    if not page.ready("Media", "fct_media_daily", "dim_channel"):
        return
    rows = queries.channels(page.snap, page.filters)
    if rows.empty:
        ui.state("empty", "No media in this view", "Choose another period, channel or place.")
        return
    _comparison(page)
    ui.download(rows, "channels")
    st.header("Trend")
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
    _trend(page, metric)
    st.header("Drill down")
    _drill(page, [str(i) for i in rows.channel_id])


@section
def _comparison(page: Context) -> None:
    total = queries.totals(page.snap, queries.MEDIA, page.filters)
    ui.cards(
        [
            ui.Card("spend_usd", "Spend", total.spend_usd, fmt.money),
            ui.Card("impressions", "Impressions", total.impressions, fmt.count),
            ui.Card("clicks", "Clicks", total.clicks, fmt.count),
            ui.Card("ctr", "CTR", total.ctr, fmt.small_percent),
            ui.Card("cpm_usd", "CPM", total.cpm_usd, fmt.money_exact),
            ui.Card("platform_roas", "ROAS, claimed", total.platform_roas, fmt.ratio, "Mixed windows"),
        ]
    )
    st.header("Comparison")
    ui.table(
        queries.channels(page.snap, page.filters),
        [Column("channel_name", "Channel", fmt.text, False), *RATES],
        "Media by channel; claims are counted by each platform in its own window and are not comparable across windows",
        key="channel",
    )
    ui.note(
        "ROAS and CPA here are what each platform claims for itself. What media really caused is on the Incrementality page."
    )


@section
def _trend(page: Context, metric: str) -> None:
    title, form = METRICS[metric]
    if metric == "spend_usd":
        rows = queries.group_weeks(page.snap, page.filters)
        rows = rows.assign(group=[charts.GROUP_NAMES.get(g, "Other") for g in rows.channel_group])
        ui.chart(
            rows[[queries.WEEK, "group", metric]],
            charts.stacked(
                queries.WEEK, metric, charts.colour("group", list(rows.group.unique())), f"{title} a week"
            ),
            "Weekly spend by channel group.",
            "Spend by channel group and week",
        )
        return
    # Twelve lines in one frame cannot be told apart; small panels of one line each can.
    rows = queries.by(page.snap, queries.MEDIA, page.filters, queries.WEEK, "channel_id")
    rows = rows[rows[metric].notna()]
    spec = {
        "facet": {
            "field": "channel_name",
            "type": "nominal",
            "title": None,
            "header": {"labelFontWeight": "bold", "labelLimit": 180, "labelAnchor": "start"},
        },
        "columns": 4,
        "spacing": {"row": 16, "column": 18},
        "resolve": {"axis": {"x": "independent"}, "scale": {"y": "independent"}},
        "spec": {**charts.line(queries.WEEK, metric, "", form=form, height=80), "width": 170},
    }
    names = ", ".join(rows.channel_name.dropna().unique())
    st.html(
        f'<p class="ml-cap ml-over">{title} by week, one panel for each channel that reports it; each has a scale of its own</p>'
    )
    st.vega_lite_chart(
        rows[["channel_name", queries.WEEK, metric]],
        spec,
        alt=f"{title} by week, one small panel for each of: {names}.",
        width="content",
    )


def _drill(page: Context, ids: list[str]) -> None:
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
    rows = _drilled(page, level, only)
    _level(page, level, only)
    ui.download(rows, f"channels-{level}", f"Download {LEVELS[level].lower()} rows as CSV")


def _drilled(page: Context, level: str, only: str) -> pd.DataFrame:
    rows = queries.drill(page.snap, page.filters, level)
    return rows if only == "all" else rows[rows.channel_id == only]


@section
def _level(page: Context, level: str, only: str) -> None:
    rows = _drilled(page, level, only)
    names = {
        "channel": [],
        "tactic": [("tactic", "Tactic")],
        "campaign": [("tactic", "Tactic"), ("campaign_name", "Campaign")],
        "place": [("place", "Place")],
    }[level]
    shown = rows.head(SHOWN)
    ui.table(
        shown,
        [
            Column("channel_name", "Channel", fmt.text, False),
            *(Column(c, h, fmt.place if c == "place" else fmt.text, False) for c, h in names),
            *RATES[:-1],
        ],
        f"{LEVELS[level]} level, largest spend first; rows add up to the level above",
        key="drill",
    )
    if len(rows) > len(shown):
        ui.note(f"Showing the {len(shown)} largest of {len(rows):,} rows; the download has all of them.")
