{# Sales and their causes by place and week, per TV home: what clusters of places are made of and what their models explain. #}
with sales as (
    select
        brand_id,
        week_start_date,
        dma_id,
        sum(revenue_usd) as revenue_usd,
        sum(case when retailer_id = 'amazon' then revenue_usd else 0 end) as amazon_usd,
        sum(case when retailer_id = 'walmart' then revenue_usd else 0 end) as walmart_usd,
        {{ safe_divide('sum(revenue_usd * price_index)', 'sum(case when price_index is not null then revenue_usd end)') }} as price_index,
        {{ safe_divide('sum(revenue_usd * promo_index)', 'sum(revenue_usd)') }} as promo_index,
        min(case when is_complete then 1 else 0 end) as complete
    from {{ ref('int_price_promo_week') }}
    group by brand_id, week_start_date, dma_id
),

media as (
    select
        media_week.brand_id,
        media_week.week_start_date,
        media_week.dma_id,
        sum(case when channel.channel_group = 'video' then media_week.adstock_spend_usd else 0 end) as video_usd,
        sum(case when channel.channel_group = 'social' then media_week.adstock_spend_usd else 0 end) as social_usd,
        sum(case when channel.channel_group = 'search' then media_week.adstock_spend_usd else 0 end) as search_usd,
        sum(case when channel.channel_group = 'rmn' then media_week.adstock_spend_usd else 0 end) as rmn_usd
    from {{ ref('fct_media_adstock_week') }} as media_week
    inner join {{ ref('dim_channel') }} as channel
        on media_week.channel_id = channel.channel_id
    group by media_week.brand_id, media_week.week_start_date, media_week.dma_id
)

select
    sales.brand_id,
    sales.week_start_date,
    sales.dma_id,
    cast(dma.tv_homes as double precision) as tv_homes,
    cast(sales.revenue_usd as double precision) as revenue_usd,
    {{ safe_divide('sales.amazon_usd', 'sales.revenue_usd') }} as amazon_share,
    {{ safe_divide('sales.walmart_usd', 'sales.revenue_usd') }} as walmart_share,
    sales.price_index,
    sales.promo_index,
    {{ safe_divide('coalesce(media.video_usd, 0)', 'dma.tv_homes') }} as video_usd_per_home,
    {{ safe_divide('coalesce(media.social_usd, 0)', 'dma.tv_homes') }} as social_usd_per_home,
    {{ safe_divide('coalesce(media.search_usd, 0)', 'dma.tv_homes') }} as search_usd_per_home,
    {{ safe_divide('coalesce(media.rmn_usd, 0)', 'dma.tv_homes') }} as rmn_usd_per_home,
    proxy.search_interest,
    proxy.temperature_f,
    sales.complete = 1 as is_complete
from sales
inner join {{ ref('dma') }} as dma
    on
        sales.dma_id = dma.dma_id
        and dma.is_place
left join media
    on
        sales.brand_id = media.brand_id
        and sales.week_start_date = media.week_start_date
        and sales.dma_id = media.dma_id
left join {{ ref('int_demand_proxy_week') }} as proxy
    on
        sales.brand_id = proxy.brand_id
        and sales.week_start_date = proxy.week_start_date
        and sales.dma_id = proxy.dma_id
