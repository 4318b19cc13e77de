select
    brand_id,
    date_day,
    'roundel' as platform,
    advertiser_id as account_id,
    campaign as campaign_id,
    campaign as campaign_name,
    tcin as item_id,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    cost as spend_usd,
    coalesce(orders, 0) as platform_conversions,
    coalesce(sales, 0) as platform_value_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('roundel', 'roundel') }}
