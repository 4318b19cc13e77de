select
    brand_id,
    week_start as week_start_date,
    'target' as retailer_id,
    trim(location_id) as store_id,
    trim(tcin) as item_id,
    on_hand as on_hand_units,
    cast(in_stock_pct as double precision) as in_stock_pct,
    _delivered_at
from {{ source('target', 'target_inventory') }}
