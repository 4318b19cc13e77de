select
    brand_id,
    {{ week_start('date_day') }} as week_start_date,
    date_day as snapshot_date,
    'walmart' as retailer_id,
    trim(store_nbr) as store_id,
    trim(wm_item_nbr) as item_id,
    on_hand as on_hand_units,
    in_stock_num,
    in_stock_den,
    _delivered_at
from {{ source('walmart', 'walmart_store_inventory') }}
