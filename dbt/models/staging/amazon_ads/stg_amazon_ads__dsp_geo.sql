select
    brand_id,
    date_day,
    'amazon_dsp' as platform,
    advertiser_id as account_id,
    order_id as campaign_id,
    order_name as campaign_name,
    {{ dma_digits('dma_code') }} as dma_code,
    coalesce(impressions, 0) as impressions,
    viewable_impressions,
    coalesce(clicks, 0) as clicks,
    coalesce(video_completes, 0) as video_completes,
    total_cost as spend_usd,
    coalesce(purchases, 0) as platform_conversions,
    coalesce(sales, 0) as platform_value_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('amazon_ads', 'amazon_dsp_geo') }}
