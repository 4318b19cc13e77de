{# Comscore markets are not Nielsen DMAs: the bridge (flagged as modelled) splits a market by weight. The split is rounded to
   the sixth decimal and the heaviest DMA takes what rounding leaves, so money is conserved exactly. #}
with ads as (
    select
        brand_id,
        date_day,
        platform,
        account_id,
        campaign_id,
        campaign_name,
        comscore_market_code,
        sum(impressions) as impressions,
        sum(clicks) as clicks,
        sum(spend_usd) as spend_usd,
        sum(platform_conversions) as platform_conversions,
        sum(platform_value_usd) as platform_value_usd,
        max(_delivered_at) as delivered_at
    from {{ ref('stg_meta_ads__ad') }}
    group by brand_id, date_day, platform, account_id, campaign_id, campaign_name, comscore_market_code
),

bridge as (
    select
        bridge.comscore_market_code,
        bridge.dma_id,
        {{ safe_divide('bridge.weight', 'totals.weight') }} as share,
        row_number() over (
            partition by bridge.comscore_market_code
            order by bridge.weight desc, bridge.dma_id
        ) as dma_rank
    from {{ ref('comscore_market_dma') }} as bridge
    inner join (
        select
            comscore_market_code,
            sum(weight) as weight
        from {{ ref('comscore_market_dma') }}
        group by comscore_market_code
    ) as totals
        on bridge.comscore_market_code = totals.comscore_market_code
),

split as (
    select
        ads.brand_id,
        ads.date_day,
        ads.platform,
        ads.account_id,
        ads.campaign_id,
        ads.campaign_name,
        ads.comscore_market_code,
        case
            when bridge.dma_id is not null then bridge.dma_id
            when nullif(ads.comscore_market_code, '') is null then '000'
            else '999'
        end as dma_id,
        coalesce(bridge.dma_rank, 1) as dma_rank,
        coalesce(bridge.share, 1) as share,
        ads.delivered_at,
        {%- for measure, scale in [('impressions', 0), ('clicks', 0), ('spend_usd', 6), ('platform_conversions', 6), ('platform_value_usd', 6)] %}
        ads.{{ measure }} as total_{{ measure }},
        cast(round(cast(ads.{{ measure }} as double precision) * coalesce(bridge.share, 1), {{ scale }}) as decimal(24, 6)) as part_{{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from ads
    left join bridge
        on ads.comscore_market_code = bridge.comscore_market_code
),

{# Only a market that is really split needs the window; a market with one DMA passes through. #}
settled as (
    select
        brand_id,
        date_day,
        platform,
        account_id,
        campaign_id,
        campaign_name,
        dma_id,
        delivered_at,
        {%- for measure in ['impressions', 'clicks', 'spend_usd', 'platform_conversions', 'platform_value_usd'] %}
        part_{{ measure }} + case
            when dma_rank = 1
                then total_{{ measure }} - sum(part_{{ measure }}) over (
                    partition by brand_id, date_day, account_id, campaign_id, campaign_name, comscore_market_code
                )
            else 0
        end as {{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from split
    where share <> 1
    union all
    select
        brand_id,
        date_day,
        platform,
        account_id,
        campaign_id,
        campaign_name,
        dma_id,
        delivered_at,
        {%- for measure in ['impressions', 'clicks', 'spend_usd', 'platform_conversions', 'platform_value_usd'] %}
        total_{{ measure }} as {{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from split
    where share = 1
)

select
    brand_id,
    date_day,
    platform,
    account_id,
    campaign_id,
    max(campaign_name) as campaign_name,
    dma_id,
    cast(sum(impressions) as bigint) as impressions,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(spend_usd) as decimal(24, 6)) as spend_usd,
    cast(sum(platform_conversions) as decimal(24, 6)) as platform_conversions,
    cast(sum(platform_value_usd) as decimal(24, 6)) as platform_value_usd,
    max(delivered_at) as delivered_at
from settled
group by brand_id, date_day, platform, account_id, campaign_id, dma_id
