select
    brand_id,
    event_id,
    lower(event_type) as event_type,
    event_ts,
    cast(event_ts as date) as date_day,
    person_key,
    coupon_id,
    lower(retailer_id) as retailer_id,
    product_id,
    {{ zip5('zip') }} as zip_code,
    basket_value_usd,
    discount_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('coupon', 'coupon_events') }}
