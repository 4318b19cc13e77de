{# Each week carries what came before: sum over lags of kernel weight times the spend of that many weeks ago, on a spine without gaps. #}
{{ config(materialized='table') }}
with media as (
    select * from {{ ref('int_media_dma_week') }}
),

carried as (
    select
        media.brand_id,
        media.channel_id,
        media.dma_id,
        media.week_number + kernel.lag as week_number,
        sum(cast(media.spend_usd as double precision) * kernel.weight) as adstock_spend_usd,
        sum(cast(media.impressions as double precision) * kernel.weight) as adstock_impressions
    from media
    inner join {{ ref('int_adstock__kernel') }} as kernel
        on media.channel_id = kernel.channel_id
    where media.spend_usd <> 0 or media.impressions <> 0
    group by media.brand_id, media.channel_id, media.dma_id, media.week_number + kernel.lag
)

select
    media.brand_id,
    media.week_start_date,
    media.channel_id,
    media.dma_id,
    media.spend_usd,
    media.impressions,
    coalesce(carried.adstock_spend_usd, 0) as adstock_spend_usd,
    coalesce(carried.adstock_impressions, 0) as adstock_impressions,
    media.modelled_spend_usd,
    media.modelled_spend_usd > 0 as is_modelled_geo
from media
left join carried
    on
        media.brand_id = carried.brand_id
        and media.channel_id = carried.channel_id
        and media.dma_id = carried.dma_id
        and media.week_number = carried.week_number
