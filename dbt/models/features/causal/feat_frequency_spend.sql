{# Spend of the channels that report frequency, by DMA, in the same windows. #}
with windows as (
    select
        brand_id,
        channel_id,
        grain,
        window_start,
        window_end
    from {{ ref('feat_frequency') }}
    group by brand_id, channel_id, grain, window_start, window_end
)

select
    windows.brand_id,
    windows.channel_id,
    media.dma_id,
    windows.window_start,
    windows.window_end,
    cast(sum(media.spend_usd) as double precision) as spend_usd
from windows
inner join {{ ref('fct_media_week') }} as media
    on
        windows.brand_id = media.brand_id
        and windows.channel_id = media.channel_id
        and media.week_start_date >= windows.window_start
        and media.week_start_date <= windows.window_end
group by windows.brand_id, windows.channel_id, media.dma_id, windows.window_start, windows.window_end
