select
    brand_id,
    date_day,
    'google_ads' as platform,
    customer_id as account_id,
    campaign_id,
    campaign_name,
    lower(channel_type) as channel_type,
    ad_network_type,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    coalesce(video_views, 0) as video_completes,
    cast(cost_micros as decimal(24, 6)) / 1000000 as spend_usd,
    coalesce(conversions, 0) as platform_conversions,
    coalesce(conversions_value, 0) as platform_value_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('google_ads', 'google_ads_campaign') }}
