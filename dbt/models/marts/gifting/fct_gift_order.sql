select
    brand_id,
    order_id,
    month_start_date,
    client_id,
    service_id,
    gift_id,
    'gifting' as channel_id,
    cast(total_gifts as bigint) as total_gifts,
    {{ money('gift_cost_usd') }} as gift_cost_usd,
    {{ money('total_amount_usd') }} as total_amount_usd,
    {{ money('fee_usd') }} as fee_usd,
    {{ money('variable_cost_usd') }} as variable_cost_usd,
    {{ money('total_revenue_usd') }} as total_revenue_usd
from {{ ref('stg_alyce__order') }}
