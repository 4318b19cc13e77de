{# Carried-over spend per TV home of each paid channel by place and week, and whether the place is known or given by a rule. #}
select
    media.brand_id,
    media.week_start_date,
    media.dma_id,
    media.channel_id,
    channel.is_demand_chasing,
    media.is_modelled_geo,
    cast(dma.tv_homes as double precision) as tv_homes,
    {{ safe_divide('media.adstock_spend_usd', 'dma.tv_homes') }} as pressure_usd_per_home,
    proxy.search_interest
from {{ ref('fct_media_adstock_week') }} as media
inner join {{ ref('dma') }} as dma
    on
        media.dma_id = dma.dma_id
        and dma.is_place
inner join {{ ref('dim_channel') }} as channel
    on media.channel_id = channel.channel_id
left join {{ ref('int_demand_proxy_week') }} as proxy
    on
        media.brand_id = proxy.brand_id
        and media.week_start_date = proxy.week_start_date
        and media.dma_id = proxy.dma_id
where channel.channel_group <> 'crm'
