select
    brand_id,
    week_start as week_start_date,
    'target' as retailer_id,
    trim(location_id) as store_id,
    trim(tcin) as item_id,
    units,
    coalesce(sales, 0) as revenue_usd,
    coalesce(promo_flag, false) as promo_flag,
    _delivered_at,
    _file_id,
    _line
from {{ source('target', 'target_sales') }}
