{# Campaign totals are the money; the geographic view says where, for the part it could locate. What it could not locate is
   '999' on days with a geographic view and '000' on days without one. Conversions carry no place in this feed: they stay
   on the rest. LOCATION_OF_PRESENCE only: AREA_OF_INTEREST tells the same delivery again. #}
with campaign as (
    select
        brand_id,
        date_day,
        platform,
        account_id,
        campaign_id,
        max(campaign_name) as campaign_name,
        max(channel_type) as channel_type,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(video_completes) as video_completes,
        sum(spend_usd) as spend_usd,
        sum(platform_conversions) as platform_conversions,
        sum(platform_value_usd) as platform_value_usd,
        max(_delivered_at) as delivered_at
    from {{ ref('stg_google_ads__campaign') }}
    group by brand_id, date_day, platform, account_id, campaign_id
),

located as (
    select
        geo.brand_id,
        geo.date_day,
        geo.account_id,
        geo.campaign_id,
        coalesce(dma.dma_id, '999') as dma_id,
        sum(geo.impressions) as impressions,
        sum(geo.clicks) as clicks,
        sum(geo.spend_usd) as spend_usd
    from {{ ref('stg_google_ads__geo') }} as geo
    left join {{ ref('dma') }} as dma
        on
            geo.dma_code = dma.dma_id
            and dma.is_place
    where geo.location_type = 'LOCATION_OF_PRESENCE'
    group by geo.brand_id, geo.date_day, geo.account_id, geo.campaign_id, coalesce(dma.dma_id, '999')
),

located_total as (
    select
        brand_id,
        date_day,
        account_id,
        campaign_id,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(spend_usd) as spend_usd
    from located
    group by brand_id, date_day, account_id, campaign_id
),

placed as (
    select
        located.brand_id,
        located.date_day,
        campaign.platform,
        located.account_id,
        located.campaign_id,
        campaign.campaign_name,
        campaign.channel_type,
        located.dma_id,
        located.impressions,
        located.clicks,
        cast(0 as bigint) as video_completes,
        located.spend_usd,
        cast(0 as decimal(18, 6)) as platform_conversions,
        cast(0 as decimal(18, 6)) as platform_value_usd,
        campaign.delivered_at
    from located
    inner join campaign
        on
            located.brand_id = campaign.brand_id
            and located.date_day = campaign.date_day
            and located.account_id = campaign.account_id
            and located.campaign_id = campaign.campaign_id
),

rest as (
    select
        campaign.brand_id,
        campaign.date_day,
        campaign.platform,
        campaign.account_id,
        campaign.campaign_id,
        campaign.campaign_name,
        campaign.channel_type,
        case when located_total.campaign_id is null then '000' else '999' end as dma_id,
        campaign.impressions - coalesce(located_total.impressions, 0) as impressions,
        campaign.clicks - coalesce(located_total.clicks, 0) as clicks,
        campaign.video_completes,
        campaign.spend_usd - coalesce(located_total.spend_usd, 0) as spend_usd,
        campaign.platform_conversions,
        campaign.platform_value_usd,
        campaign.delivered_at
    from campaign
    left join located_total
        on
            campaign.brand_id = located_total.brand_id
            and campaign.date_day = located_total.date_day
            and campaign.account_id = located_total.account_id
            and campaign.campaign_id = located_total.campaign_id
)

select
    brand_id,
    date_day,
    platform,
    account_id,
    campaign_id,
    max(campaign_name) as campaign_name,
    max(channel_type) as channel_type,
    dma_id,
    cast(sum(impressions) as bigint) as impressions,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(video_completes) as bigint) as video_completes,
    cast(sum(spend_usd) as decimal(24, 6)) as spend_usd,
    cast(sum(platform_conversions) as decimal(24, 6)) as platform_conversions,
    cast(sum(platform_value_usd) as decimal(24, 6)) as platform_value_usd,
    max(delivered_at) as delivered_at
from (
    select * from placed
    union all
    select * from rest
) as both_parts
group by brand_id, date_day, platform, account_id, campaign_id, dma_id
