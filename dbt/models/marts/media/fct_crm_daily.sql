select
    brand_id,
    date_day,
    dma_id,
    channel_id,
    cast(sum(sends) as bigint) as sends,
    cast(sum(opens) as bigint) as opens,
    cast(sum(machine_opens) as bigint) as machine_opens,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(unsubscribes) as bigint) as unsubscribes,
    cast(sum(clips) as bigint) as clips,
    cast(sum(redemptions) as bigint) as redemptions,
    {{ money('sum(redemption_value_usd)') }} as redemption_value_usd,
    {{ money('sum(discount_usd)') }} as discount_usd,
    {{ money('sum(spend_usd)') }} as spend_usd
from {{ ref('int_crm_daily') }}
group by brand_id, date_day, dma_id, channel_id
