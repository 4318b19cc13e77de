{# The stock that a forecast starts from: the newest count of each place and product in the last four weeks of sales. #}
with sales_end as (
    select
        brand_id,
        max(week_start_date) as last_week_start_date
    from {{ ref('feat_forecast_product_week') }}
    group by brand_id
),

counted as (
    select
        inventory.*,
        row_number() over (
            partition by inventory.brand_id, inventory.retailer_id, inventory.dma_id, inventory.product_id
            order by inventory.week_start_date desc
        ) as newest
    from {{ ref('fct_inventory_week') }} as inventory
    inner join sales_end
        on
            inventory.brand_id = sales_end.brand_id
            and inventory.week_start_date <= sales_end.last_week_start_date
            and inventory.week_start_date > sales_end.last_week_start_date - 28
    where inventory.dma_id <> '999'
),

price as (
    select
        sales.brand_id,
        sales.retailer_id,
        sales.product_id,
        {{ safe_divide('sum(sales.revenue_usd)', 'sum(sales.units_sold)') }} as price_usd
    from {{ ref('fct_pos_week') }} as sales
    inner join sales_end
        on
            sales.brand_id = sales_end.brand_id
            and sales.week_start_date <= sales_end.last_week_start_date
            and sales.week_start_date > sales_end.last_week_start_date - 91
    group by sales.brand_id, sales.retailer_id, sales.product_id
)

select
    counted.brand_id,
    counted.retailer_id,
    counted.dma_id,
    counted.product_id,
    counted.week_start_date,
    cast(counted.on_hand_units as double precision) as on_hand_units,
    cast(counted.open_po_units as double precision) as open_po_units,
    cast(coalesce(price.price_usd, product.list_price_usd) as double precision) as price_usd
from counted
left join price
    on
        counted.brand_id = price.brand_id
        and counted.retailer_id = price.retailer_id
        and counted.product_id = price.product_id
left join {{ ref('dim_product') }} as product
    on
        counted.brand_id = product.brand_id
        and counted.product_id = product.product_id
where counted.newest = 1
