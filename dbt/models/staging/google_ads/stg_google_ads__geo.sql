select
    brand_id,
    date_day,
    'google_ads' as platform,
    customer_id as account_id,
    campaign_id,
    {{ dma_digits('geo_target_metro') }} as dma_code,
    location_type,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    cast(coalesce(cost_micros, 0) as decimal(24, 6)) / 1000000 as spend_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('google_ads', 'google_ads_geo') }}
