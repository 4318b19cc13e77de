with newest_run as (
    {{ latest_run('segments') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    output.measure,
    output.entity,
    output.observations,
    output.estimate,
    output.ci_low,
    output.ci_high,
    output.is_supported,
    output.note
from {{ source('runs_segments', 'gift_response') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
