{# Price, promotion and stock by place, retailer and week, from that week alone (nothing later leaks into it):
     price_index  what a unit sold for, relative to its list price (1 = list)
     promo_index  mean over products of discount times the share of days it ran
     in_stock_rate mean over products; stockout_share the share of products out of stock #}
with sales as (
    select
        brand_id,
        week_start_date,
        dma_id,
        retailer_id,
        product_id,
        cast(units_sold as double precision) as units_sold,
        cast(revenue_usd as double precision) as revenue_usd,
        cast(list_price_usd as double precision) as list_price_usd,
        discount_pct * cast(promo_days as double precision) / 7 as promo_depth,
        in_stock_rate,
        case when is_stockout then 1.0 else 0.0 end as out_of_stock,
        is_complete
    from {{ ref('fct_pos_week') }}
)

select
    brand_id,
    week_start_date,
    dma_id,
    retailer_id,
    sum(units_sold) as units_sold,
    sum(revenue_usd) as revenue_usd,
    sum(case when list_price_usd > 0 and units_sold > 0 then revenue_usd end)
    / nullif(sum(case when list_price_usd > 0 and units_sold > 0 then units_sold * list_price_usd end), 0) as price_index,
    avg(promo_depth) as promo_index,
    avg(in_stock_rate) as in_stock_rate,
    avg(cast(out_of_stock as double precision)) as stockout_share,
    min(case when is_complete then 1 else 0 end) = 1 as is_complete
from sales
group by brand_id, week_start_date, dma_id, retailer_id
