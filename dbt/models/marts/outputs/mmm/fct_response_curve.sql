with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.channel_id,
    cast(found.spend_per_week_usd as decimal(18, 4)) as spend_per_week_usd,
    cast(found.incremental_revenue_usd as decimal(18, 4)) as incremental_revenue_usd,
    cast(found.p05_usd as decimal(18, 4)) as p05_usd,
    cast(found.p95_usd as decimal(18, 4)) as p95_usd,
    found.is_observed,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_response_curve') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
