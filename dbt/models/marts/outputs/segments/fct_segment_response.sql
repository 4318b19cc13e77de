with newest_run as (
    {{ latest_run('segment_response') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    cast(output.segment_id as varchar(8)) as segment_id,
    output.channel_id,
    output.effect,
    output.effect_p05,
    output.effect_p95,
    output.std_error,
    output.is_supported,
    cast(coalesce(output.note, '') as varchar(256)) as note
from {{ source('runs_segments', 'segment_response') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
