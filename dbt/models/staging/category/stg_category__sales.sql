select
    brand_id,
    {{ week_start('week_start') }} as week_start_date,
    lower(trim(retailer)) as retailer_id,
    trim(category) as category,
    units,
    sales as revenue_usd,
    _delivered_at
from {{ source('category', 'category_sales') }}
