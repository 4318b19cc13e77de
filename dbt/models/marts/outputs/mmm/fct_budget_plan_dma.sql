with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.channel_id,
    found.dma_id,
    cast(found.current_spend_usd as decimal(18, 4)) as current_spend_usd,
    cast(found.spend_usd as decimal(18, 4)) as spend_usd,
    cast(found.spend_change_usd as decimal(18, 4)) as spend_change_usd,
    cast(found.current_revenue_usd as decimal(18, 4)) as current_revenue_usd,
    cast(found.incremental_revenue_usd as decimal(18, 4)) as incremental_revenue_usd,
    found.horizon_weeks,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_plan_dma') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
