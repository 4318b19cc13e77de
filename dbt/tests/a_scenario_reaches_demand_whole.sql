{# The dollars of a scenario reach the DMAs whole: nothing is lost on the way from channels to places, wherever the forecast
   covers the scenario's weeks. #}
with carried as (
    select
        brand_id,
        scenario,
        max(horizon_week) as weeks,
        sum(cast(change_revenue_usd as double precision)) as revenue_usd
    from {{ ref('fct_demand_scenario_week') }}
    group by brand_id, scenario
),

planned as (
    select
        brand_id,
        scenario,
        max(horizon_weeks) as horizon_weeks,
        sum(cast(incremental_revenue_usd as double precision)) as revenue_usd
    from {{ ref('fct_budget_scenario') }}
    where channel_id <> 'all'
    group by brand_id, scenario
)

select
    carried.brand_id,
    carried.scenario,
    carried.revenue_usd as carried_usd,
    planned.revenue_usd as planned_usd
from carried
inner join planned
    on
        carried.brand_id = planned.brand_id
        and carried.scenario = planned.scenario
where abs(carried.revenue_usd - planned.revenue_usd * carried.weeks / planned.horizon_weeks) > 5
