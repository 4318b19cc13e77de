{# Carried-over spend by DMA and channel group, history and the weeks ahead. The plan ahead is "as in the last four weeks":
   no feed holds a media plan. #}
with channels as (
    select
        channel_id,
        channel_group,
        retailer_id
    from {{ ref('dim_channel') }}
),

media as (
    select
        adstock.brand_id,
        adstock.dma_id,
        adstock.week_start_date,
        sum(case when channels.channel_group = 'video' then adstock.adstock_spend_usd else 0 end) as video_usd,
        sum(case when channels.channel_group = 'social' then adstock.adstock_spend_usd else 0 end) as social_usd,
        sum(case when channels.channel_group = 'search' then adstock.adstock_spend_usd else 0 end) as search_usd,
        sum(case when channels.channel_group = 'rmn' and channels.retailer_id = 'amazon' then adstock.adstock_spend_usd else 0 end)
            as rmn_amazon_usd,
        sum(case when channels.channel_group = 'rmn' and channels.retailer_id = 'walmart' then adstock.adstock_spend_usd else 0 end)
            as rmn_walmart_usd,
        sum(case when channels.channel_group = 'rmn' and channels.retailer_id = 'target' then adstock.adstock_spend_usd else 0 end)
            as rmn_target_usd,
        sum(case when channels.channel_group = 'crm' then adstock.adstock_spend_usd else 0 end) as crm_usd
    from {{ ref('fct_media_adstock_week') }} as adstock
    inner join channels
        on adstock.channel_id = channels.channel_id
    where adstock.dma_id not in ('000', '999')
    group by adstock.brand_id, adstock.dma_id, adstock.week_start_date
),

sales_end as (
    select
        brand_id,
        max(week_start_date) as last_week_start_date
    from {{ ref('feat_forecast_product_week') }}
    group by brand_id
),

recent as (
    select
        media.brand_id,
        media.dma_id,
        avg(media.video_usd) as video_usd,
        avg(media.social_usd) as social_usd,
        avg(media.search_usd) as search_usd,
        avg(media.rmn_amazon_usd) as rmn_amazon_usd,
        avg(media.rmn_walmart_usd) as rmn_walmart_usd,
        avg(media.rmn_target_usd) as rmn_target_usd,
        avg(media.crm_usd) as crm_usd
    from media
    inner join sales_end
        on
            media.brand_id = sales_end.brand_id
            and media.week_start_date <= sales_end.last_week_start_date
            and media.week_start_date > sales_end.last_week_start_date - 28
    group by media.brand_id, media.dma_id
),

weeks_ahead as (
    select distinct
        sales_end.brand_id,
        calendar.week_start_date
    from sales_end
    inner join {{ ref('dim_calendar') }} as calendar
        on
            calendar.week_start_date > sales_end.last_week_start_date
            and calendar.week_start_date <= sales_end.last_week_start_date + 91
),

unioned as (
    select
        media.brand_id,
        media.dma_id,
        media.week_start_date,
        false as is_future,
        media.video_usd,
        media.social_usd,
        media.search_usd,
        media.rmn_amazon_usd,
        media.rmn_walmart_usd,
        media.rmn_target_usd,
        media.crm_usd
    from media
    inner join sales_end
        on
            media.brand_id = sales_end.brand_id
            and media.week_start_date <= sales_end.last_week_start_date
    union all
    select
        recent.brand_id,
        recent.dma_id,
        weeks_ahead.week_start_date,
        true as is_future,
        recent.video_usd,
        recent.social_usd,
        recent.search_usd,
        recent.rmn_amazon_usd,
        recent.rmn_walmart_usd,
        recent.rmn_target_usd,
        recent.crm_usd
    from recent
    inner join weeks_ahead
        on recent.brand_id = weeks_ahead.brand_id
)

select
    brand_id,
    dma_id,
    week_start_date,
    is_future,
    cast(video_usd as double precision) as video_usd,
    cast(social_usd as double precision) as social_usd,
    cast(search_usd as double precision) as search_usd,
    cast(rmn_amazon_usd as double precision) as rmn_amazon_usd,
    cast(rmn_walmart_usd as double precision) as rmn_walmart_usd,
    cast(rmn_target_usd as double precision) as rmn_target_usd,
    cast(crm_usd as double precision) as crm_usd
from unioned
