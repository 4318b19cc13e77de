select
    brand_id,
    date_day,
    'dv360' as platform,
    advertiser_id as account_id,
    insertion_order_id as campaign_id,
    insertion_order as campaign_name,
    {{ dma_digits('dma_code') }} as dma_code,
    currency_code,
    coalesce(impressions, 0) as impressions,
    viewable_impressions,
    coalesce(clicks, 0) as clicks,
    coalesce(video_completes, 0) as video_completes,
    cost as spend_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('dv360', 'dv360_dma') }}
