{# Means add up over products, DMAs and retailers. Totals over retailers (a DMA, the nation) are summed here, so that they
   hold whatever retailers were forecast; the width of their interval, relative to the mean, comes from backtests of the total
   itself (unit "nation"), since quantiles do not add. #}
with newest_run as (
    {{ latest_run('forecast') }}
),

forecasts as (
    select forecast.*
    from {{ source('runs_forecast', 'demand_forecast_week') }} as forecast
    inner join newest_run
        on
            forecast.brand_id = newest_run.brand_id
            and forecast.run_id = newest_run.run_id
),

leaves as (
    select * from forecasts
    where level = 'dma_retailer'
),

summed as (
    select
        run_id,
        brand_id,
        as_of_date,
        dma_id,
        'dma' as level,
        week_start_date,
        max(horizon_week) as horizon_week,
        sum(mean_units) as mean_units
    from leaves
    group by run_id, brand_id, as_of_date, dma_id, week_start_date
    union all
    select
        run_id,
        brand_id,
        as_of_date,
        '000' as dma_id,
        'nation' as level,
        week_start_date,
        max(horizon_week) as horizon_week,
        sum(mean_units) as mean_units
    from leaves
    group by run_id, brand_id, as_of_date, week_start_date
),

widths as (
    select
        brand_id,
        dma_id,
        level,
        week_start_date,
        model,
        forecast_flag,
        {{ safe_divide('p10_units', 'mean_units') }} as p10_share,
        {{ safe_divide('p50_units', 'mean_units') }} as p50_share,
        {{ safe_divide('p90_units', 'mean_units') }} as p90_share
    from forecasts
    where level in ('dma', 'nation')
),

unioned as (
    select
        brand_id,
        run_id,
        as_of_date,
        dma_id,
        retailer_id,
        product_id,
        level,
        week_start_date,
        horizon_week,
        model,
        p10_units,
        p50_units,
        p90_units,
        mean_units,
        is_reconciled,
        forecast_flag
    from forecasts
    where level in ('product', 'dma_retailer', 'retailer')
    union all
    select
        summed.brand_id,
        summed.run_id,
        summed.as_of_date,
        summed.dma_id,
        'all' as retailer_id,
        'all' as product_id,
        summed.level,
        summed.week_start_date,
        summed.horizon_week,
        'sum' as model,
        summed.mean_units * coalesce(widths.p10_share, 0.8) as p10_units,
        summed.mean_units * coalesce(widths.p50_share, 1.0) as p50_units,
        summed.mean_units * coalesce(widths.p90_share, 1.2) as p90_units,
        summed.mean_units,
        true as is_reconciled,
        case when widths.brand_id is null then 'width_assumed' else coalesce(widths.forecast_flag, '') end as forecast_flag
    from summed
    left join widths
        on
            summed.brand_id = widths.brand_id
            and summed.level = widths.level
            and summed.dma_id = widths.dma_id
            and summed.week_start_date = widths.week_start_date
)

select
    brand_id,
    run_id,
    as_of_date,
    dma_id,
    retailer_id,
    product_id,
    level,
    week_start_date,
    cast(horizon_week as integer) as horizon_week,
    model,
    cast(p10_units as double precision) as p10_units,
    cast(p50_units as double precision) as p50_units,
    cast(p90_units as double precision) as p90_units,
    cast(mean_units as double precision) as mean_units,
    is_reconciled,
    forecast_flag
from unioned
