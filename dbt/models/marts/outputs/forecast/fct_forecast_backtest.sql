with newest_run as (
    {{ latest_run('forecast') }}
)

select
    backtest.brand_id,
    backtest.run_id,
    backtest.as_of_date,
    backtest.dma_id,
    backtest.retailer_id,
    backtest.product_id,
    backtest.model,
    backtest.cutoff_date,
    backtest.wape,
    backtest.mase,
    backtest.pinball,
    backtest.coverage80,
    backtest.is_champion
from {{ source('runs_forecast', 'forecast_backtest') }} as backtest
inner join newest_run
    on
        backtest.brand_id = newest_run.brand_id
        and backtest.run_id = newest_run.run_id
