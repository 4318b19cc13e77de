select
    brand_id,
    date_day,
    'amazon_ads' as platform,
    profile_id as account_id,
    campaign_id,
    campaign_name,
    currency_code,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    cost as spend_usd,
    coalesce(purchases_14d, 0) as platform_conversions,
    coalesce(sales_14d, 0) as platform_value_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('amazon_ads', 'amazon_ads_sp') }}
