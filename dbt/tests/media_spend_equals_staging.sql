{# Money law: what each feed says it cost is what the daily mart says it cost, to the cent. #}
{% set feeds = {
    'google_ads_campaign': 'stg_google_ads__campaign', 'meta_ads': 'stg_meta_ads__ad', 'amazon_ads_sp': 'stg_amazon_ads__sp_campaign',
    'amazon_dsp_geo': 'stg_amazon_ads__dsp_geo', 'dv360_dma': 'stg_dv360__dma', 'walmart_connect': 'stg_walmart_connect__item',
    'roundel': 'stg_roundel__item', 'facebook_campaign': 'stg_shop__facebook_campaign', 'google_campaign': 'stg_shop__google_campaign',
    'tiktok_campaign': 'stg_shop__tiktok_campaign'
} %}
with staged as (
    {% for feed, model in feeds.items() %}
    select
        brand_id,
        '{{ feed }}' as source_feed,
        sum(spend_usd) as spend_usd,
        sum(impressions) as impressions
    from {{ ref(model) }}
    group by brand_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

mart as (
    select
        brand_id,
        source_feed,
        sum(spend_usd) as spend_usd,
        sum(impressions) as impressions
    from {{ ref('fct_media_daily') }}
    group by brand_id, source_feed
)

select
    staged.brand_id,
    staged.source_feed,
    staged.spend_usd,
    mart.spend_usd as mart_spend_usd
from staged
left join mart
    on
        staged.brand_id = mart.brand_id
        and staged.source_feed = mart.source_feed
where
    abs(staged.spend_usd - coalesce(mart.spend_usd, 0)) >= 0.005
    or staged.impressions <> coalesce(mart.impressions, 0)
