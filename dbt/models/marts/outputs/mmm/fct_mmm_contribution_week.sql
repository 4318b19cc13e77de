with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.week_start_date,
    found.dma_id,
    found.component,
    found.component_kind,
    cast(found.revenue_usd as decimal(18, 4)) as revenue_usd,
    cast(found.revenue_p05_usd as decimal(18, 4)) as revenue_p05_usd,
    cast(found.revenue_p95_usd as decimal(18, 4)) as revenue_p95_usd,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_contribution_week') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
