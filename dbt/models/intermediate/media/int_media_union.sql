{# Every paid channel in one vocabulary, one row per line the partner (or its allocation) gives; nothing is aggregated away except what a
   partner splits finer than a campaign (`splits_campaigns`). A feed is a model and how it deviates from `usual`; a column that a partner
   does not report is null, not zero. #}
{% set usual = {
    'platform': 'feed.platform',
    'campaign_id': 'feed.campaign_id',
    'campaign_name': 'feed.campaign_name',
    'channel_type': 'cast(null as varchar(64))',
    'tactic': 'cast(null as varchar(128))',
    'state': 'cast(null as varchar(16))',
    'dma_id': "'000'",
    'impressions': 'feed.impressions',
    'viewable_impressions': 'cast(null as bigint)',
    'clicks': 'feed.clicks',
    'video_completes': 'cast(null as bigint)',
    'spend_usd': 'feed.spend_usd',
    'platform_conversions': 'feed.platform_conversions',
    'platform_value_usd': 'feed.platform_value_usd',
    'is_modelled_geo': 'false'
} %}
{% set measures = ['impressions', 'clicks', 'spend_usd', 'platform_conversions', 'platform_value_usd'] %}
{% set by_dma_code = {'dma_id': "coalesce(dma.dma_id, '999')", 'viewable_impressions': 'feed.viewable_impressions', 'video_completes': 'feed.video_completes'} %}
{% set unclaimed = {'platform_conversions': 'cast(null as decimal(18, 6))', 'platform_value_usd': 'cast(null as decimal(18, 6))'} %}
{% set shop = {'campaign_id': 'feed.campaign_name', 'tactic': 'feed.tactic', 'state': 'feed.state_code', 'platform_conversions': 'cast(null as decimal(18, 6))'} %}
{% set feeds = [
    ("'google_ads_campaign'", 'int_google_ads_dma_daily', {
        'channel_type': 'feed.channel_type', 'dma_id': 'feed.dma_id',
        'video_completes': "case when feed.channel_type = 'video' then feed.video_completes end"
    }),
    ("'meta_ads'", 'int_meta_ads_dma_daily', {'dma_id': 'feed.dma_id', 'is_modelled_geo': 'true'}),
    ("'amazon_ads_sp'", 'stg_amazon_ads__sp_campaign', {}),
    ("'amazon_dsp_geo'", 'stg_amazon_ads__dsp_geo', by_dma_code),
    ("'dv360_dma'", 'stg_dv360__dma', dict(by_dma_code, **unclaimed)),
    ("'walmart_connect'", 'stg_walmart_connect__item', {'splits_campaigns': true}),
    ("'roundel'", 'stg_roundel__item', {'splits_campaigns': true}),
    ("feed.channel_id || '_events'", 'int_crm_daily', dict(unclaimed, **{
        'platform': 'feed.channel_id', 'campaign_name': 'feed.campaign_id', 'dma_id': 'feed.dma_id',
        'impressions': 'feed.sends + feed.clips', 'clicks': 'feed.clicks + feed.redemptions'
    })),
    ("'facebook_campaign'", 'stg_shop__facebook_campaign', shop),
    ("'google_campaign'", 'stg_shop__google_campaign', shop),
    ("'tiktok_campaign'", 'stg_shop__tiktok_campaign', shop)
] %}
{% for source_feed, model, deviations in feeds %}
{% set summed = deviations.get('splits_campaigns', false) %}
select
    feed.brand_id,
    feed.date_day,
    {%- for column, expression in dict(usual, **deviations).items() if column != 'splits_campaigns' %}
    {%- set over = {'campaign_name': 'max'}.get(column, 'sum' if column in measures else '') if summed else '' %}
    {{ over ~ '(' ~ expression ~ ')' if over else expression }} as {{ column }},
    {%- endfor %}
    {{ source_feed }} as source_feed
from {{ ref(model) }} as feed
{% if 'dma.' in deviations.get('dma_id', '') %}
left join {{ ref('dma') }} as dma
    on
        feed.dma_code = dma.dma_id
        and dma.is_place
{% endif %}
{% if summed %}
group by feed.brand_id, feed.date_day, feed.platform, feed.campaign_id
{% endif %}
{% if not loop.last %}union all{% endif %}
{% endfor %}
