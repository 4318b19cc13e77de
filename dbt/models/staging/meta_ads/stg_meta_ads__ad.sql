select
    brand_id,
    date_day,
    'meta_ads' as platform,
    account_id,
    campaign_id,
    campaign_name,
    adset_id,
    ad_id,
    comscore_market_code,
    coalesce(impressions, 0) as impressions,
    reach as reach_persons,
    coalesce(inline_link_clicks, clicks, 0) as clicks,
    spend as spend_usd,
    attribution_setting,
    coalesce(cast({{ json_array_pick('actions', 'action_type', 'omni_purchase', 'value') }} as decimal(18, 6)), 0)
        as platform_conversions,
    coalesce(cast({{ json_array_pick('action_values', 'action_type', 'omni_purchase', 'value') }} as decimal(18, 6)), 0)
        as platform_value_usd,
    _delivered_at,
    _file_id,
    _line
from {{ source('meta_ads', 'meta_ads') }}
