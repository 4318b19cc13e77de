with sales as (
    select
        brand_id,
        {{ week_start('date_day') }} as week_start_date,
        dma_id,
        retailer_id,
        product_id,
        sum(units) as units_sold,
        sum(revenue_usd) as revenue_usd
    from {{ ref('fct_pos_daily') }}
    group by brand_id, {{ week_start('date_day') }}, dma_id, retailer_id, product_id
),

{# Days that a retailer has reported in a week: seven make it complete. #}
retailer_weeks as (
    select
        brand_id,
        retailer_id,
        {{ week_start('date_day') }} as week_start_date,
        count(distinct date_day) as days_reported
    from {{ ref('fct_pos_daily') }}
    group by brand_id, retailer_id, {{ week_start('date_day') }}
),

inventory as (
    select * from {{ ref('fct_inventory_week') }}
),

{# A product that a store stocks and did not sell has no sales row but an inventory row: it sold nothing, which is a fact.
   Weeks whose sales are not delivered yet stay absent. #}
keys as (
    select
        brand_id,
        week_start_date,
        dma_id,
        retailer_id,
        product_id
    from sales
    union
    select
        inventory.brand_id,
        inventory.week_start_date,
        inventory.dma_id,
        inventory.retailer_id,
        inventory.product_id
    from inventory
    inner join retailer_weeks
        on
            inventory.brand_id = retailer_weeks.brand_id
            and inventory.retailer_id = retailer_weeks.retailer_id
            and inventory.week_start_date = retailer_weeks.week_start_date
    where inventory.dma_id <> '000'
),

target_promotion as (
    select distinct
        sales.brand_id,
        sales.week_start_date,
        coalesce(store.dma_id, '999') as dma_id,
        sales.retailer_id,
        item.product_id
    from {{ ref('stg_target__sales') }} as sales
    inner join {{ ref('int_pos_item') }} as item
        on
            sales.brand_id = item.brand_id
            and sales.retailer_id = item.retailer_id
            and sales.item_id = item.item_id
    left join {{ ref('int_place_store') }} as store
        on
            sales.brand_id = store.brand_id
            and sales.retailer_id = store.retailer_id
            and sales.store_id = store.store_id
    where sales.promo_flag
)

select
    keys.brand_id,
    keys.week_start_date,
    calendar.week_id,
    keys.dma_id,
    keys.retailer_id,
    keys.product_id,
    cast(coalesce(sales.units_sold, 0) as decimal(18, 4)) as units_sold,
    {{ money('coalesce(sales.revenue_usd, 0)') }} as revenue_usd,
    case
        when sales.units_sold > 0
            then cast(cast(sales.revenue_usd as double precision) / cast(sales.units_sold as double precision) as {{ type_money() }})
    end as avg_price_usd,
    product.list_price_usd,
    coalesce(promotion.discount_pct, 0) > 0 or target_promotion.product_id is not null as promo_flag,
    coalesce(promotion.discount_pct, 0) as discount_pct,
    coalesce(promotion.promo_days, 0) as promo_days,
    inventory.on_hand_units as inventory_on_hand,
    coalesce(inventory.in_stock_rate, national.in_stock_rate) as in_stock_rate,
    coalesce(inventory.is_stockout, national.is_stockout, false) as is_stockout,
    retailer_weeks.days_reported = 7 as is_complete
from keys
inner join {{ ref('dim_calendar') }} as calendar
    on keys.week_start_date = calendar.date_day
inner join retailer_weeks
    on
        keys.brand_id = retailer_weeks.brand_id
        and keys.retailer_id = retailer_weeks.retailer_id
        and keys.week_start_date = retailer_weeks.week_start_date
left join sales
    on
        keys.brand_id = sales.brand_id
        and keys.week_start_date = sales.week_start_date
        and keys.dma_id = sales.dma_id
        and keys.retailer_id = sales.retailer_id
        and keys.product_id = sales.product_id
left join {{ ref('dim_product') }} as product
    on
        keys.brand_id = product.brand_id
        and keys.product_id = product.product_id
left join {{ ref('int_promotion_week') }} as promotion
    on
        keys.brand_id = promotion.brand_id
        and keys.week_start_date = promotion.week_start_date
        and keys.retailer_id = promotion.retailer_id
        and keys.product_id = promotion.product_id
left join target_promotion
    on
        keys.brand_id = target_promotion.brand_id
        and keys.week_start_date = target_promotion.week_start_date
        and keys.dma_id = target_promotion.dma_id
        and keys.retailer_id = target_promotion.retailer_id
        and keys.product_id = target_promotion.product_id
left join inventory
    on
        keys.brand_id = inventory.brand_id
        and keys.week_start_date = inventory.week_start_date
        and keys.dma_id = inventory.dma_id
        and keys.retailer_id = inventory.retailer_id
        and keys.product_id = inventory.product_id
left join inventory as national
    on
        keys.brand_id = national.brand_id
        and keys.week_start_date = national.week_start_date
        and keys.retailer_id = national.retailer_id
        and keys.product_id = national.product_id
        and national.dma_id = '000'
