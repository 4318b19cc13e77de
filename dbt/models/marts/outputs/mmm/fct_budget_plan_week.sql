with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.channel_id,
    found.week_start_date,
    found.plan_week,
    cast(found.spend_usd as decimal(18, 4)) as spend_usd,
    cast(found.even_spend_usd as decimal(18, 4)) as even_spend_usd,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_plan_week') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
