select
    brand_id,
    event_id,
    event_ts,
    cast(event_ts as date) as date_day,
    visitor_id,
    event_type,
    lower(trim(channel)) as channel_word,
    campaign_id,
    lower(retailer_id) as retailer_id,
    {{ dma_digits('dma_code') }} as dma_code,
    {{ zip5("zip") }} as zip_code,
    user_agent,
    is_viewable,
    _delivered_at,
    _file_id,
    _line
from {{ source('web', 'clickstream') }}
