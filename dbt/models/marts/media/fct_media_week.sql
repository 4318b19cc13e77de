with media as (
    select
        brand_id,
        {{ week_start('date_day') }} as week_start_date,
        channel_id,
        retailer_id,
        dma_id,
        source_feed,
        attribution_window,
        sum(impressions) as impressions,
        sum(viewable_impressions) as viewable_impressions,
        sum(case when viewable_impressions is not null then impressions end) as measured_impressions,
        sum(clicks) as clicks,
        sum(video_completes) as video_completes,
        sum(spend_usd) as spend_usd,
        sum(platform_conversions) as platform_conversions,
        sum(platform_value_usd) as platform_value_usd,
        max(case when is_modelled_geo then 1 else 0 end) as is_modelled_geo
    from {{ ref('fct_media_daily') }}
    group by brand_id, {{ week_start('date_day') }}, channel_id, retailer_id, dma_id, source_feed, attribution_window
),

{# Persons of different rows may be the same people: reach is read at this very grain, never summed from finer rows. #}
reach as (
    select
        brand_id,
        week_start_date,
        channel_id,
        dma_id,
        sum(reach_persons) as reach_persons,
        sum(impressions) as impressions
    from {{ ref('fct_reach_frequency_week') }}
    group by brand_id, week_start_date, channel_id, dma_id
),

weekly as (
    select
        media.brand_id,
        media.week_start_date,
        media.channel_id,
        media.retailer_id,
        media.dma_id,
        media.attribution_window,
        sum(media.impressions) as impressions,
        sum(media.viewable_impressions) as viewable_impressions,
        sum(media.measured_impressions) as measured_impressions,
        sum(media.clicks) as clicks,
        sum(media.video_completes) as video_completes,
        sum(media.spend_usd) as spend_usd,
        sum(media.platform_conversions) as platform_conversions,
        sum(media.platform_value_usd) as platform_value_usd,
        max(media.is_modelled_geo) as is_modelled_geo,
        min(case when feed_week.is_complete then 1 else 0 end) as is_complete
    from media
    inner join {{ ref('int_feed_week') }} as feed_week
        on
            media.brand_id = feed_week.brand_id
            and media.source_feed = feed_week.source_feed
            and media.week_start_date = feed_week.week_start_date
    group by
        media.brand_id, media.week_start_date, media.channel_id, media.retailer_id, media.dma_id, media.attribution_window
)

select
    weekly.brand_id,
    weekly.week_start_date,
    calendar.week_id,
    weekly.channel_id,
    weekly.retailer_id,
    weekly.dma_id,
    cast(weekly.impressions as bigint) as impressions,
    cast(weekly.viewable_impressions as bigint) as viewable_impressions,
    {{ safe_divide('weekly.viewable_impressions', 'weekly.measured_impressions') }} as viewability_rate,
    cast(weekly.clicks as bigint) as clicks,
    cast(weekly.video_completes as bigint) as video_completes,
    {{ money('weekly.spend_usd') }} as spend_usd,
    cast(reach.reach_persons as bigint) as reach_persons,
    {{ safe_divide('reach.impressions', 'reach.reach_persons') }} as frequency,
    cast(weekly.platform_conversions as double precision) as platform_conversions,
    {{ money('weekly.platform_value_usd') }} as platform_value_usd,
    weekly.attribution_window,
    weekly.is_modelled_geo = 1 as is_modelled_geo,
    weekly.is_complete = 1 as is_complete
from weekly
inner join {{ ref('dim_calendar') }} as calendar
    on weekly.week_start_date = calendar.date_day
left join reach
    on
        weekly.brand_id = reach.brand_id
        and weekly.week_start_date = reach.week_start_date
        and weekly.channel_id = reach.channel_id
        and weekly.dma_id = reach.dma_id
