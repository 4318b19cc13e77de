{# Demand by DMA under each budget scenario: the forecast (which assumes today's media) plus what the mix model says the other
   budget would bring. A channel's change is shared among DMAs as the mix model shares its recent contribution, and evenly over
   the scenario's weeks; dollars become units at the average price of the last 13 weeks. #}
with forecast as (
    select * from {{ ref('fct_demand_forecast_week') }}
    where level = 'dma'
),

plans as (
    select
        brand_id,
        scenario,
        channel_id,
        cast(incremental_revenue_usd as double precision) as revenue_usd,
        cast(p05_usd as double precision) as p05_usd,
        cast(p95_usd as double precision) as p95_usd,
        horizon_weeks,
        is_extrapolated,
        run_id
    from {{ ref('fct_budget_scenario') }}
    where scenario <> 'current' and channel_id <> 'all'
),

contributed as (
    select
        contribution.brand_id,
        contribution.dma_id,
        contribution.component as channel_id,
        sum(case when contribution.revenue_usd > 0 then cast(contribution.revenue_usd as double precision) else 0 end) as revenue_usd
    from {{ ref('fct_mmm_contribution_week') }} as contribution
    where contribution.component_kind = 'channel' and contribution.dma_id not in ('000', '999')
    group by contribution.brand_id, contribution.dma_id, contribution.component
),

{# Where a channel has no contribution anywhere, its change goes where all media together work. #}
weights as (
    select
        by_dma.brand_id,
        by_dma.dma_id,
        plan_channels.channel_id,
        coalesce(own.revenue_usd, 0) as own_usd,
        by_dma.revenue_usd as media_usd
    from (
        select
            brand_id,
            dma_id,
            sum(revenue_usd) as revenue_usd
        from contributed
        group by brand_id, dma_id
    ) as by_dma
    inner join (
        select distinct
            brand_id,
            channel_id
        from plans
    ) as plan_channels
        on by_dma.brand_id = plan_channels.brand_id
    inner join (
        select distinct
            brand_id,
            dma_id
        from forecast
    ) as places
        on
            by_dma.brand_id = places.brand_id
            and by_dma.dma_id = places.dma_id
    left join contributed as own
        on
            by_dma.brand_id = own.brand_id
            and by_dma.dma_id = own.dma_id
            and plan_channels.channel_id = own.channel_id
),

shares as (
    select
        brand_id,
        dma_id,
        channel_id,
        case
            when sum(own_usd) over (partition by brand_id, channel_id) > 0
                then own_usd / sum(own_usd) over (partition by brand_id, channel_id)
            else media_usd / nullif(sum(media_usd) over (partition by brand_id, channel_id), 0)
        end as share
    from weights
),

by_dma as (
    select
        plans.brand_id,
        plans.scenario,
        shares.dma_id,
        max(plans.run_id) as budget_run_id,
        max(case when plans.is_extrapolated then 1 else 0 end) as extrapolated_channels,
        sum(plans.revenue_usd * shares.share / plans.horizon_weeks) as revenue_usd,
        sum(plans.p05_usd * shares.share / plans.horizon_weeks) as p05_usd,
        sum(plans.p95_usd * shares.share / plans.horizon_weeks) as p95_usd,
        max(plans.horizon_weeks) as horizon_weeks
    from plans
    inner join shares
        on
            plans.brand_id = shares.brand_id
            and plans.channel_id = shares.channel_id
    group by plans.brand_id, plans.scenario, shares.dma_id
),

sales_end as (
    select
        brand_id,
        max(week_start_date) as last_week_start_date
    from {{ ref('fct_pos_week') }}
    where is_complete
    group by brand_id
),

price as (
    select
        sales.brand_id,
        cast({{ safe_divide('sum(sales.revenue_usd)', 'sum(sales.units_sold)') }} as double precision) as price_usd
    from {{ ref('fct_pos_week') }} as sales
    inner join sales_end
        on
            sales.brand_id = sales_end.brand_id
            and sales.week_start_date > sales_end.last_week_start_date - 91
    where sales.is_complete
    group by sales.brand_id
),

{# Response and forecast err independently: half-widths add in squares; 90 % limits of the response become 80 % limits. #}
widths as (
    select
        forecast.brand_id,
        forecast.run_id,
        forecast.as_of_date,
        by_dma.scenario,
        forecast.dma_id,
        forecast.week_start_date,
        forecast.horizon_week,
        by_dma.budget_run_id,
        by_dma.extrapolated_channels,
        forecast.mean_units,
        forecast.p10_units,
        forecast.p50_units,
        forecast.p90_units,
        by_dma.revenue_usd as change_revenue_usd,
        by_dma.revenue_usd / price.price_usd as change_units,
        sqrt(
            power(forecast.p50_units - forecast.p10_units, 2)
            + power(0.7791 * (by_dma.revenue_usd - by_dma.p05_usd) / price.price_usd, 2)
        ) as below_units,
        sqrt(
            power(forecast.p90_units - forecast.p50_units, 2)
            + power(0.7791 * (by_dma.p95_usd - by_dma.revenue_usd) / price.price_usd, 2)
        ) as above_units
    from forecast
    inner join by_dma
        on
            forecast.brand_id = by_dma.brand_id
            and forecast.dma_id = by_dma.dma_id
            and forecast.horizon_week <= by_dma.horizon_weeks
    inner join price
        on forecast.brand_id = price.brand_id
)

select
    brand_id,
    run_id,
    as_of_date,
    budget_run_id,
    scenario,
    dma_id,
    week_start_date,
    cast(horizon_week as integer) as horizon_week,
    mean_units as baseline_mean_units,
    change_units,
    cast(change_revenue_usd as decimal(18, 4)) as change_revenue_usd,
    greatest(mean_units + change_units, 0) as mean_units,
    greatest(p50_units + change_units - below_units, 0) as p10_units,
    greatest(p50_units + change_units, 0) as p50_units,
    greatest(p50_units + change_units + above_units, 0) as p90_units,
    extrapolated_channels > 0 as is_extrapolated
from widths
