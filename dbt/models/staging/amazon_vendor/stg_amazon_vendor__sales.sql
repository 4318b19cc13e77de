select
    brand_id,
    start_date as week_start_date,
    end_date as week_end_date,
    'amazon' as retailer_id,
    trim(asin) as item_id,
    {{ zip5('ship_to_zip') }} as zip_code,
    ordered_units as units,
    ordered_revenue as revenue_usd,
    currency_code,
    _delivered_at,
    _file_id,
    _line
from {{ source('amazon_vendor', 'amazon_vendor_sales') }}
