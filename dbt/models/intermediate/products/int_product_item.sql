{# Every id a retailer uses for a product. One id may cover several products (a shared listing): its sales are split
   evenly, and `share` says so. One product may have several ids. #}
with items as (
    select
        brand_id,
        'amazon' as retailer_id,
        asin as item_id,
        product_id
    from {{ ref('stg_reference__product') }}
    where asin is not null
    union all
    select
        brand_id,
        'target' as retailer_id,
        tcin as item_id,
        product_id
    from {{ ref('stg_reference__product') }}
    where tcin is not null
    union all
    select
        brand_id,
        'walmart' as retailer_id,
        wm_item_nbr as item_id,
        product_id
    from {{ ref('stg_reference__product') }}
    where wm_item_nbr is not null
),

counted as (
    select
        brand_id,
        retailer_id,
        item_id,
        count(*) as products
    from items
    group by brand_id, retailer_id, item_id
)

select
    items.brand_id,
    items.retailer_id,
    items.item_id,
    items.product_id,
    counted.products as shared_by,
    {{ safe_divide('1', 'counted.products') }} as share,
    row_number() over (
        partition by items.brand_id, items.retailer_id, items.item_id
        order by items.product_id
    ) as product_rank
from items
inner join counted
    on
        items.brand_id = counted.brand_id
        and items.retailer_id = counted.retailer_id
        and items.item_id = counted.item_id
