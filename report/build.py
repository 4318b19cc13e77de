"""Puts the report together from one pinned version of the published marts."""

from __future__ import annotations

import os
import shutil
from html import escape
from pathlib import Path

import pandas as pd

from dashboard import answers, queries
from dashboard import format as fmt
from dashboard.filters import period
from dashboard.reader import Reader
from report import charts
from report.charts import Mark
from report.page import Report, document, plain
from serving.answers import Answer
from serving.answers import answers as leadership_answers


def build(serving: Path, brand_id: str, truth: Path | None = None) -> str:
    """The report as one HTML document.

    Args:
        serving: the published copy.
        truth: folder of the simulated world's truth; its figures stand beside the answers where it is given.

    Raises:
        dashboard.reader.NoServingFile: nothing is published.
    """
    reader = Reader(serving)
    try:
        with reader.pin() as snap:
            report = Report(snap, brand_id, truth)
            _opening(report)
            for section in (_drivers, _credit, _move, _demand, _worked, _caveats):
                section(report)
            return document(report)
    finally:
        reader.close()


def _opening(report: Report) -> None:
    version = report.snap.version
    report.add(
        "<h1>What our advertising really sells</h1>",
        f'<p class="meta">Data to {escape(fmt.day(version.as_of_date))} · {escape(version.label)} · code {escape(fmt.text(version.code_version))} · brand {escape(report.brand)}</p>',
        '<p class="lead">The questions that leadership asks, answered from the published marts. Each answer carries its interval and the mart it comes from.</p>',
    )
    names = queries.options(report.snap, report.brand)["channel"]
    for answer in _leadership(report):
        source = f' <span class="meta">({escape(answer.mart)})</span>' if answer.mart else ""
        truth = (
            f'<span class="truth">Truth in the simulated world: {escape(plain(answer.truth, names))}</span>'
            if answer.truth
            else ""
        )
        report.add(
            f'<div class="answer"><b>{escape(answer.question)}</b>{escape(plain(answer.text, names))}{source} {truth}</div>'
        )


def _leadership(report: Report) -> list[Answer]:
    """The leadership's answers over the very version that the report has pinned, through a link of their own.

    DuckDB opens one path with one configuration per process, so the second reader needs a second name; a copy where
    the file system has no links.
    """
    own = report.snap.path.with_suffix(".answers.duckdb")
    own.unlink(missing_ok=True)
    try:
        try:
            os.link(report.snap.path, own)
        except OSError:
            shutil.copyfile(report.snap.path, own)
        return leadership_answers(own, report.brand, report.truth)
    finally:
        own.unlink(missing_ok=True)


def _drivers(report: Report) -> None:
    report.add("<h2>1. Which channels truly drive purchases</h2>")
    if not report.has("fct_channel_roi", "dim_channel"):
        return
    rows = answers.roi(report.snap, report.everything, "launch")
    truth = _truth(report, "channel.csv", "channel", "launch_roi", "roi")
    items = []
    for r in rows.itertuples():
        marks = (
            [Mark(r.roi, r.roi_p05, r.roi_p95, charts.BLUE, "dot", "Market mix model")]
            if not fmt.missing(r.roi)
            else []
        )
        if r.channel_id in truth:
            marks.append(
                Mark(
                    truth[r.channel_id], colour=charts.GREEN, shape="diamond", name="Truth (simulated world)"
                )
            )
        items.append((str(r.channel_name), marks))
    report.add(
        charts.rows(
            items,
            "Sales caused per media dollar in the launch window, with 90 % intervals",
            "Sales caused per dollar; dashed: one for one",
            1.0,
        )
    )
    extra = ["Truth"] if truth else []
    report.table(
        "Launch window, from fct_channel_roi; intervals are 90 %",
        [
            "Channel",
            "Spend",
            "Sales caused",
            "Per dollar",
            "Interval",
            "Next dollar",
            "Interval",
            "Supported",
            *extra,
        ],
        [
            [
                r.channel_name,
                fmt.money(r.spend_usd),
                fmt.money(r.contribution_usd),
                fmt.ratio(r.roi),
                fmt.interval(r.roi_p05, r.roi_p95),
                fmt.ratio(r.marginal_roi),
                fmt.interval(r.marginal_roi_p05, r.marginal_roi_p95),
                "yes" if r.is_supported else f"no: {fmt.text(r.note)}",
                *([fmt.ratio(truth.get(r.channel_id))] if truth else []),
            ]
            for r in rows.itertuples()
        ],
        (1, 2, 3, 5),
    )


def _truth(report: Report, name: str, key: str, *columns: str) -> dict[str, float]:
    """A column of a truth file by key; the first of the named columns that exists."""
    path = report.truth / name if report.truth else None
    if path is None or not path.is_file():
        return {}
    frame = pd.read_csv(path)
    column = next((c for c in columns if c in frame), None)
    return (
        {}
        if column is None
        else {str(k): float(v) for k, v in zip(frame[key], frame[column], strict=True) if pd.notna(v)}
    )


