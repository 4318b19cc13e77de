"""What the figures rest on: feeds, refused rows, model runs, and the way back from a number to its files."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import answers, lineage, ui
from dashboard import format as fmt
from dashboard.context import JOB_NAMES, Context
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
    st.header("Feeds")
    if page.ready("Feed loads", "fct_feed_load"):
        _feeds(page)
    st.header("Refused rows")
    _quarantine(page)
    st.header("Checks")
    _checks(page)
    st.header("Model runs")
    if page.ready("Model runs", "dim_model_run"):
        _runs(page)
    st.header("From a number to its sources")
    _lineage(page)


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
    files = page.snap.frame(
        "select * from marts.fct_feed_load where brand_id = ? order by delivered_at desc, file_name",
        [page.brand],
    )
    ui.download(files, "feed-loads", "Download every file as CSV")


def _quarantine(page: Context) -> None:
    if not page.snap.has("fct_quarantine", "feed", "reason"):
        ui.state("empty", "No quarantine in this version", "It appears after the next full run.")
        return
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
    ui.download(
        page.snap.frame(
            "select * from marts.fct_quarantine where brand_id = ? order by feed, file_name, line_number limit 50000",
            [page.brand],
        ),
        "quarantine",
    )


def _checks(page: Context) -> None:
    if not page.snap.has("fct_data_quality", "check_name", "subject"):
        ui.state("empty", "No checks in this version", "They appear after the next full run.")
        return
    rows = page.snap.frame(
        "select * from marts.fct_data_quality where brand_id = ? "
        "order by case severity when 'error' then 0 when 'warning' then 1 else 2 end, check_name, subject limit 200",
        [page.brand],
    )
    if rows.empty:
        ui.state("good", "No finding", "All data-quality checks are quiet.")
        return
    ui.table(
        rows.head(60),
        [
            Column("check_name", "Check", fmt.words, False),
            Column("subject", "About", fmt.text, False),
            Column("severity", "Severity", fmt.words, False),
            Column("detail", "Finding", fmt.text, False, True),
            Column("rows_affected", "Rows", fmt.whole),
            Column("money_affected_usd", "Money", fmt.money),
            Column("first_date", "From", fmt.day, False),
            Column("last_date", "To", fmt.day, False),
        ],
        "Data-quality findings",
        key="checks",
    )
    ui.download(rows, "data-quality")


def _runs(page: Context) -> None:
    newest = answers.newest_runs(page.snap, page.brand)
    by_job = newest.assign(name=newest.job.map(JOB_NAMES).fillna(newest.job))
    if len(by_job) > 40:  # the forecast has a run per group of series; one line each would bury the rest
        bad = by_job[by_job.status != "succeeded"]
        by_job = pd.concat([bad, by_job[by_job.status == "succeeded"].drop_duplicates("job")]).head(40)
    ui.table(
        by_job,
        [
            Column("name", "Model", fmt.text, False),
            Column("status", "Newest run", fmt.words, False),
            Column("as_of_date", "Data to", fmt.day, False),
            Column("served_as_of", "Served: data to", fmt.day, False),
            Column("code_version", "Code", fmt.text, False),
            Column("cpu_seconds", "CPU, s", fmt.ratio),
            Column("message", "Message", fmt.text, False, True),
            Column("run_id", "Run", lambda v: fmt.text(v)[:16], False),
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
    ui.download(answers.runs(page.snap, page.brand), "model-runs")


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
                Column("run_id", "Run", lambda v: fmt.text(v)[:16], False),
                Column("job", "Model", fmt.words, False),
                Column("as_of_date", "Data to", fmt.day, False),
                Column("code_version", "Code", fmt.text, False),
                Column("feature_hash", "Input hash", lambda v: fmt.text(v)[:16], False),
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
        trail.files.head(30),
        [
            Column("feed", "Feed", fmt.text, False),
            Column("file_name", "File", fmt.text, False),
            Column("sha256", "SHA-256", lambda v: fmt.text(v)[:16], False),
            Column("outcome", "Outcome", lambda v: OUTCOMES.get(str(v), fmt.words(v)), False),
            Column("rows_loaded", "Rows", fmt.whole),
            Column("delivered_at", "Delivered", fmt.moment, False),
        ],
        f"Newest {min(30, len(trail.files))} of {len(trail.files)} source files behind {chosen}",
    )
    ui.download(trail.files, f"sources-{chosen}")
