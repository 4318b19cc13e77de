"""Puts the report together from one pinned version of the published marts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from dashboard import answers, queries
from dashboard import format as fmt
from dashboard.filters import Filters, period
from dashboard.reader import Reader, Snapshot
from report import charts
from report.charts import Mark
from serving.answers import Answer
from serving.answers import answers as leadership_answers

STYLE = """
:root{color-scheme:light}body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;color:#1A2230;background:#fff;margin:0}
main{max-width:960px;margin:0 auto;padding:2rem 1.2rem 4rem}h1{font-size:1.9rem;line-height:1.2;margin:.2rem 0 .6rem}
h2{font-size:1.3rem;margin:2.4rem 0 .5rem;border-top:2px solid #1A2230;padding-top:.8rem}p{margin:.5rem 0}.meta{color:#50607A;font-size:.9rem}
.lead{font-size:1.08rem}table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums;margin:.6rem 0}
caption{text-align:left;color:#50607A;font-size:.82rem;padding-bottom:.3rem}th,td{padding:.32rem .5rem;border-bottom:1px solid #DDE2E8;text-align:left;vertical-align:top}
thead th{border-bottom:2px solid #8A94A3}.n{text-align:right;white-space:nowrap}.wrap{overflow-x:auto}svg{width:100%;height:auto;margin:.4rem 0}
.answer{border-left:4px solid #0072B2;background:#F3F7FB;padding:.6rem .9rem;margin:.5rem 0;border-radius:4px}.answer b{display:block}
.truth{color:#00654A;font-size:.92rem}.note{border-left:4px solid #B36B00;background:#FBF6EE;padding:.5rem .9rem;border-radius:4px;font-size:.92rem}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}table,svg,.answer{break-inside:avoid}}
"""


class Report:
    """Collects the page; every section says where its numbers come from, or why they are missing."""

    def __init__(self, snap: Snapshot, brand_id: str, truth: Path | None) -> None:
        self.snap, self.brand, self.truth = snap, brand_id, truth
        self.parts: list[str] = []
        self.everything = Filters(brand_id, date.min, date.max)

    def add(self, *html: str) -> None:
        self.parts.extend(html)

    def has(self, *tables: str) -> bool:
        """Whether all marts hold rows of this brand; notes the gap in the page otherwise."""
        for table in tables:
            keyed = self.snap.has(table, "brand_id")
            where, values = ("where brand_id = ?", [self.brand]) if keyed else ("", [])
            if not self.snap.has(table) or not self.snap.value(
                f"select count(*) from marts.{table} {where}", values
            ):
                self.add(
                    f'<p class="note">{escape(table)} holds no rows in this version, so this part has no answer yet.</p>'
                )
                return False
        return True

    def table(
        self, caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], numeric: Sequence[int] = ()
    ) -> None:
        def cell(i: int, value: Any, tag: str = "td") -> str:
            return f"<{tag}{' class=n' if i in numeric else ''}>{escape(str(value))}</{tag}>"

        head = "".join(cell(i, h, "th") for i, h in enumerate(heads))
        body = "".join(f"<tr>{''.join(cell(i, v) for i, v in enumerate(row))}</tr>" for row in rows)
        self.add(
            f'<div class="wrap"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )


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
            return _page(report)
    finally:
        reader.close()


def _page(report: Report) -> str:
    version = report.snap.version
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Leadership report, {escape(fmt.day(version.as_of_date))}</title><style>{STYLE}</style></head><body><main>"
        f"{''.join(report.parts)}</main></body></html>\n"
    )


def _opening(report: Report) -> None:
    version = report.snap.version
    report.add(
        "<h1>What our advertising really sells</h1>",
        f'<p class="meta">Data to {escape(fmt.day(version.as_of_date))} · {escape(version.label)} · code {escape(fmt.text(version.code_version))} · brand {escape(report.brand)}</p>',
        '<p class="lead">The questions that leadership asks, answered from the published marts. Each answer carries its interval and the mart it comes from.</p>',
    )
    for answer in _leadership(report):
        source = f' <span class="meta">({escape(answer.mart)})</span>' if answer.mart else ""
        truth = (
            f'<span class="truth">Truth in the simulated world: {escape(answer.truth)}</span>'
            if answer.truth
            else ""
        )
        report.add(
            f'<div class="answer"><b>{escape(answer.question)}</b>{escape(answer.text)}{source} {truth}</div>'
        )


def _leadership(report: Report) -> list[Answer]:
    """The leadership's answers over the very version that the report has pinned, through a link of their own.

    DuckDB opens one path with one configuration per process, so the second reader needs a second name.
    """
    own = report.snap.path.with_suffix(".answers.duckdb")
    own.unlink(missing_ok=True)
    os.link(report.snap.path, own)
    try:
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
                fmt.percent(first.verdict_probability),
            ]
        )
    report.add(charts.rows(items, "Sales per dollar: claimed, attributed, and caused", "Sales per dollar"))
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
                    fmt.percent(r.probability),
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
                fmt.percent(r.probability_of_gain),
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
        ["Place", "P10", "P50", "P90", "Run out", "Sales at risk"],
        [
            [
                fmt.place(r.place),
                fmt.count(r.p10_units),
                fmt.count(r.p50_units),
                fmt.count(r.p90_units),
                fmt.percent(r.probability_stockout),
                fmt.money(r.lost_sales_usd),
            ]
            for r in places.head(12).itertuples()
        ],
        (1, 2, 3, 4, 5),
    )
    if report.snap.has("fct_forecast_backtest"):
        best = answers.accuracy(report.snap, report.everything)
        champion = best[best.is_champion.astype(bool)].head(1)
        if len(champion):
            c = champion.iloc[0]
            report.add(
                f"<p>How good it has been on held-out weeks: median error {escape(fmt.percent(c.wape))} (WAPE), {escape(fmt.percent(c.coverage80))} of weeks inside the 80 % band, over {int(c.tests):,} tests (fct_forecast_backtest).</p>"
            )


def _worked(report: Report) -> None:
    report.add("<h2>5. Did the campaign work, beyond platform claims</h2>")
    if not report.has("fct_geo_lift"):
        return
    rows = answers.lifts(report.snap, report.everything)
    report.table(
        "Geographic experiments; from fct_geo_lift; intervals are 95 %",
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
                fmt.MISSING if fmt.missing(r.p_value) else f"{r.p_value:.3f}",
            ]
            for r in rows.itertuples()
        ],
        (3, 5, 6, 8),
    )
    if report.snap.has("fct_geo_lift_series") and len(rows):
        series = answers.lift_series(report.snap, report.brand, rows.experiment_id.iloc[0])
        points = [
            (f"{pd.Timestamp(r.date_day):%-d %b}", float(r.counterfactual), float(r.low), float(r.high))
            for r in series.itertuples()
        ]
        if points:
            report.add(
                charts.band(
                    points,
                    "Sales in treated places: observed in orange, without the campaign in blue",
                    "Sales: observed (orange), without the campaign (blue)",
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
            f"<li>The launch window is {escape(fmt.day(start))} to {escape(fmt.day(end))}; days after {escape(fmt.day(end + timedelta(days=0)))} are not in this report.</li>"
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
