select
    brand_id,
    date_day,
    'walmart_connect' as platform,
    advertiser_id as account_id,
    campaign_id,
    campaign_name,
    item_id,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    cost as spend_usd,
    coalesce(orders_14d, 0) as platform_conversions,
    coalesce(sales_14d, 0) as platform_value_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('walmart_connect', 'walmart_connect') }}
