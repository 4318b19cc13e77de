{# Every kept forecast against what was sold, once the week is complete. Of several runs as of one date the last one recorded counts. #}
with good_runs as (
    select
        model_run.brand_id,
        model_run.run_id,
        model_run.as_of_date,
        max(model_run.recorded_seq) as recorded_seq
    from {{ source('runs', 'model_run') }} as model_run
    where model_run.job = 'forecast'
    group by model_run.brand_id, model_run.run_id, model_run.as_of_date
    having
        sum(case when model_run.status = 'succeeded' then 1 else 0 end) > 0
        and sum(case when model_run.status = 'failed' then 1 else 0 end) = 0
),

ranked_runs as (
    select
        good_runs.*,
        row_number() over (partition by brand_id, as_of_date order by recorded_seq desc, run_id desc) as newest
    from good_runs
),

sold as (
    select
        brand_id,
        dma_id,
        retailer_id,
        week_start_date,
        cast(sum(units_sold) as double precision) as sold_units,
        max(case when is_stockout then 1 else 0 end) = 1 as has_stockout
    from {{ ref('fct_pos_week') }}
    where is_complete
    group by brand_id, dma_id, retailer_id, week_start_date
)

select
    forecast.brand_id,
    forecast.run_id,
    forecast.as_of_date,
    forecast.dma_id,
    forecast.retailer_id,
    forecast.week_start_date,
    forecast.horizon_week,
    forecast.model,
    forecast.p10_units,
    forecast.p50_units,
    forecast.p90_units,
    sold.sold_units,
    abs(sold.sold_units - forecast.p50_units) as absolute_error_units,
    sold.sold_units between forecast.p10_units and forecast.p90_units as is_inside_80,
    sold.has_stockout
from {{ source('runs_forecast', 'demand_forecast_week') }} as forecast
inner join ranked_runs
    on
        forecast.brand_id = ranked_runs.brand_id
        and forecast.run_id = ranked_runs.run_id
        and ranked_runs.newest = 1
inner join sold
    on
        forecast.brand_id = sold.brand_id
        and forecast.dma_id = sold.dma_id
        and forecast.retailer_id = sold.retailer_id
        and forecast.week_start_date = sold.week_start_date
where forecast.level = 'dma_retailer'