def _credit(report: Report) -> None:
    report.add("<h2>2. Who gets too much credit, who too little</h2>")
    if not report.has("fct_channel_evidence", "dim_channel"):
        return
    rows = answers.evidence(report.snap, report.everything)
    styles = {
        "platform_claim": (charts.ORANGE, "square", "Platform claim"),
        "last_touch": ("#E69F00", "diamond", "Last touch"),
        "mmm": (charts.BLUE, "dot", "Market mix model"),
        "lift": (charts.GREEN, "diamond", "Lift test"),
    }
    items, table = [], []
    for _, part in rows.groupby("channel_id", sort=False):
        cell = {r.source: r for r in part.itertuples()}
        first = cell.get("mmm", next(iter(cell.values())))
        items.append(
            (
                str(first.channel_name),
                [
                    Mark(
                        cell[s].roas,
                        None if fmt.missing(cell[s].roas_low) else cell[s].roas_low,
                        None if fmt.missing(cell[s].roas_high) else cell[s].roas_high,
                        *style,
                    )
                    for s, style in styles.items()
                    if s in cell and not fmt.missing(cell[s].roas)
                ],
            )
        )
        show = lambda s: fmt.ratio(cell[s].roas) if s in cell else fmt.MISSING  # noqa: B023, E731
        table.append(
            [
                first.channel_name,
                show("platform_claim"),
                show("last_touch"),
                show("mmm"),
                fmt.interval(cell["mmm"].roas_low, cell["mmm"].roas_high) if "mmm" in cell else fmt.MISSING,
                show("lift"),
                fmt.words(first.verdict),
                fmt.chance(first.verdict_probability),
            ]
        )
    report.add(
        charts.rows(
            items,
            "Sales per dollar: claimed, attributed, and caused",
            "Sales per dollar, on a logarithmic scale; dashed: one for one",
            1.0,
            logarithmic=True,
        )
    )
    report.table(
        "From fct_channel_evidence; only the model and lift tests measure cause",
        [
            "Channel",
            "Claim",
            "Last touch",
            "Model",
            "Interval",
            "Lift test",
            "Verdict on the credit",
            "Probability",
        ],
        table,
        (1, 2, 3, 5, 7),
    )
    report.add("<h3>The five hypotheses</h3>")
    if report.has("fct_hypothesis"):
        known = answers.hypotheses(report.snap, report.brand)
        report.table(
            "From fct_hypothesis",
            ["Hypothesis", "Estimate", "Interval", "Unit", "Verdict", "Probability"],
            [
                [
                    r.statement,
                    fmt.ratio(r.estimate),
                    fmt.interval(r.ci_low, r.ci_high),
                    fmt.text(r.unit),
                    fmt.words(r.verdict),
                    fmt.chance(r.probability),
                ]
                for r in known.itertuples()
            ],
            (1, 5),
        )


def _move(report: Report) -> None:
    report.add("<h2>3. What if we move or add money</h2>")
    if not report.has("fct_budget_scenario", "dim_channel"):
        return
    rows = answers.scenarios(report.snap, report.brand)
    report.table(
        "Plans over the planning horizon, against today's plan; from fct_budget_scenario; intervals are 90 %",
        ["Plan", "Budget", "Change in sales", "Interval", "Chance of a gain", "Caution"],
        [
            [
                answers.scenario_name(r.scenario),
                fmt.money(r.spend_usd),
                fmt.money(r.gain_usd),
                fmt.MISSING if r.scenario == "current" else fmt.interval(r.p05_usd, r.p95_usd, fmt.money),
                fmt.chance(r.probability_of_gain),
                "beyond observed spend" if r.is_extrapolated is True else "",
            ]
            for r in rows.itertuples()
        ],
        (1, 2, 4),
    )
    plan = answers.plan(report.snap, report.brand, "optimal")
    if len(plan):
        report.table(
            "The optimal plan by channel",
            ["Channel", "Today", "Plan", "Change", "Change in sales", "Interval"],
            [
                [
                    r.channel_name,
                    fmt.money(r.current_spend_usd),
                    fmt.money(r.spend_usd),
                    fmt.money(r.spend_change_usd),
                    fmt.money(r.incremental_revenue_usd),
                    fmt.interval(r.p05_usd, r.p95_usd, fmt.money),
                ]
                for r in plan.itertuples()
            ],
            (1, 2, 3, 4),
        )
    if report.snap.has("fct_wasted_spend"):
        waste = answers.wasted(report.snap, report.everything)
        sure = waste[waste.probability_wasted >= 0.9]
        if len(sure):
            report.add(
                f"<p>Spend that surely does not pay (probability of at least 90 %): {escape(fmt.money(sure.wasted_spend_usd.astype(float).sum()))} in {len(sure)} channel and place pairs (fct_wasted_spend).</p>"
            )


