"""Leadership's questions, each answered in one line from the published marts.

Every line has a number, its interval and the mart it comes from; where a folder with the simulated world's truth
is given, the truth stands beside it. A question that the marts cannot answer says so, with the reason.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from settings import Settings


@dataclass(frozen=True)
class Answer:
    """One answered question: what was asked, the line that answers it, its mart, the truth if it is known."""

    question: str
    text: str
    mart: str
    truth: str = ""


class Marts:
    """Read-only questions to a serving copy."""

    def __init__(self, path: Path, brand_id: str) -> None:
        self.path, self.brand_id = path, brand_id
        self._db = duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"})
        self._db.execute("set lock_configuration = true")

    def __enter__(self) -> Marts:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries; the first parameter of every query is the brand."""
        cursor = self._db.execute(sql, [self.brand_id, *parameters])
        names = [d[0] for d in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class Truth:
    """The simulated world's truth, for the demo only: no pipeline code reads it."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def rows(self, name: str) -> list[dict[str, str]]:
        """Rows of a truth file; empty when there is none."""
        path = self.folder / name if self.folder else None
        if path is None or not path.is_file():
            return []
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream))


def answers(serving: Path, brand_id: str, truth: Path | None = None) -> list[Answer]:
    """All answers, in the order in which leadership asks. Never raises for a mart that is empty or absent."""
    known = Truth(truth)
    found = []
    with Marts(serving, brand_id) as marts:
        for question, build in _QUESTIONS:
            try:
                found.append(build(question, marts, known))
            except (duckdb.Error, LookupError, TypeError, ValueError) as error:
                reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                found.append(Answer(question, f"not answered by the published marts ({reason[:120]})", ""))
    return found


def _money(value: float | None) -> str:
    if value is None:
        return "n/a"
    sign = "-" if value < 0 else ""
    size = abs(value)
    return f"{sign}${size / 1e6:,.2f}M" if size >= 1e6 else f"{sign}${size / 1e3:,.0f}k"


def _cost(total: dict[str, Any]) -> str:
    change = float(total["spend_change_usd"] or 0)
    return f"{_money(change)} more, placed where it returns most: " if change > 0 else ""


def _drivers(question: str, marts: Marts, truth: Truth) -> Answer:
    rows = marts.rows(
        "select channel_id, roi, roi_p05, roi_p95, is_supported from marts.fct_channel_roi "
        "where brand_id = ? and window_name = 'launch' order by contribution_usd desc"
    )
    if not rows:
        raise LookupError("fct_channel_roi has no rows for the launch")
    strong = [r for r in rows if r["is_supported"]][:4]
    weak = [r["channel_id"] for r in rows if not r["is_supported"]]
    parts = [f"{r['channel_id']} {r['roi']:.2f} [{r['roi_p05']:.2f}, {r['roi_p95']:.2f}]" for r in strong]
    text = "return per $1 (90 % interval): " + (", ".join(parts) or "no channel is supported by the data")
    if weak:
        text += f"; not supported by the data: {', '.join(weak)}"
    real = {r["channel"]: r for r in truth.rows("channel.csv")}
    beside = ", ".join(
        f"{r['channel_id']} {float(real[r['channel_id']].get('launch_roi') or real[r['channel_id']]['roi']):.2f}"
        for r in strong
        if r["channel_id"] in real
    )
    return Answer(question, text, "fct_channel_roi", beside)


def _credit(question: str, marts: Marts, truth: Truth) -> Answer:
    rows = marts.rows(
        "select channel_id, source, roas, roas_low, roas_high, verdict, verdict_probability "
        "from marts.fct_channel_evidence where brand_id = ? and channel_id in "
        "('meta_retargeting', 'ctv_other', 'youtube') and source in ('last_touch', 'mmm')"
    )
    by = {(r["channel_id"], r["source"]): r for r in rows}
    if not by:
        raise LookupError("fct_channel_evidence has no rows")
    parts = []
    for channel in ("meta_retargeting", "ctv_other", "youtube"):
        last, mmm = by.get((channel, "last_touch")), by.get((channel, "mmm"))
        if not last or not mmm or last["roas"] is None or mmm["roas"] is None:
            parts.append(f"{channel}: not enough evidence")
            continue
        chance = mmm["verdict_probability"]
        said = (mmm["verdict"] or "undetermined").replace("_", "-")
        parts.append(
            f"{channel} {said}{f' (p {chance:.2f})' if chance is not None else ''}: last touch {last['roas']:.2f}, "
            f"incremental {mmm['roas']:.2f} [{mmm['roas_low']:.2f}, {mmm['roas_high']:.2f}] per $1"
        )
    real = {r["channel"]: r for r in truth.rows("channel.csv")}
    beside = ", ".join(
        f"{c} {float(real[c].get('launch_roi') or real[c]['roi']):.2f}"
        for c in ("meta_retargeting", "ctv_other", "youtube")
        if c in real
    )
    return Answer(question, "; ".join(parts), "fct_channel_evidence", beside)


def _scenario(scenario: str) -> Callable[[str, Marts, Truth], Answer]:
    def build(question: str, marts: Marts, truth: Truth) -> Answer:
        rows = marts.rows(
            "select channel_id, spend_usd, spend_change_usd, incremental_revenue_usd, p05_usd, p95_usd, "
            "probability_of_gain, is_extrapolated, horizon_weeks from marts.fct_budget_scenario where brand_id = ? and scenario = ?",
            scenario,
        )
        totals = [r for r in rows if r["channel_id"] == "all"]
        moved = [r for r in rows if r["channel_id"] != "all" and abs(r["spend_change_usd"] or 0) > 0.005]
        if not totals:
            raise LookupError(f"fct_budget_scenario has no total for {scenario}")
        total = totals[0]
        changes = sorted(moved, key=lambda r: r["spend_change_usd"])
        ends = [changes[0], changes[-1]] if scenario.startswith("move") and len(changes) > 1 else []
        beyond = ", ".join(r["channel_id"] for r in rows if r["is_extrapolated"] and r["channel_id"] != "all")
        where = "; ".join(f"{r['channel_id']} {_money(float(r['spend_change_usd']))}" for r in ends)
        chance = total["probability_of_gain"]
        text = (
            f"{_cost(total)}{_money(float(total['incremental_revenue_usd']))} revenue against the current plan "
            f"[{_money(float(total['p05_usd']))}, {_money(float(total['p95_usd']))}]"
            f"{f', probability of a gain {chance:.2f}' if chance is not None else ''}"
            f"{f' ({where})' if where else ''}"
            f"{f'; beyond observed spend for {beyond}' if beyond else ''}"
        )
        return Answer(question, text, "fct_budget_scenario", _planned_truth(moved, truth))

    return build


def _planned_truth(changes: list[dict[str, Any]], truth: Truth) -> str:
    """What the plan's changes truly bring, by each channel's own response at the launch's intensity; what carryover
    brings after the plan's weeks counts, as it does in the plan."""
    curves: dict[str, list[dict[str, str]]] = {}
    for row in truth.rows("response.csv"):
        curves.setdefault(row["channel"], []).append(row)
    if not changes or not all(r["channel_id"] in curves for r in changes):
        return ""
    gain = 0.0
    for row in changes:
        curve = curves[row["channel_id"]]
        spend = [float(r["launch_spend"]) for r in curve]
        brings = [
            float(r["launch_contribution"]) + float(r.get("launch_tail_contribution") or 0.0) for r in curve
        ]
        weeks = float(curve[0]["launch_weeks"]) / float(row["horizon_weeks"])
        planned = float(row["spend_usd"])
        before = planned - float(row["spend_change_usd"])
        gain += float(np.diff(np.interp([before * weeks, planned * weeks], spend, brings))[0]) / weeks
    return f"{_money(gain)}, by the launch's own response"


#: How soon a shelf must run empty to be named: before the next order can arrive, and before the one after it.
RISK_WEEKS = (2, 4)


def _at_risk(marts: Marts, weeks: int) -> dict[str, Any]:
    """Places, those more likely than not to run out within ``weeks``, and the sales that they would lose (USD)."""
    return marts.rows(
        "select count(*) as places, sum(case when chance >= 0.5 then 1 else 0 end) as empty, "
        "sum(case when chance >= 0.5 then lost_sales_usd else 0 end) as lost from ("
        "select dma_id, retailer_id, max(probability_stockout) as chance, sum(lost_sales_usd) as lost_sales_usd "
        "from (select *, dense_rank() over (order by week_start_date) as week from marts.fct_stock_risk_week "
        "where brand_id = ?) as risk where week <= cast(? as integer) group by 1, 2) as place",
        weeks,
    )[0]


def _demand(question: str, marts: Marts, truth: Truth) -> Answer:
    demand = marts.rows(
        "select min(week_start_date) as first_week, max(week_start_date) as last_week, count(distinct dma_id) as dmas, "
        "sum(p50_units) as units from marts.fct_demand_forecast_week "
        "where brand_id = ? and level = 'dma_retailer'"
    )[0]
    nation = marts.rows(
        "select sum(p10_units) as low, sum(p90_units) as high from marts.fct_demand_forecast_week "
        "where brand_id = ? and level = 'nation'"
    )[0]
    risk = {weeks: _at_risk(marts, weeks) for weeks in RISK_WEEKS}
    if demand["units"] is None:
        raise LookupError("fct_demand_forecast_week has no rows")
    between = (
        f" [{nation['low']:,.0f}, {nation['high']:,.0f}] (80 %, the weeks' bounds added)"
        if nation["low"] is not None
        else ""
    )
    soon, later = (
        f"{r['empty']} of {r['places']} DMA x retailer places ({_money(float(r['lost'] or 0))} of sales at stake)"
        for r in risk.values()
    )
    text = (
        f"{demand['units']:,.0f} units{between} over {demand['dmas']} DMAs, weeks of {demand['first_week']} to "
        f"{demand['last_week']}; with no further delivery more likely than not to run out: {soon} within "
        f"{RISK_WEEKS[0]} weeks, {later} within {RISK_WEEKS[1]}"
    )
    return Answer(question, text, "fct_demand_forecast_week, fct_stock_risk_week")


def _worked(question: str, marts: Marts, truth: Truth) -> Answer:
    rows = marts.rows(
        "select channel_id, lift_pct, lift_ci_low, lift_ci_high, p_value, iroas, iroas_ci_low, iroas_ci_high, "
        "experiment_id, kind from marts.fct_geo_lift where brand_id = ? and is_primary "
        "order by window_end desc, experiment_id"
    )
    claims = marts.rows(
        "select sum(platform_value_usd) as claimed from marts.fct_media_week where brand_id = ? and week_start_date >= "
        "(select min(window_start) from marts.fct_channel_roi where brand_id = ? and window_name = 'launch')",
        marts.brand_id,
    )[0]["claimed"]
    measured = marts.rows(
        "select sum(contribution_usd) as value, sum(spend_usd) as spend from marts.fct_channel_roi "
        "where brand_id = ? and window_name = 'launch'"
    )[0]
    if not rows:
        raise LookupError("fct_geo_lift has no experiment")
    test = rows[0]
    text = (
        f"geo {test['kind']} test of {test['channel_id']}: {test['lift_pct']:+.2f} % of sales [{test['lift_ci_low']:.2f}, "
        f"{test['lift_ci_high']:.2f}], p {test['p_value']:.3f}"
    )
    if test["iroas"] is not None:
        text += f", iROAS {test['iroas']:.2f} [{test['iroas_ci_low']:.2f}, {test['iroas_ci_high']:.2f}]"
    text += " (95 % intervals)"
    if claims and measured["value"]:
        text += (
            f"; platforms claim {_money(float(claims))}, the model measures {_money(float(measured['value']))} "
            f"for {_money(float(measured['spend']))} of spend"
        )
    real = [r for r in truth.rows("lift.csv") if r.get("experiment_id") == test["experiment_id"]]
    beside = "; ".join(f"lift {float(r['lift_pct']):+.2f} %, iROAS {float(r['iroas']):.2f}" for r in real)
    return Answer(question, text, "fct_geo_lift, fct_media_week, fct_channel_roi", beside)


_QUESTIONS: tuple[tuple[str, Callable[[str, Marts, Truth], Answer]], ...] = (
    ("Which channels truly drive purchases?", _drivers),
    ("Is retargeting over-credited, CTV and YouTube under-credited?", _credit),
    ("What happens if $5M moves?", _scenario("move_5m")),
    ("What does +10 % budget bring?", _scenario("plus_10pct")),
    ("What is demand by DMA, and which stock is at risk?", _demand),
    ("Did the campaign work, beyond platform claims?", _worked),
)


def print_answers(settings: Settings, truth: Path | None = None) -> None:
    """Print every answer with its mart and, where known, the truth."""
    print("\nThe answers (90 % intervals unless said otherwise)")
    for number, answer in enumerate(answers(settings.serving_path, settings.brand_id, truth), 1):
        print(f"\n{number}. {answer.question}\n   {answer.text}")
        if answer.truth:
            print(f"   truth of the made-up world: {answer.truth}")
        if answer.mart:
            print(f"   from {answer.mart}")
