"""Questions to the marts that hold model answers: evidence, ROI, scenarios, forecasts, stock, segments."""

from __future__ import annotations

import pandas as pd

from dashboard import queries
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


def _named(
    snap: Snapshot,
    table: str,
    f: Filters,
    narrows: tuple[str, ...],
    order: str,
    *,
    select: str = "*",
    also: str = "",
    values: tuple[object, ...] = (),
) -> pd.DataFrame:
    """Rows of one output mart in the view (and where ``also`` holds), with the names that its ids bring."""
    where, bound = f.where(*narrows, time=None)
    columns, joins = queries.named(narrows)
    return snap.frame(
        f"with s as (select {select} from marts.{table} where {where}{also}) select {columns} from s {joins} order by {order}",
        [*bound, *values],
    )


def evidence(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Every answer about each channel, side by side: claim, last touch, attribution models, MMM, lift."""
    return _named(
        snap,
        "fct_channel_evidence",
        f,
        ("channel_id",),
        "channel_group, channel_name, source",
    )


def roi(snap: Snapshot, f: Filters, window: str) -> pd.DataFrame:
    """Incremental return per channel with its interval, for one window (``history`` or ``launch``)."""
    return _named(
        snap,
        "fct_channel_roi",
        f,
        ("channel_id",),
        "roi desc, channel_id",
        also=" and window_name = ?",
        values=(window,),
    )


def contribution_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Modelled revenue by week and component group, national; components of a week add up to fitted revenue."""
    where, values = f.where(time="week_start_date")
    return snap.frame(
        "with m as (select * from marts.fct_mmm_contribution_week where " + where + "), "
        "n as (select * from m where (dma_id = '000') = (select bool_or(dma_id = '000') from m)) "
        "select week_start_date, case when component_kind = 'channel' then coalesce(c.channel_group, 'control') "
        "else component_kind end as grp, sum(revenue_usd)::double as revenue_usd from n "
        "left join marts.dim_channel c on c.channel_id = n.component group by 1, 2 order by 1, 2",
        values,
    )


def curves(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Response curves: weekly sales caused, with interval, at levels of weekly spend."""
    return _named(
        snap,
        "fct_response_curve",
        f,
        ("channel_id",),
        "channel_id, spend_per_week_usd",
        select="channel_id, spend_per_week_usd, incremental_revenue_usd, p05_usd, p95_usd, is_observed, run_id",
    )


def scenarios(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    """One row per scenario: the mart's own total row (channel 'all').

    ``incremental_revenue_usd`` is the sales caused under today's plan for ``current``, and the change against
    today's plan (with its interval) for every other scenario.
    """
    rows = snap.frame(
        "select t.scenario, t.spend_usd, t.spend_change_usd, t.incremental_revenue_usd, t.p05_usd, t.p95_usd, "
        "t.probability_of_gain, d.is_extrapolated, d.channels, t.run_id, "
        "case when t.scenario = 'current' then null else t.incremental_revenue_usd end as gain_usd "
        "from marts.fct_budget_scenario t left join (select scenario, bool_or(is_extrapolated) as is_extrapolated, count(*) as channels "
        "from marts.fct_budget_scenario where brand_id = ? and channel_id <> 'all' group by 1) d using (scenario) "
        "where t.brand_id = ? and t.channel_id = 'all'",
        [brand_id, brand_id],
    )
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
        "where s.brand_id = ? and s.scenario = ? and s.channel_id <> 'all' order by s.spend_usd desc, s.channel_id",
        [brand_id, scenario],
    )


def every_plan(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    """All stored plans by channel, as the what-if reads them."""
    return snap.frame(
        "select scenario, channel_id, spend_usd::double as spend_usd, incremental_revenue_usd::double as incremental_revenue_usd, "
        "horizon_weeks from marts.fct_budget_scenario where brand_id = ? and channel_id <> 'all' order by scenario, channel_id",
        [brand_id],
    )


def hypotheses(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    """The five working hypotheses with estimate, interval and verdict."""
    return snap.frame(
        "select * from marts.fct_hypothesis where brand_id = ? order by hypothesis_id", [brand_id]
    )


def lifts(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Geographic experiments, newest first; the primary method of each before its comparisons."""
    return _named(
        snap, "fct_geo_lift", f, ("channel_id",), "window_start desc, experiment_id, is_primary desc, method"
    )


def lift_series(snap: Snapshot, brand_id: str, experiment: str) -> pd.DataFrame:
    """Observed and counterfactual sales of an experiment by day."""
    return snap.frame(
        "select date_day, observed::double as observed, counterfactual::double as counterfactual, low::double as low, "
        "high::double as high from marts.fct_geo_lift_series where brand_id = ? and experiment_id = ? order by date_day",
        [brand_id, experiment],
    )


def mediation(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Sales caused by a channel directly and by way of a mediator (brand search), USD over the model's window."""
    rows = _named(snap, "fct_mediation", f, ("channel_id",), "mediator, channel_id")
    names = queries.options(snap, f.brand_id)["channel"]
    return rows.assign(through=[names.get(m, m) for m in rows.mediator])


def _leaf(snap: Snapshot, f: Filters) -> tuple[str, list[object]]:
    """Rows of the forecast at place x retailer."""
    where, values = f.where("retailer_id", "dma_id", time=None)
    return where + " and level = 'dma_retailer'", values


def forecast_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Forecast units by week over the view.

    Without a filter on places the mart's own totals are read (nation, or retailer), whose band is that of the sum.
    A chosen set of places is summed over its series; the sum of P10s and P90s is wider than the band of the sum.
    """
    where, values = _leaf(snap, f)
    if not f.dmas:
        level, extra = (
            ("nation", "")
            if not f.retailers
            else ("retailer", " and retailer_id in (" + ", ".join("?" * len(f.retailers)) + ")")
        )
        total = f"brand_id = ? and level = '{level}'{extra}"
        chosen = [f.brand_id, *f.retailers]
        if len(f.retailers) <= 1 and snap.value(
            f"select count(*) from marts.fct_demand_forecast_week where {total}", chosen
        ):
            where, values = total, chosen
    return snap.frame(
        "select week_start_date, sum(p10_units) as p10_units, sum(p50_units) as p50_units, sum(p90_units) as p90_units, "
        f"sum(mean_units) as mean_units from marts.fct_demand_forecast_week where {where} group by 1 order by 1",
        values,
    )


def forecast_places(snap: Snapshot, f: Filters, weeks: int) -> pd.DataFrame:
    """Forecast and stock risk by place over the next ``weeks`` weeks; ``lost_share`` is units lost of units forecast."""
    where, values = _leaf(snap, f)
    rows = snap.frame(
        "with n as (select dma_id, sum(p10_units) as p10_units, sum(p50_units) as p50_units, sum(p90_units) as p90_units, "
        f"sum(mean_units) as mean_units from marts.fct_demand_forecast_week where {where} and horizon_week <= ? group by 1) "
        "select coalesce(d.dma_name, n.dma_id) as place, n.* from n left join marts.dim_dma d using (dma_id) order by p50_units desc, dma_id",
        [*values, weeks],
    )
    if not snap.has("fct_stock_risk_week", "probability_stockout"):
        return rows.assign(
            probability_stockout=float("nan"), lost_sales_usd=float("nan"), lost_share=float("nan")
        )
    risk = (
        stock_risk(snap, f, weeks)
        .groupby("dma_id", as_index=False)
        .agg(
            probability_stockout=("probability_stockout", "max"),
            lost_units=("lost_units", "sum"),
            lost_sales_usd=("lost_sales_usd", "sum"),
        )
    )
    rows = rows.merge(risk, on="dma_id", how="left")
    return rows.assign(
        lost_share=rows.lost_units.astype(float) / rows.p50_units.astype(float).where(rows.p50_units > 0)
    )


def stock_risk(snap: Snapshot, f: Filters, weeks: int = 4) -> pd.DataFrame:
    """One row per item (place, retailer, product) over the next ``weeks`` weeks, costliest first.

    The chance to run out is cumulative over the weeks, so its highest value is the chance by the last of them;
    lost units and sales add up; stock, supply and the suggested order are those of now.
    """
    where, values = f.where("retailer_id", "dma_id", time=None)
    return snap.frame(
        f"with s as (select *, dense_rank() over (order by week_start_date) as ahead from marts.fct_stock_risk_week where {where}), "
        "i as (select dma_id, retailer_id, product_id, arg_min(on_hand_units, week_start_date) as on_hand_units, "
        "arg_min(weeks_of_supply, week_start_date) as weeks_of_supply, max(probability_stockout) as probability_stockout, "
        "max(probability_overstock) as probability_overstock, sum(lost_units) as lost_units, sum(lost_sales_usd) as lost_sales_usd, "
        "arg_min(suggested_order_units, week_start_date) as suggested_order_units, arg_min(suggestion, week_start_date) as suggestion, "
        "any_value(run_id) as run_id from s where ahead <= ? group by 1, 2, 3) "
        "select coalesce(d.dma_name, i.dma_id) as place, coalesce(r.retailer_name, i.retailer_id) as retailer, i.* from i "
        "left join marts.dim_dma d using (dma_id) left join marts.dim_retailer r using (retailer_id) "
        "order by i.lost_sales_usd desc nulls last, i.probability_stockout desc, i.dma_id, i.retailer_id, i.product_id",
        [*values, weeks],
    )


def accuracy(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Backtest by model over series below the nation: median errors, mean share inside the 80 % band, series served.

    The first row (``model`` 'served') is what is served: each series' champion.
    """
    where, values = f.where("retailer_id", "dma_id", time=None)
    figures = "count(*) as tests, median(wape) as wape, median(mase) as mase, avg(coverage80) as coverage80, count(distinct (dma_id, retailer_id, product_id)) filter (is_champion) as champion_of"
    return snap.frame(
        f"with b as (select * from marts.fct_forecast_backtest where {where} and dma_id <> '000') "
        f"select 'served' as model, {figures} from b where is_champion having count(*) > 0 union all "
        f"(select model, {figures} from b group by 1 order by wape, model)",
        values,
    )


def wasted(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Channel and place pairs whose next dollar returns less than it costs, costliest first."""
    return _named(
        snap,
        "fct_wasted_spend",
        f,
        ("channel_id", "dma_id"),
        "wasted_spend_usd desc nulls last, channel_id, dma_id",
    )


def segments(snap: Snapshot, brand_id: str) -> pd.DataFrame:
    """Customer segments, largest first."""
    where = "where brand_id = ?" if snap.has("dim_segment", "brand_id") else ""
    return snap.frame(
        f"select * from marts.dim_segment {where} order by customers desc", [brand_id] if where else []
    )


def segment_response(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Relative change of purchases by segment and channel, with interval; null where the data cannot say."""
    where, values = f.where("channel_id", time=None)
    return snap.frame(
        "select coalesce(s.segment_name, e.segment_id) as segment, coalesce(c.channel_name, e.channel_id) as channel_name, e.* "
        f"from (select * from marts.fct_segment_response where {where}) e "
        "left join (select distinct segment_id, segment_name from marts.dim_segment) s using (segment_id) "
        "left join marts.dim_channel c using (channel_id) order by segment, channel_name",
        values,
    )


def alerts(snap: Snapshot, brand_id: str, *, open_only: bool = True) -> pd.DataFrame:
    """Alerts in their newest state: open before acknowledged, loud before quiet, dear before cheap."""
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