def _demand(report: Report) -> None:
    report.add("<h2>4. Demand by place, and the stock at risk</h2>")
    if not report.has("fct_demand_forecast_week"):
        return
    weeks = answers.forecast_weeks(report.snap, report.everything)
    points = [
        (
            f"{pd.Timestamp(r.week_start_date):%-d %b}",
            float(r.p50_units),
            float(r.p10_units),
            float(r.p90_units),
        )
        for r in weeks.itertuples()
    ]
    if points:
        report.add(
            charts.band(points, "Units forecast by week, P50 with the band from P10 to P90", "Units a week")
        )
    places = answers.forecast_places(report.snap, report.everything, 4)
    report.table(
        "The twelve largest places, next four weeks; from fct_demand_forecast_week and fct_stock_risk_week",
        ["Place", "P10", "P50", "P90", "Units likely lost", "Sales at risk"],
        [
            [
                fmt.place(r.place),
                fmt.count(r.p10_units),
                fmt.count(r.p50_units),
                fmt.count(r.p90_units),
                fmt.percent(r.lost_share),
                fmt.money(r.lost_sales_usd),
            ]
            for r in places.head(12).itertuples()
        ],
        (1, 2, 3, 4, 5),
    )
    if report.snap.has("fct_forecast_backtest"):
        best = answers.accuracy(report.snap, report.everything)
        for c in best[best.model == "served"].itertuples():
            report.add(
                f"<p>How good it has been on held-out weeks: median error {escape(fmt.percent(c.wape))} (WAPE), {escape(fmt.percent(c.coverage80))} of weeks inside the 80 % band, over {int(c.tests):,} tests (fct_forecast_backtest).</p>"
            )


def _worked(report: Report) -> None:
    report.add("<h2>5. Did the campaign work, beyond platform claims</h2>")
    if not report.has("fct_geo_lift"):
        return
    rows = answers.lifts(report.snap, report.everything)
    if "is_primary" in rows and rows.is_primary.any():
        rows = rows[rows.is_primary.astype(bool)]
    report.table(
        "Geographic experiments by their primary method; from fct_geo_lift; intervals are 95 %",
        [
            "Experiment",
            "Channel",
            "Method",
            "Lift",
            "Interval",
            "Caused sales",
            "Per dollar",
            "Interval",
            "p",
        ],
        [
            [
                r.experiment_id,
                fmt.text(r.channel_name),
                fmt.words(r.method),
                f"{fmt.ratio(r.lift_pct)} %",
                fmt.interval(r.lift_ci_low, r.lift_ci_high) + " %",
                fmt.money(r.incremental_revenue_usd),
                fmt.ratio(r.iroas),
                fmt.interval(r.iroas_ci_low, r.iroas_ci_high),
                fmt.p_value(r.p_value),
            ]
            for r in rows.itertuples()
        ],
        (3, 5, 6, 8),
    )
    if report.snap.has("fct_geo_lift_series") and len(rows):
        newest = rows.iloc[0]
        series = answers.lift_series(report.snap, report.brand, newest.experiment_id)
        day, quarter = pd.to_datetime(series.date_day), pd.Timedelta(weeks=13)
        series = series[
            (day >= pd.Timestamp(newest.window_start) - quarter) & (day <= pd.Timestamp(newest.window_end))
        ]
        points = [
            (f"{pd.Timestamp(r.date_day):%-d %b}", float(r.counterfactual), float(r.low), float(r.high))
            for r in series.itertuples()
        ]
        if points:
            report.add(
                charts.band(
                    points,
                    f"{newest.experiment_id}: sales in treated places, observed (orange) and expected without the change (blue)",
                    f"{newest.experiment_id}, the test and the quarter before: observed (orange), expected without the change (blue)",
                    [float(v) for v in series.observed],
                )
            )


def _caveats(report: Report) -> None:
    report.add("<h2>Caveats</h2><ul>")
    dates = (
        queries.span(report.snap, report.brand) if report.snap.has("fct_media_daily", "date_day") else None
    )
    if dates:
        start, end = period("launch", *dates)
        report.add(
            f"<li>The launch window is {escape(fmt.day(start))} to {escape(fmt.day(end))}; days after {escape(fmt.day(end))} are not in this report.</li>"
        )
    report.add(
        "<li>The mix model reads cause from variation that nobody randomised; it is calibrated by the experiments above, and channels without enough evidence are marked as not supported.</li>",
        "<li>Platform claims are counted by each platform in its own window, overlap, and do not add up to sales.</li>",
        "<li>Plans beyond the spend that was observed are extrapolations and are marked so.</li>",
    )
    if report.snap.has("dim_model_run", "status", "job"):
        bad = answers.newest_runs(report.snap, report.brand)
        for row in bad[bad.status != "succeeded"].drop_duplicates("job").itertuples():
            report.add(
                f"<li>The newest {escape(str(row.job))} run {escape(str(row.status))}: {escape(fmt.text(row.message))}</li>"
            )
    report.add("</ul>")
