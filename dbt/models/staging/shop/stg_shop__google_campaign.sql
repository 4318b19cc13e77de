select
    brand_id,
    date_day,
    'google' as platform,
    campaign_name,
    tactic,
    upper(trim(state)) as state_code,
    coalesce(impressions, 0) as impressions,
    coalesce(clicks, 0) as clicks,
    spend as spend_usd,
    coalesce(attributed_revenue, 0) as platform_value_usd,
    _delivered_at
from {{ source('shop', 'google_campaign') }}
