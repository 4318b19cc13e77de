with latest as (
    {{ latest_run('budget') }}
)

select
    found.brand_id,
    found.scenario,
    found.channel_id,
    cast(found.spend_usd as decimal(18, 4)) as spend_usd,
    cast(found.spend_change_usd as decimal(18, 4)) as spend_change_usd,
    cast(found.incremental_revenue_usd as decimal(18, 4)) as incremental_revenue_usd,
    cast(found.p05_usd as decimal(18, 4)) as p05_usd,
    cast(found.p95_usd as decimal(18, 4)) as p95_usd,
    found.probability_of_gain,
    found.is_extrapolated,
    found.horizon_weeks,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'budget_scenario') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
