select
    brand_id,
    trim(order_id) as order_id,
    trim(client_id) as client_id,
    trim(service_id) as service_id,
    trim(gift_id) as gift_id,
    cast(
        cast(year as varchar(4)) || '-' || lpad(cast(month as varchar(2)), 2, '0') || '-01' as date
    ) as month_start_date,
    total_gifts,
    gift_cost as gift_cost_usd,
    total_amount as total_amount_usd,
    fee as fee_usd,
    variable_cost as variable_cost_usd,
    total_revenue as total_revenue_usd
from {{ source('alyce', 'alyce_facts_final') }}
