select
    brand_id,
    date_day,
    cast(sum(orders) as bigint) as orders,
    cast(sum(new_orders) as bigint) as new_orders,
    cast(sum(new_customers) as bigint) as new_customers,
    {{ money('sum(revenue_usd)') }} as revenue_usd,
    {{ money('sum(gross_profit_usd)') }} as gross_profit_usd,
    {{ money('sum(cogs_usd)') }} as cogs_usd
from {{ ref('stg_shop__business_daily') }}
group by brand_id, date_day
