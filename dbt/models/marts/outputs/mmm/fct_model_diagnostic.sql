with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.model,
    found.metric,
    found.value,
    found.threshold,
    found.is_flagged,
    found.note,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_diagnostic') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
