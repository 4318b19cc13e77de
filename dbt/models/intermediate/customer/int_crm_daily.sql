{# E-mail and coupon events by day and place; a machine open is an open without a person. #}
with email as (
    select
        event.brand_id,
        event.date_day,
        coalesce(zip.dma_id, '999') as dma_id,
        'email' as channel_id,
        event.campaign_id,
        sum(case when event.event_type = 'Received Email' then 1 else 0 end) as sends,
        sum(case when event.event_type = 'Opened Email' and not coalesce(agent.is_machine_open, false) then 1 else 0 end) as opens,
        sum(case when event.event_type = 'Opened Email' and coalesce(agent.is_machine_open, false) then 1 else 0 end) as machine_opens,
        sum(case when event.event_type = 'Clicked Email' and not coalesce(agent.is_bot, false) then 1 else 0 end) as clicks,
        sum(case when event.event_type = 'Unsubscribed' then 1 else 0 end) as unsubscribes,
        0 as clips,
        0 as redemptions,
        cast(0 as decimal(18, 6)) as redemption_value_usd,
        cast(0 as decimal(18, 6)) as discount_usd
    from {{ ref('stg_email__event') }} as event
    left join {{ ref('int_place_zip') }} as zip
        on
            event.brand_id = zip.brand_id
            and event.zip_code = zip.zip_code
            and zip.dma_rank = 1
    left join {{ ref('int_user_agent') }} as agent
        on event.user_agent = agent.user_agent
    group by event.brand_id, event.date_day, coalesce(zip.dma_id, '999'), event.campaign_id
),

coupon as (
    select
        event.brand_id,
        event.date_day,
        coalesce(zip.dma_id, '999') as dma_id,
        'coupon' as channel_id,
        event.coupon_id as campaign_id,
        0 as sends,
        0 as opens,
        0 as machine_opens,
        0 as clicks,
        0 as unsubscribes,
        sum(case when event.event_type = 'clip' then 1 else 0 end) as clips,
        sum(case when event.event_type = 'redeem' then 1 else 0 end) as redemptions,
        sum(case when event.event_type = 'redeem' then coalesce(event.basket_value_usd, 0) else 0 end) as redemption_value_usd,
        sum(case when event.event_type = 'redeem' then coalesce(event.discount_usd, 0) else 0 end) as discount_usd
    from {{ ref('stg_coupon__event') }} as event
    left join {{ ref('int_place_zip') }} as zip
        on
            event.brand_id = zip.brand_id
            and event.zip_code = zip.zip_code
            and zip.dma_rank = 1
    group by event.brand_id, event.date_day, coalesce(zip.dma_id, '999'), event.coupon_id
),

both_channels as (
    select * from email
    union all
    select * from coupon
),

rates as (
    select
        channel_id,
        sum(case when event_type = 'sends' then rate_usd else 0 end) as send_rate,
        sum(case when event_type = 'redemptions' then rate_usd else 0 end) as redemption_rate,
        sum(case when event_type = 'discount_usd' then rate_usd else 0 end) as discount_rate
    from {{ ref('cost_rules') }}
    group by channel_id
)

select
    both_channels.brand_id,
    both_channels.date_day,
    both_channels.dma_id,
    both_channels.channel_id,
    coalesce(both_channels.campaign_id, 'none') as campaign_id,
    cast(both_channels.sends as bigint) as sends,
    cast(both_channels.opens as bigint) as opens,
    cast(both_channels.machine_opens as bigint) as machine_opens,
    cast(both_channels.clicks as bigint) as clicks,
    cast(both_channels.unsubscribes as bigint) as unsubscribes,
    cast(both_channels.clips as bigint) as clips,
    cast(both_channels.redemptions as bigint) as redemptions,
    both_channels.redemption_value_usd,
    both_channels.discount_usd,
    cast(
        both_channels.sends * coalesce(rates.send_rate, 0)
        + both_channels.redemptions * coalesce(rates.redemption_rate, 0)
        + both_channels.discount_usd * coalesce(rates.discount_rate, 0) as decimal(18, 6)
    ) as spend_usd
from both_channels
left join rates
    on both_channels.channel_id = rates.channel_id
