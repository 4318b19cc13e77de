"""What the figures rest on: feeds, refused rows, model runs, and the way back from a number to its files."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import answers, lineage, ui
from dashboard import format as fmt
from dashboard.context import JOB_NAMES, Context, section
from dashboard.ui import Card, Column

OUTCOMES = {
    "LOAD": "loaded",
    "QR": "loaded, some rows refused",
    "QF": "whole file refused",
    "NOOP": "already seen",
    "WAIT": "not complete yet",
    "REPLACE": "replaced earlier version",
    "ABORT": "run stopped",
    "WARN": "loaded with a warning",
}


def render(page: Context) -> None:
    """Feeds, refused rows, checks, model runs, and the way back from a number to its files."""
    st.header("Feeds")
    if page.ready("Feed loads", "fct_feed_load"):
        _feeds(page)
        ui.download(_rows(page, FILES), "feed-loads", "Download every file as CSV")
    st.header("Refused rows")
    if page.snap.has("fct_quarantine", "feed", "reason"):
        _quarantine(page)
        ui.download(_rows(page, REFUSED), "quarantine")
    else:
        ui.state("empty", "No quarantine in this version", "It appears after the next full run.")
    st.header("Checks")
    if page.snap.has("fct_data_quality", "check_name", "subject"):
        _checks(page)
        ui.download(_rows(page, CHECKS), "data-quality")
    else:
        ui.state("empty", "No checks in this version", "They appear after the next full run.")
    st.header("Model runs")
    if page.ready("Model runs", "dim_model_run"):
        _runs(page)
        ui.download(answers.runs(page.snap, page.brand), "model-runs")
    st.header("From a number to its sources")
    _lineage(page)


FILES = "select * from marts.fct_feed_load where brand_id = ? order by delivered_at desc, file_name"
REFUSED = (
    "select * from marts.fct_quarantine where brand_id = ? order by feed, file_name, line_number limit 50000"
)
CHECKS = (
    "select * from marts.fct_data_quality where brand_id = ? "
    "order by case severity when 'error' then 0 when 'warning' then 1 else 2 end, check_name, subject limit 200"
)


def _rows(page: Context, sql: str) -> pd.DataFrame:
    return page.snap.frame(sql, [page.brand])


@section
def _feeds(page: Context) -> None:
    rows = page.snap.frame(
        "select feed, count(*) as files, sum(rows_file) as rows_file, sum(rows_loaded) as rows_loaded, sum(rows_quarantined) as rows_quarantined, "
        "count(*) filter (outcome = 'QF') as files_refused, max(delivered_at) filter (outcome not in ('QF', 'ABORT')) as last_delivered, "
        "max(last_date) filter (outcome not in ('QF', 'ABORT')) as last_date from marts.fct_feed_load where brand_id = ? group by 1 order by 1",
        [page.brand],
    )
    rows = rows.assign(
        behind=[
            None if fmt.missing(d) else max(0, (page.last - pd.Timestamp(d).date()).days)
            for d in rows.last_date
        ]
    )
    ui.cards(
        [
            Card("files", "Files seen", int(rows.files.sum()), fmt.whole),
            Card("rows_loaded", "Rows loaded", float(rows.rows_loaded.sum()), fmt.count),
            Card("rows_quarantined", "Rows refused", float(rows.rows_quarantined.sum()), fmt.count),
            Card("files_refused", "Files refused", int(rows.files_refused.sum()), fmt.whole),
        ]
    )
    ui.table(
        rows,
        [
            Column("feed", "Feed", fmt.text, False),
            Column("files", "Files", fmt.whole),
            Column("rows_file", "Rows in files", fmt.whole),
            Column("rows_loaded", "Loaded", fmt.whole),
            Column("rows_quarantined", "Refused", fmt.whole),
            Column("files_refused", "Files refused", fmt.whole),
            Column("last_delivered", "Last delivery", fmt.moment, False),
            Column("last_date", "Data to", fmt.day, False),
            Column("behind", "Days behind", fmt.whole),
        ],
        "Feeds: every row of every file is loaded, refused or declared",
        key="feed",
    )


@section
def _quarantine(page: Context) -> None:
    rows = page.snap.frame(
        "select feed, reason, count(*) as n, min(file_name) as example_file, min(line_number) as example_line from marts.fct_quarantine "
        "where brand_id = ? group by 1, 2 order by n desc, 1, 2",
        [page.brand],
    )
    if rows.empty:
        ui.state("good", "No row has been refused", "Every delivered row passed its contract.")
        return
    ui.table(
        rows.head(40),
        [
            Column("feed", "Feed", fmt.text, False),
            Column("reason", "Reason", fmt.words, False),
            Column("n", "Rows", fmt.whole),
            Column("example_file", "For example in", fmt.text, False),
            Column("example_line", "Line", fmt.whole),
        ],
        "Refused rows by feed and reason",
        key="quarantine",
    )


@section
def _checks(page: Context) -> None:
    rows = _rows(page, CHECKS)
    if rows.empty:
        ui.state("good", "No finding", "All data-quality checks are quiet.")
        return
    shown = rows.head(20)
    ui.table(
        shown.assign(days=[_days(a, b) for a, b in zip(shown.first_date, shown.last_date, strict=True)]),
        [
            Column("check_name", "Check", fmt.words, False, under="days"),
            Column("subject", "About", fmt.text, False),
            Column("severity", "Severity", fmt.words, False),
            Column("detail", "Finding", fmt.text, False, True),
            Column("rows_affected", "Rows", fmt.whole),
            Column("money_affected_usd", "Money", fmt.money),
        ],
        f"The {len(shown)} first of {len(rows)} findings, gravest first; the download has all",
        key="checks",
    )


def _days(first: object, last: object) -> str:
    if fmt.missing(first):
        return ""
    return fmt.day(first) if first == last or fmt.missing(last) else f"{fmt.day(first)} to {fmt.day(last)}"


@section
def _runs(page: Context) -> None:
    newest = answers.newest_runs(page.snap, page.brand)
    by_job = newest.assign(
        name=newest.job.map(JOB_NAMES).fillna(newest.job), trouble=newest.status != "succeeded"
    )
    # A job may have a run for each group of series: one line for all that went well, one for each that did not.
    groups = by_job.groupby("job").unit.transform("nunique")
    by_job = by_job.assign(groups=[f"{n} groups of series" if n > 1 else "" for n in groups])
    fine = by_job[~by_job.trouble].drop_duplicates("job")
    by_job = pd.concat([by_job[by_job.trouble], fine]).head(40)
    ui.table(
        by_job,
        [
            Column("name", "Model", fmt.text, False, under="groups"),
            Column("status", "Newest run", fmt.words, False),
            Column("as_of_date", "Data to", fmt.day, False),
            Column("served_as_of", "Served: data to", fmt.day, False),
            Column("code_version", "Code", short, False),
            Column("run_id", "Run", short, False),
            Column("message", "Message", lambda v: "" if fmt.missing(v) else str(v), False, True),
        ],
        "Newest run of each model, and what is served",
        key="run",
    )
    if page.snap.has("fct_model_diagnostic", "metric", "value"):
        rows = page.snap.frame(
            "select * from marts.fct_model_diagnostic where brand_id = ? order by is_flagged desc, metric limit 60",
            [page.brand],
        )
        if len(rows):
            with st.expander("Model diagnostics"):
                rows = rows.assign(
                    flag=["flagged" if x else "" for x in rows.is_flagged.fillna(False).astype(bool)]
                )
                ui.table(
                    rows,
                    [
                        Column("metric", "Measure", fmt.words, False),
                        Column("value", "Value", fmt.ratio),
                        Column("threshold", "Limit", fmt.ratio),
                        Column("flag", "", fmt.text, False),
                    ],
                    "Diagnostics of the mix model",
                )


def short(value: object) -> str:
    """The head of a hash or a version, enough to find it by."""
    return fmt.text(value)[:12]


def _lineage(page: Context) -> None:
    marts = lineage.marts(page.snap)
    if not marts:
        ui.state("empty", "Nothing to trace", "This version holds no facts.")
        return
    chosen = (
        st.selectbox(
            "Figure from",
            marts,
            format_func=lambda m: f"{lineage.NAMES.get(m, m)} ({m})",
            key="mart",
            bind="query-params",
        )
        or marts[0]
    )
    trail = lineage.trace(page.snap, page.brand, chosen)
    if trail.run is not None:
        ui.table(
            trail.run,
            [
                Column("run_id", "Run", short, False),
                Column("job", "Model", fmt.words, False),
                Column("as_of_date", "Data to", fmt.day, False),
                Column("code_version", "Code", fmt.text, False),
                Column("feature_hash", "Input hash", short, False),
                Column("seed", "Seed", fmt.whole),
            ],
            f"The run that wrote {chosen}",
        )
    if trail.files.empty:
        ui.state(
            "empty",
            "No files recorded",
            "The ledger holds no accepted file for the feeds behind this figure.",
        )
        return
    ui.table(
        trail.files.head(15),
        [
            Column("feed", "Feed", fmt.text, False),
            Column("file_name", "File", fmt.text, False),
            Column("sha256", "SHA-256", short, False),
            Column("outcome", "Outcome", lambda v: OUTCOMES.get(str(v), fmt.words(v)), False),
            Column("rows_loaded", "Rows", fmt.whole),
            Column("delivered_at", "Delivered", fmt.moment, False),
        ],
        f"Newest {min(15, len(trail.files))} of {len(trail.files)} source files behind {chosen}",
    )
    ui.download(trail.files, f"sources-{chosen}")
