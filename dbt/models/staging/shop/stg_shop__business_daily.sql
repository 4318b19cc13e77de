select
    brand_id,
    date_day,
    orders,
    new_orders,
    new_customers,
    revenue as revenue_usd,
    gross_profit as gross_profit_usd,
    cogs as cogs_usd,
    _delivered_at
from {{ source('shop', 'business_daily') }}
