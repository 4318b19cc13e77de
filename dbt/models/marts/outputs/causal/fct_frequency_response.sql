with latest as (
    {{ latest_run('frequency') }}
)

select
    response.brand_id,
    response.channel_id,
    response.shape,
    response.knee_frequency,
    response.knee_p05,
    response.knee_p95,
    response.slope_before,
    response.slope_after,
    response.dispersion,
    response.clickouts,
    response.note,
    response.run_id,
    response.as_of_date
from {{ source('runs_causal', 'frequency_response') }} as response
inner join latest
    on
        response.brand_id = latest.brand_id
        and response.run_id = latest.run_id
