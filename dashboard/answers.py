"""Questions to the marts that hold model answers: evidence, ROI, scenarios, forecasts, stock, segments."""

from __future__ import annotations

import pandas as pd

from dashboard.filters import Filters
from dashboard.reader import Snapshot

SOURCE_NAMES = {
    "platform_claim": "Platform claim",
    "last_touch": "Last touch",
    "first_touch": "First touch",
    "linear": "Linear",
    "time_decay": "Time decay",
    "position_based": "Position based",
    "markov": "Markov",
    "shapley": "Shapley",
    "mmm": "MMM",
    "lift": "Lift test",
}
SCENARIO_NAMES = {
    "current": "Current plan",
    "optimal": "Optimal plan",
    "plus_10pct": "Budget +10 %",
    "minus_10pct": "Budget −10 %",
    "move_5m": "Move $5M",
    "custom": "Custom",
}


def scenario_name(scenario: str) -> str:
    if scenario.startswith("dark_"):
        return f"Without {scenario.removeprefix('dark_').replace('_', ' ')}"
    return SCENARIO_NAMES.get(scenario, scenario.replace("_", " "))


def evidence(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Every answer about each channel, side by side: claim, last touch, attribution models, MMM, lift."""
    where, values = f.where("channel_id", time=None)
    return snap.frame(
        f"select c.channel_name, c.channel_group, e.* from (select * from marts.fct_channel_evidence where {where}) e "
        "left join marts.dim_channel c using (channel_id) order by c.channel_group, c.channel_name, e.source",
        values,
    )


def roi(snap: Snapshot, f: Filters, window: str) -> pd.DataFrame:
    """Incremental return per channel with its interval, for one window (``history`` or ``launch``)."""
    where, values = f.where("channel_id", time=None)
    named = " and window_name = ?" if snap.has("fct_channel_roi", "window_name") else ""
    return snap.frame(
        f"select c.channel_name, c.channel_group, r.* from (select * from marts.fct_channel_roi where {where}{named}) r "
        "left join marts.dim_channel c using (channel_id) order by r.roi desc, r.channel_id",
        [*values, *([window] if named else [])],
    )


def contribution_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Modelled revenue by week and component group, national; components of a week add up to fitted revenue."""
    where, values = f.where(time="week_start_date")
    national = snap.value(
        f"select count(*) from marts.fct_mmm_contribution_week where {where} and dma_id = '000'", values
    )
    place = "and dma_id = '000'" if national else "and dma_id <> '000'"
    return snap.frame(
        "select week_start_date, case when component_kind = 'channel' then coalesce(c.channel_group, 'control') "
        "else component_kind end as grp, sum(revenue_usd) as revenue_usd from "
        f"(select * from marts.fct_mmm_contribution_week where {where} {place}) m "
        "left join marts.dim_channel c on c.channel_id = m.component group by 1, 2 order by 1, 2",
        values,
    )


def curves(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("channel_id", time=None)
    return snap.frame(
        "select c.channel_name, r.* from (select channel_id, spend_per_week_usd, incremental_revenue_usd, p05_usd, p95_usd, "
        f"is_observed, run_id from marts.fct_response_curve where {where}) r left join marts.dim_channel c using (channel_id) "
        "order by r.channel_id, r.spend_per_week_usd",
        values,
    )


def scenarios(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    """One row per scenario. The interval comes from the scenario's own total row where the mart has one."""
    rows = snap.frame(
        "select scenario, sum(spend_usd) as spend_usd, sum(spend_change_usd) as spend_change_usd, "
        "sum(incremental_revenue_usd) as incremental_revenue_usd, max(probability_of_gain) as probability_of_gain, "
        "bool_or(is_extrapolated) as is_extrapolated, count(*) as channels "
        "from marts.fct_budget_scenario where brand_id = ? group by 1",
        [brand_id],
    )
    base = rows.loc[rows.scenario == "current", "incremental_revenue_usd"]
    rows["gain_usd"] = rows.incremental_revenue_usd - (float(base.iloc[0]) if len(base) else float("nan"))
    order = {name: i for i, name in enumerate(SCENARIO_NAMES)}
    rows["rank"] = rows.scenario.map(lambda s: order.get(s, 50))
    return rows.sort_values(["rank", "scenario"], ignore_index=True).drop(columns="rank")


def plan(snap: Snapshot, brand_id: str, scenario: str) -> pd.DataFrame:
    """A scenario by channel beside the current plan."""
    return snap.frame(
        "select c.channel_name, c.channel_group, s.channel_id, b.spend_usd as current_spend_usd, s.spend_usd, s.spend_change_usd, "
        "s.incremental_revenue_usd, s.p05_usd, s.p95_usd, s.probability_of_gain, s.is_extrapolated, s.run_id "
        "from marts.fct_budget_scenario s left join marts.fct_budget_scenario b on b.brand_id = s.brand_id "
        "and b.channel_id = s.channel_id and b.scenario = 'current' left join marts.dim_channel c on c.channel_id = s.channel_id "
        "where s.brand_id = ? and s.scenario = ? order by s.spend_usd desc, s.channel_id",
        [brand_id, scenario],
    )


def hypotheses(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    return snap.frame(
        "select * from marts.fct_hypothesis where brand_id = ? order by hypothesis_id", [brand_id]
    )


def lifts(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("channel_id", time=None)
    return snap.frame(
        f"select c.channel_name, g.* from (select * from marts.fct_geo_lift where {where}) g left join marts.dim_channel c "
        "using (channel_id) order by g.window_start desc, g.experiment_id, g.method",
        values,
    )


def lift_series(snap: Snapshot, brand_id: str, experiment: str) -> pd.DataFrame:
    return snap.frame(
        "select date_day, observed, counterfactual, low, high from marts.fct_geo_lift_series "
        "where brand_id = ? and experiment_id = ? order by date_day",
        [brand_id, experiment],
    )


def _leaf(snap: Snapshot, f: Filters) -> tuple[str, list[object]]:
    """Rows of the forecast at place x retailer, product 'all', from the newest run."""
    where, values = f.where("retailer_id", "dma_id", time=None)
    where += " and product_id = 'all' and dma_id not in ('000', 'all') and retailer_id <> 'all'"
    return where, values


def forecast_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Forecast units by week, summed over the view (P50 and mean add up; a sum of P10s is wider than the P10 of the sum)."""
    where, values = _leaf(snap, f)
    return snap.frame(
        "select week_start_date, sum(p10_units) as p10_units, sum(p50_units) as p50_units, sum(p90_units) as p90_units, "
        f"sum(mean_units) as mean_units from marts.fct_demand_forecast_week where {where} group by 1 order by 1",
        values,
    )


def forecast_places(snap: Snapshot, f: Filters, weeks: int) -> pd.DataFrame:
    """Forecast and stock risk by place over the next ``weeks`` weeks."""
    where, values = _leaf(snap, f)
    risk_where, risk_values = f.where("retailer_id", "dma_id", time=None)
    has_risk = snap.has("fct_stock_risk_week", "probability_stockout")
    risk = (
        f"select dma_id, max(probability_stockout) as probability_stockout, sum(lost_sales_usd) as lost_sales_usd "
        f"from marts.fct_stock_risk_week where {risk_where} group by 1"
        if has_risk
        else "select null::varchar as dma_id, null::double as probability_stockout, null::double as lost_sales_usd"
    )
    return snap.frame(
        "with n as (select dma_id, sum(p10_units) as p10_units, sum(p50_units) as p50_units, sum(p90_units) as p90_units, "
        f"sum(mean_units) as mean_units from marts.fct_demand_forecast_week where {where} and horizon_week <= ? group by 1), "
        f"r as ({risk}) select coalesce(d.dma_name, n.dma_id) as place, n.*, r.probability_stockout, r.lost_sales_usd from n "
        "left join r using (dma_id) left join marts.dim_dma d using (dma_id) order by p50_units desc",
        [*values, weeks, *(risk_values if has_risk else [])],
    )


def stock_risk(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Products most likely to run out or to pile up, worst first, for the next week on hand."""
    where, values = f.where("retailer_id", "dma_id", time=None)
    return snap.frame(
        "select coalesce(d.dma_name, s.dma_id) as place, coalesce(r.retailer_name, s.retailer_id) as retailer, s.* "
        f"from (select * from marts.fct_stock_risk_week where {where}) s left join marts.dim_dma d using (dma_id) "
        "left join marts.dim_retailer r using (retailer_id) "
        "order by s.lost_sales_usd desc nulls last, s.probability_stockout desc, s.dma_id, s.retailer_id, s.product_id",
        values,
    )


def accuracy(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Backtest by model: median errors over series and cut-offs, and the mean share inside the 80 % band."""
    where, values = f.where("retailer_id", "dma_id", time=None)
    return snap.frame(
        "select model, bool_or(is_champion) as is_champion, count(*) as tests, median(wape) as wape, median(mase) as mase, "
        f"median(pinball) as pinball, avg(coverage80) as coverage80 from marts.fct_forecast_backtest where {where} group by 1 "
        "order by wape, model",
        values,
    )


def wasted(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("channel_id", "dma_id", time=None)
    return snap.frame(
        "select c.channel_name, coalesce(d.dma_name, w.dma_id) as place, w.* "
        f"from (select * from marts.fct_wasted_spend where {where}) w left join marts.dim_channel c using (channel_id) "
        "left join marts.dim_dma d using (dma_id) order by w.wasted_spend_usd desc nulls last, w.channel_id, w.dma_id",
        values,
    )


def segments(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    where = "where brand_id = ?" if snap.has("dim_segment", "brand_id") else ""
    return snap.frame(
        f"select * from marts.dim_segment {where} order by customers desc", [brand_id] if where else []
    )


def segment_response(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("channel_id", time=None)
    return snap.frame(
        "select coalesce(s.segment_name, e.segment_id) as segment, coalesce(c.channel_name, e.channel_id) as channel_name, e.* "
        f"from (select * from marts.fct_segment_response where {where}) e "
        "left join (select distinct segment_id, segment_name from marts.dim_segment) s using (segment_id) "
        "left join marts.dim_channel c using (channel_id) order by segment, channel_name",
        values,
    )


def alerts(snap: Snapshot, brand_id: str, *, open_only: bool = True) -> pd.DataFrame:
    where = "and status <> 'resolved'" if open_only else ""
    return snap.frame(
        f"select * from marts.fct_alert where brand_id = ? {where} order by case status when 'open' then 0 else 1 end, "
        "case severity when 'critical' then 0 when 'warning' then 1 else 2 end, expected_value_usd desc nulls last, alert_id",
        [brand_id],
    )


def runs(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    """Model runs, newest first."""
    return snap.frame(
        "select * from marts.dim_model_run where brand_id = ? order by recorded_seq desc, job", [brand_id]
    )


def newest_runs(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    """The newest attempt of each job beside the run that is served (the newest that succeeded)."""
    return snap.frame(
        "with r as (select *, row_number() over (partition by job, unit order by recorded_seq desc) as n from marts.dim_model_run where brand_id = ?), "
        "good as (select job, unit, run_id as served_run_id, as_of_date as served_as_of, code_version as served_code from "
        "(select *, row_number() over (partition by job, unit order by as_of_date desc, recorded_seq desc) as g from r where status = 'succeeded') where g = 1) "
        "select r.*, good.served_run_id, good.served_as_of from r left join good using (job, unit) where n = 1 order by job, unit",
        [brand_id],
    )
