{# Is the forecast getting worse? The error of kept forecasts in the four newest weeks sold, against the error that the same
   runs' backtests had promised. Weeks with a stock-out say little about demand and are left out. #}
with scored as (
    select
        brand_id,
        retailer_id,
        week_start_date,
        count(*) as forecasts,
        sum(absolute_error_units) as error_units,
        sum(sold_units) as sold_units,
        sum(case when is_inside_80 then 1 else 0 end) as inside
    from {{ ref('fct_forecast_accuracy_week') }}
    where not has_stockout
    group by brand_id, retailer_id, week_start_date
),

rolling as (
    select
        brand_id,
        retailer_id,
        week_start_date,
        sum(forecasts) over (
            partition by brand_id, retailer_id order by week_start_date rows between 3 preceding and current row
        ) as forecasts,
        sum(error_units) over (
            partition by brand_id, retailer_id order by week_start_date rows between 3 preceding and current row
        ) as error_units,
        sum(sold_units) over (
            partition by brand_id, retailer_id order by week_start_date rows between 3 preceding and current row
        ) as sold_units,
        sum(inside) over (
            partition by brand_id, retailer_id order by week_start_date rows between 3 preceding and current row
        ) as inside
    from scored
),

{# What was promised: the error of what each series is forecast with, weighted by the volume that was forecast. #}
volume as (
    select
        brand_id,
        run_id,
        dma_id,
        retailer_id,
        sum(mean_units) as units
    from {{ source('runs_forecast', 'demand_forecast_week') }}
    where level = 'dma_retailer'
    group by brand_id, run_id, dma_id, retailer_id
),

used_runs as (
    select distinct
        brand_id,
        run_id
    from {{ ref('fct_forecast_accuracy_week') }}
),

promised as (
    select
        backtest.brand_id,
        backtest.retailer_id,
        sum(backtest.wape * volume.units) / nullif(sum(volume.units), 0) as expected_wape
    from {{ source('runs_forecast', 'forecast_backtest') }} as backtest
    inner join used_runs
        on
            backtest.brand_id = used_runs.brand_id
            and backtest.run_id = used_runs.run_id
    inner join volume
        on
            backtest.brand_id = volume.brand_id
            and backtest.run_id = volume.run_id
            and backtest.dma_id = volume.dma_id
            and backtest.retailer_id = volume.retailer_id
    where backtest.is_champion and backtest.product_id = 'all' and backtest.wape is not null
    group by backtest.brand_id, backtest.retailer_id
),

compared as (
    select
        rolling.brand_id,
        rolling.retailer_id,
        rolling.week_start_date,
        rolling.forecasts,
        rolling.error_units / nullif(rolling.sold_units, 0) as wape,
        promised.expected_wape,
        cast(rolling.inside as double precision) / rolling.forecasts as coverage80
    from rolling
    inner join promised
        on
            rolling.brand_id = promised.brand_id
            and rolling.retailer_id = promised.retailer_id
)

select
    brand_id,
    retailer_id,
    week_start_date,
    cast(forecasts as bigint) as forecasts,
    cast(wape as double precision) as wape,
    cast(expected_wape as double precision) as expected_wape,
    cast(coverage80 as double precision) as coverage80,
    coalesce(wape > {{ var('forecast_drift_ratio', 1.5) }} * expected_wape, false) as is_drifting
from compared
