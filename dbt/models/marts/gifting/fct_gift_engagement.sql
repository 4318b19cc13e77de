select
    {{ surrogate_key(['brand_id', 'file_id', 'line_number']) }} as engagement_id,
    brand_id,
    client_id,
    service_id,
    'gifting' as channel_id,
    cast(total_gifts as bigint) as total_gifts,
    {{ money('total_amount_usd') }} as total_amount_usd,
    cast(null as bigint) as successful,
    cast(null as bigint) as unsuccessful
from {{ ref('stg_alyce__engagement') }}
