{# Sales of every retailer as delivered (a day at Walmart, a week at Amazon and Target), placed on a DMA and a product. A ZIP
   that spans DMAs and an item that covers products are split by weight; a part is rounded to the fourth decimal and the
   heaviest part takes what rounding leaves, so units and money are conserved exactly. #}
with amazon as (
    select
        sales.brand_id,
        sales.retailer_id,
        sales.week_start_date as first_day,
        7 as days,
        sales.zip_code as place_id,
        coalesce(zip.dma_id, '999') as dma_id,
        coalesce(zip.weight, 1) * item.share as share,
        coalesce(zip.dma_rank, 1) = 1 and item.product_rank = 1 as takes_rest,
        sales.item_id,
        item.product_id,
        sales.units,
        sales.revenue_usd
    from {{ ref('stg_amazon_vendor__sales') }} as sales
    inner join {{ ref('int_pos_item') }} as item
        on
            sales.brand_id = item.brand_id
            and sales.retailer_id = item.retailer_id
            and sales.item_id = item.item_id
    left join {{ ref('int_place_zip') }} as zip
        on
            sales.brand_id = zip.brand_id
            and sales.zip_code = zip.zip_code
),

{% for retailer, model, day, days in [('walmart', 'stg_walmart__store_sales', 'date_day', 1), ('target', 'stg_target__sales', 'week_start_date', 7)] %}
{{ retailer }} as (
    select
        sales.brand_id,
        sales.retailer_id,
        sales.{{ day }} as first_day,
        {{ days }} as days,
        sales.store_id as place_id,
        coalesce(store.dma_id, '999') as dma_id,
        item.share,
        item.product_rank = 1 as takes_rest,
        sales.item_id,
        item.product_id,
        sales.units,
        sales.revenue_usd
    from {{ ref(model) }} as sales
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
),
{% endfor %}

delivered as (
    select * from amazon
    union all
    select * from walmart
    union all
    select * from target
),

whole as (
    select
        brand_id,
        retailer_id,
        first_day,
        days,
        dma_id,
        product_id,
        cast(units as decimal(18, 4)) as units,
        revenue_usd
    from delivered
    where share = 1
),

parts as (
    select
        brand_id,
        retailer_id,
        first_day,
        days,
        place_id,
        dma_id,
        item_id,
        product_id,
        takes_rest,
        sum(units) as units,
        sum(revenue_usd) as revenue_usd,
        {{ share_of('sum(units)', 'max(share)') }} as part_units,
        {{ share_of('sum(revenue_usd)', 'max(share)') }} as part_revenue_usd
    from delivered
    where share <> 1
    group by brand_id, retailer_id, first_day, days, place_id, dma_id, item_id, product_id, takes_rest
),

settled as (
    select
        brand_id,
        retailer_id,
        first_day,
        days,
        dma_id,
        product_id,
        part_units + case
            when takes_rest then units - sum(part_units) over (partition by brand_id, retailer_id, first_day, place_id, item_id)
            else 0
        end as units,
        part_revenue_usd + case
            when takes_rest
                then revenue_usd - sum(part_revenue_usd) over (partition by brand_id, retailer_id, first_day, place_id, item_id)
            else 0
        end as revenue_usd
    from parts
)

select
    brand_id,
    retailer_id,
    first_day,
    days,
    dma_id,
    product_id,
    cast(sum(units) as decimal(18, 4)) as units,
    cast(sum(revenue_usd) as decimal(18, 4)) as revenue_usd
from (
    select * from whole
    union all
    select * from settled
) as placed
group by brand_id, retailer_id, first_day, days, dma_id, product_id
