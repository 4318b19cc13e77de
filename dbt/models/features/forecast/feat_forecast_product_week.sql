{# Sales that were cut by stock are marked, not corrected: the forecast lifts them, so that the rule lives in one place. #}
with sales as (
    select * from {{ ref('fct_pos_week') }}
    where is_complete and dma_id <> '999'
),

{# A forecast starts where every retailer has reported. #}
last_weeks as (
    select
        brand_id,
        retailer_id,
        max(week_start_date) as last_week_start_date
    from sales
    group by brand_id, retailer_id
),

common_end as (
    select
        brand_id,
        min(last_week_start_date) as last_week_start_date
    from last_weeks
    group by brand_id
)

select
    sales.brand_id,
    sales.retailer_id,
    sales.dma_id,
    sales.product_id,
    sales.week_start_date,
    cast(case when sales.units_sold > 0 then sales.units_sold else 0 end as double precision) as units_sold,
    sales.is_stockout or coalesce(sales.in_stock_rate < {{ var('censored_below_in_stock_rate', 0.7) }}, false) as is_censored
from sales
inner join common_end
    on
        sales.brand_id = common_end.brand_id
        and sales.week_start_date <= common_end.last_week_start_date
