select
    brand_id,
    start_date as week_start_date,
    'amazon' as retailer_id,
    trim(asin) as item_id,
    sellable_on_hand_units as on_hand_units,
    1 - cast(out_of_stock_rate as double precision) as in_stock_rate,
    open_po_units,
    unfilled_units,
    _delivered_at
from {{ source('amazon_vendor', 'amazon_vendor_inventory') }}
