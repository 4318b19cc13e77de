select
    brand_id,
    promo_id,
    lower(trim(retailer_id)) as retailer_id,
    trim(product_id) as product_id,
    start_date,
    end_date,
    promo_type,
    cast(discount_pct as double precision) as discount_pct
from {{ source('reference', 'trade_promotions') }}
