{# Paid media on every DMA and week: what a feed could not place ('999') follows what it could, a national feed ('000') follows TV
   homes. Parts are rounded to four decimals (impressions to whole ones) and the largest DMA takes what rounding leaves, so a
   channel's week adds up to its source. `modelled_spend_usd` says how much of it was placed by rule. #}
with media as (
    select
        brand_id,
        week_start_date,
        channel_id,
        dma_id,
        sum(spend_usd) as spend_usd,
        sum(impressions) as impressions,
        sum(case when is_modelled_geo then spend_usd else 0 end) as bridged_spend_usd
    from {{ ref('fct_media_week') }}
    where channel_id <> 'unmapped'
    group by brand_id, week_start_date, channel_id, dma_id
),

totals as (
    select
        brand_id,
        week_start_date,
        channel_id,
        sum(spend_usd) as spend_usd,
        sum(impressions) as impressions,
        sum(case when dma_id not in ('000', '999') then spend_usd else 0 end) as located_spend_usd,
        sum(case when dma_id not in ('000', '999') then impressions else 0 end) as located_impressions,
        sum(case when dma_id = '999' then spend_usd else 0 end) as lost_spend_usd,
        sum(case when dma_id = '999' then impressions else 0 end) as lost_impressions,
        sum(case when dma_id = '000' then spend_usd else 0 end) as national_spend_usd,
        sum(case when dma_id = '000' then impressions else 0 end) as national_impressions
    from media
    group by brand_id, week_start_date, channel_id
),

homes as (
    select sum(tv_homes) as tv_homes
    from {{ ref('dma') }}
    where is_place
),

channels as (
    select distinct
        brand_id,
        channel_id
    from media
),

placed as (
    select
        spine.brand_id,
        spine.week_start_date,
        spine.week_number,
        channels.channel_id,
        spine.dma_id,
        spine.nielsen_rank,
        spine.tv_homes,
        coalesce(totals.spend_usd, 0) as total_spend_usd,
        coalesce(totals.impressions, 0) as total_impressions,
        coalesce(media.bridged_spend_usd, 0) as bridged_spend_usd,
        coalesce(media.spend_usd, 0) as located_spend_usd,
        coalesce(
            cast(totals.lost_spend_usd as double precision) * case
                when totals.located_spend_usd > 0
                    then cast(coalesce(media.spend_usd, 0) as double precision) / cast(totals.located_spend_usd as double precision)
                else cast(spine.tv_homes as double precision) / homes.tv_homes
            end + cast(totals.national_spend_usd as double precision) * cast(spine.tv_homes as double precision) / homes.tv_homes, 0
        ) as spread_spend_usd,
        coalesce(media.impressions, 0) as located_impressions,
        coalesce(
            cast(totals.lost_impressions as double precision) * case
                when totals.located_impressions > 0
                    then cast(coalesce(media.impressions, 0) as double precision) / cast(totals.located_impressions as double precision)
                else cast(spine.tv_homes as double precision) / homes.tv_homes
            end + cast(totals.national_impressions as double precision) * cast(spine.tv_homes as double precision) / homes.tv_homes, 0
        ) as spread_impressions
    from {{ ref('int_spine_dma_week') }} as spine
    inner join channels
        on spine.brand_id = channels.brand_id
    cross join homes
    left join totals
        on
            channels.brand_id = totals.brand_id
            and channels.channel_id = totals.channel_id
            and spine.week_start_date = totals.week_start_date
    left join media
        on
            channels.brand_id = media.brand_id
            and channels.channel_id = media.channel_id
            and spine.week_start_date = media.week_start_date
            and spine.dma_id = media.dma_id
),

rounded as (
    select
        placed.*,
        cast(located_spend_usd + round(cast(spread_spend_usd as decimal(28, 10)), 4) as {{ type_money() }}) as part_spend_usd,
        located_impressions + cast(round(cast(spread_impressions as decimal(28, 10)), 0) as bigint) as part_impressions,
        row_number() over (
            partition by brand_id, week_start_date, channel_id
            order by tv_homes desc, dma_id
        ) as place_rank
    from placed
)

select
    brand_id,
    week_start_date,
    week_number,
    channel_id,
    dma_id,
    cast(
        part_spend_usd + case
            when place_rank = 1
                then total_spend_usd - sum(part_spend_usd) over (partition by brand_id, week_start_date, channel_id)
            else 0
        end as {{ type_money() }}
    ) as spend_usd,
    cast(
        part_impressions + case
            when place_rank = 1
                then total_impressions - sum(part_impressions) over (partition by brand_id, week_start_date, channel_id)
            else 0
        end as bigint
    ) as impressions,
    cast(bridged_spend_usd as double precision) + spread_spend_usd as modelled_spend_usd
from rounded
