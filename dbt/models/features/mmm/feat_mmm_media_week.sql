{# Paid media of each DMA and week as the mix model reads it: spend and impressions, placed, gap-free. #}
select
    media.brand_id,
    media.week_start_date,
    media.dma_id,
    media.channel_id,
    cast(media.spend_usd as double precision) as spend_usd,
    cast(media.impressions as double precision) as impressions,
    channel.channel_group,
    channel.is_demand_chasing
from {{ ref('fct_media_adstock_week') }} as media
inner join {{ ref('dim_channel') }} as channel
    on media.channel_id = channel.channel_id
