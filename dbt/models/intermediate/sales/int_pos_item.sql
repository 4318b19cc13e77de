{# Every item a retailer has reported, and its products; an id no product master names is product 'unmapped'. #}
with seen as (
    select distinct brand_id, retailer_id, item_id from {{ ref('stg_amazon_vendor__sales') }}
    union
    select distinct brand_id, retailer_id, item_id from {{ ref('stg_walmart__store_sales') }}
    union
    select distinct brand_id, retailer_id, item_id from {{ ref('stg_target__sales') }}
    union
    select distinct brand_id, retailer_id, item_id from {{ ref('stg_amazon_vendor__inventory') }}
    union
    select distinct brand_id, retailer_id, item_id from {{ ref('stg_walmart__store_inventory') }}
    union
    select distinct brand_id, retailer_id, item_id from {{ ref('stg_target__inventory') }}
)

select
    seen.brand_id,
    seen.retailer_id,
    seen.item_id,
    coalesce(item.product_id, 'unmapped') as product_id,
    coalesce(item.share, 1) as share,
    coalesce(item.product_rank, 1) as product_rank
from seen
left join {{ ref('int_product_item') }} as item
    on
        seen.brand_id = item.brand_id
        and seen.retailer_id = item.retailer_id
        and seen.item_id = item.item_id
