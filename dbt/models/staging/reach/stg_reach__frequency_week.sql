select
    brand_id,
    {{ week_start('week_start') }} as week_start_date,
    channel as channel_id,
    {{ dma_digits('dma_code') }} as dma_code,
    frequency_group,
    reach_persons,
    coalesce(impressions, 0) as impressions,
    coalesce(clickouts, 0) as clickouts,
    _delivered_at
from {{ source('reach', 'reach_frequency') }}
