-- depends_on: {{ ref('int_reference_state') }}
-- depends_on: {{ ref('int_media_day') }}
{# A day of the mart is made of that day's rows alone: the names that rules map to channels come with the rows.

   Incremental by day (see macros/incremental/partitions.sql): stale days are rebuilt. #}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    meta={'state': 'int_media_day'},
    pre_hook=[
        "{% if is_incremental() %}delete from {{ this }} where date_day in ({{ stale_dates() | join(', ') }}){% endif %}"
    ],
    post_hook=["{{ forget_partitions() }}", "{{ remember_partitions() }}"]
) }}
{% set grain = [
    'summed.brand_id', 'summed.date_day', 'summed.source_feed', 'summed.channel_id', 'summed.campaign_id', 'summed.tactic',
    'summed.state', 'summed.dma_id'
] %}
with media as (
    select * from {{ ref('int_media_union') }}
    {% if is_incremental() %}
    where date_day in ({{ stale_dates() | join(', ') }})
    {% endif %}
),

campaigns as (
    select * from {{ ref('int_campaign_name') }}
),

channels as (
    select * from {{ ref('channels') }}
),

mapped as (
    select
        media.brand_id,
        media.date_day,
        media.platform,
        coalesce(campaigns.channel_id, 'unmapped') as channel_id,
        media.campaign_id,
        media.campaign_name,
        coalesce(media.tactic, campaigns.tactic, 'none') as tactic,
        coalesce(media.state, 'none') as state,
        media.dma_id,
        media.impressions,
        media.viewable_impressions,
        media.clicks,
        media.video_completes,
        media.spend_usd,
        media.platform_conversions,
        media.platform_value_usd,
        media.is_modelled_geo,
        media.source_feed
    from media
    left join campaigns
        on
            media.brand_id = campaigns.brand_id
            and media.platform = campaigns.platform
            and media.campaign_id = campaigns.campaign_id
            and coalesce(media.campaign_name, '') = coalesce(campaigns.campaign_name, '')
            and coalesce(media.channel_type, '') = coalesce(campaigns.channel_type, '')
            and coalesce(media.tactic, '') = coalesce(campaigns.feed_tactic, '')
),

summed as (
    select
        brand_id,
        date_day,
        platform,
        channel_id,
        campaign_id,
        max(campaign_name) as campaign_name,
        tactic,
        state,
        dma_id,
        sum(impressions) as impressions,
        sum(viewable_impressions) as viewable_impressions,
        sum(clicks) as clicks,
        sum(video_completes) as video_completes,
        sum(spend_usd) as spend_usd,
        sum(platform_conversions) as platform_conversions,
        sum(platform_value_usd) as platform_value_usd,
        max(case when is_modelled_geo then 1 else 0 end) = 1 as is_modelled_geo,
        source_feed
    from mapped
    group by
        brand_id, date_day, platform, channel_id, campaign_id, tactic, state, dma_id, source_feed
)

select
    {{ surrogate_key(grain) }} as media_key,
    summed.brand_id,
    summed.date_day,
    summed.platform,
    summed.channel_id,
    summed.campaign_id,
    summed.campaign_name,
    summed.tactic,
    summed.state,
    summed.dma_id,
    coalesce(channels.retailer_id, 'none') as retailer_id,
    cast(summed.impressions as bigint) as impressions,
    cast(summed.viewable_impressions as bigint) as viewable_impressions,
    cast(summed.clicks as bigint) as clicks,
    cast(summed.video_completes as bigint) as video_completes,
    {{ money('summed.spend_usd') }} as spend_usd,
    cast(summed.platform_conversions as double precision) as platform_conversions,
    {{ money('summed.platform_value_usd') }} as platform_value_usd,
    coalesce(channels.attribution_window, 'none reported') as attribution_window,
    summed.is_modelled_geo,
    summed.source_feed
from summed
left join channels
    on summed.channel_id = channels.channel_id
