with newest_run as (
    {{ latest_run('forecast') }}
)

select
    risk.brand_id,
    risk.run_id,
    risk.as_of_date,
    risk.dma_id,
    risk.retailer_id,
    risk.product_id,
    risk.week_start_date,
    risk.on_hand_units,
    risk.weeks_of_supply,
    risk.probability_stockout,
    risk.probability_overstock,
    risk.lost_units,
    {{ money('risk.lost_sales_usd') }} as lost_sales_usd,
    risk.suggested_order_units,
    risk.suggestion
from {{ source('runs_forecast', 'stock_risk_week') }} as risk
inner join newest_run
    on
        risk.brand_id = newest_run.brand_id
        and risk.run_id = newest_run.run_id
