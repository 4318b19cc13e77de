{# Stock at the end of each published week: by DMA where stores report it, national ('000') at Amazon. A negative Amazon count is
   backorders and stays negative. #}
with amazon as (
    select
        inventory.brand_id,
        inventory.week_start_date,
        inventory.retailer_id,
        '000' as dma_id,
        item.product_id,
        sum(inventory.on_hand_units) as on_hand_units,
        {{ avg_double('inventory.in_stock_rate') }} as in_stock_rate,
        sum(inventory.open_po_units) as open_po_units
    from {{ ref('stg_amazon_vendor__inventory') }} as inventory
    inner join {{ ref('int_pos_item') }} as item
        on
            inventory.brand_id = item.brand_id
            and inventory.retailer_id = item.retailer_id
            and inventory.item_id = item.item_id
            and item.product_rank = 1
    group by inventory.brand_id, inventory.week_start_date, inventory.retailer_id, item.product_id
),

{# A week may hold several snapshots; the last one of each store and item counts. #}
walmart_last as (
    select
        snapshots.*,
        row_number() over (
            partition by snapshots.brand_id, snapshots.store_id, snapshots.item_id, snapshots.week_start_date
            order by snapshots.snapshot_date desc
        ) as newest
    from {{ ref('stg_walmart__store_inventory') }} as snapshots
),

{# Stores report stock by place; both store retailers in one body. #}
{% for retailer, rows, in_stock_rate in [
    ('walmart', 'walmart_last', safe_divide('sum(inventory.in_stock_num)', 'sum(inventory.in_stock_den)')),
    ('target', ref('stg_target__inventory'), avg_double('inventory.in_stock_pct') ~ ' / 100')
] %}
{{ retailer }} as (
    select
        inventory.brand_id,
        inventory.week_start_date,
        inventory.retailer_id,
        coalesce(store.dma_id, '999') as dma_id,
        item.product_id,
        sum(inventory.on_hand_units) as on_hand_units,
        {{ in_stock_rate }} as in_stock_rate,
        cast(null as bigint) as open_po_units
    from {{ rows }} as inventory
    inner join {{ ref('int_pos_item') }} as item
        on
            inventory.brand_id = item.brand_id
            and inventory.retailer_id = item.retailer_id
            and inventory.item_id = item.item_id
            and item.product_rank = 1
    left join {{ ref('int_place_store') }} as store
        on
            inventory.brand_id = store.brand_id
            and inventory.retailer_id = store.retailer_id
            and inventory.store_id = store.store_id
    {% if retailer == 'walmart' %}where inventory.newest = 1{% endif %}
    group by
        inventory.brand_id, inventory.week_start_date, inventory.retailer_id, coalesce(store.dma_id, '999'), item.product_id
),
{% endfor %}

unioned as (
    select * from amazon
    union all
    select * from walmart
    union all
    select * from target
)

select
    brand_id,
    week_start_date,
    retailer_id,
    dma_id,
    product_id,
    cast(on_hand_units as bigint) as on_hand_units,
    in_stock_rate,
    cast(open_po_units as bigint) as open_po_units,
    coalesce(on_hand_units <= 0, false) or coalesce(in_stock_rate <= 0, false) as is_stockout
from unioned
