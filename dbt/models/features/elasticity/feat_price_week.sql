{# Sales, price and promotion by retailer, product and complete week over all places. The price is what a unit sold for:
   sales divided by units of the week itself. #}
with sales as (
    select
        brand_id,
        week_start_date,
        retailer_id,
        product_id,
        cast(units_sold as double precision) as units_sold,
        cast(revenue_usd as double precision) as revenue_usd,
        cast(promo_days as double precision) / 7 as promo_share,
        case when is_stockout then 1.0 else 0.0 end as out_of_stock
    from {{ ref('fct_pos_week') }}
    where is_complete
)

select
    brand_id,
    week_start_date,
    retailer_id,
    product_id,
    sum(units_sold) as units,
    {{ safe_divide('sum(revenue_usd)', 'sum(units_sold)') }} as price_usd,
    coalesce(avg(promo_share), 0) as promo_share,
    avg(cast(out_of_stock as double precision)) as stockout_share
from sales
group by brand_id, week_start_date, retailer_id, product_id
