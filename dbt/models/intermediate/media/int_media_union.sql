{# Every paid channel in one vocabulary, one row per line the partner (or its allocation) gives; nothing is aggregated away
   except what a partner splits finer than a campaign. A column a partner does not report is null, not zero. #}
{% set place %}coalesce(dma.dma_id, '999'){% endset %}
with google_ads as (
    select
        brand_id,
        date_day,
        platform,
        campaign_id,
        campaign_name,
        channel_type,
        cast(null as varchar(128)) as tactic,
        cast(null as varchar(16)) as state,
        dma_id,
        impressions,
        cast(null as bigint) as viewable_impressions,
        clicks,
        case when channel_type = 'video' then video_completes end as video_completes,
        spend_usd,
        platform_conversions,
        platform_value_usd,
        false as is_modelled_geo,
        'google_ads_campaign' as source_feed,
        delivered_at
    from {{ ref('int_google_ads_dma_daily') }}
),

meta_ads as (
    select
        brand_id,
        date_day,
        platform,
        campaign_id,
        campaign_name,
        cast(null as varchar(64)) as channel_type,
        cast(null as varchar(128)) as tactic,
        cast(null as varchar(16)) as state,
        dma_id,
        impressions,
        cast(null as bigint) as viewable_impressions,
        clicks,
        cast(null as bigint) as video_completes,
        spend_usd,
        platform_conversions,
        platform_value_usd,
        true as is_modelled_geo,
        'meta_ads' as source_feed,
        delivered_at
    from {{ ref('int_meta_ads_dma_daily') }}
),

amazon_sp as (
    select
        brand_id,
        date_day,
        platform,
        campaign_id,
        campaign_name,
        cast(null as varchar(64)) as channel_type,
        cast(null as varchar(128)) as tactic,
        cast(null as varchar(16)) as state,
        '000' as dma_id,
        impressions,
        cast(null as bigint) as viewable_impressions,
        clicks,
        cast(null as bigint) as video_completes,
        spend_usd,
        platform_conversions,
        platform_value_usd,
        false as is_modelled_geo,
        'amazon_ads_sp' as source_feed,
        _delivered_at as delivered_at
    from {{ ref('stg_amazon_ads__sp_campaign') }}
),

amazon_dsp as (
    select
        dsp.brand_id,
        dsp.date_day,
        dsp.platform,
        dsp.campaign_id,
        dsp.campaign_name,
        cast(null as varchar(64)) as channel_type,
        cast(null as varchar(128)) as tactic,
        cast(null as varchar(16)) as state,
        {{ place }} as dma_id,
        dsp.impressions,
        dsp.viewable_impressions,
        dsp.clicks,
        dsp.video_completes,
        dsp.spend_usd,
        dsp.platform_conversions,
        dsp.platform_value_usd,
        false as is_modelled_geo,
        'amazon_dsp_geo' as source_feed,
        dsp._delivered_at as delivered_at
    from {{ ref('stg_amazon_ads__dsp_geo') }} as dsp
    left join {{ ref('dma') }} as dma
        on
            dsp.dma_code = dma.dma_id
            and dma.is_place
),

dv360 as (
    select
        dv360.brand_id,
        dv360.date_day,
        dv360.platform,
        dv360.campaign_id,
        dv360.campaign_name,
        cast(null as varchar(64)) as channel_type,
        cast(null as varchar(128)) as tactic,
        cast(null as varchar(16)) as state,
        {{ place }} as dma_id,
        dv360.impressions,
        dv360.viewable_impressions,
        dv360.clicks,
        dv360.video_completes,
        dv360.spend_usd,
        cast(null as decimal(18, 6)) as platform_conversions,
        cast(null as decimal(18, 6)) as platform_value_usd,
        false as is_modelled_geo,
        'dv360_dma' as source_feed,
        dv360._delivered_at as delivered_at
    from {{ ref('stg_dv360__dma') }} as dv360
    left join {{ ref('dma') }} as dma
        on
            dv360.dma_code = dma.dma_id
            and dma.is_place
),

{% for feed, model in [('walmart_connect', 'stg_walmart_connect__item'), ('roundel', 'stg_roundel__item')] %}
{{ feed }} as (
    select
        brand_id,
        date_day,
        platform,
        campaign_id,
        max(campaign_name) as campaign_name,
        cast(null as varchar(64)) as channel_type,
        cast(null as varchar(128)) as tactic,
        cast(null as varchar(16)) as state,
        '000' as dma_id,
        cast(sum(impressions) as bigint) as impressions,
        cast(null as bigint) as viewable_impressions,
        cast(sum(clicks) as bigint) as clicks,
        cast(null as bigint) as video_completes,
        sum(spend_usd) as spend_usd,
        sum(platform_conversions) as platform_conversions,
        sum(platform_value_usd) as platform_value_usd,
        false as is_modelled_geo,
        '{{ feed }}' as source_feed,
        max(_delivered_at) as delivered_at
    from {{ ref(model) }}
    group by brand_id, date_day, platform, campaign_id
),
{% endfor %}
crm as (
    select
        brand_id,
        date_day,
        channel_id as platform,
        campaign_id,
        campaign_id as campaign_name,
        cast(null as varchar(64)) as channel_type,
        cast(null as varchar(128)) as tactic,
        cast(null as varchar(16)) as state,
        dma_id,
        sends + clips as impressions,
        cast(null as bigint) as viewable_impressions,
        clicks + redemptions as clicks,
        cast(null as bigint) as video_completes,
        spend_usd,
        cast(null as decimal(18, 6)) as platform_conversions,
        cast(null as decimal(18, 6)) as platform_value_usd,
        false as is_modelled_geo,
        channel_id || '_events' as source_feed,
        cast(null as timestamp) as delivered_at
    from {{ ref('int_crm_daily') }}
),

{% for feed in ['facebook', 'google', 'tiktok'] %}
shop_{{ feed }} as (
    select
        brand_id,
        date_day,
        platform,
        campaign_name as campaign_id,
        campaign_name,
        cast(null as varchar(64)) as channel_type,
        tactic,
        state_code as state,
        '000' as dma_id,
        impressions,
        cast(null as bigint) as viewable_impressions,
        clicks,
        cast(null as bigint) as video_completes,
        spend_usd,
        cast(null as decimal(18, 6)) as platform_conversions,
        platform_value_usd,
        false as is_modelled_geo,
        '{{ feed }}_campaign' as source_feed,
        _delivered_at as delivered_at
    from {{ ref('stg_shop__' ~ feed ~ '_campaign') }}
),
{% endfor %}
unioned as (
    {% for part in ['google_ads', 'meta_ads', 'amazon_sp', 'amazon_dsp', 'dv360', 'walmart_connect', 'roundel', 'crm', 'shop_facebook', 'shop_google', 'shop_tiktok'] %}
    select * from {{ part }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select * from unioned
