with newest_run as (
    {{ latest_run('segments') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    cast(output.segment_id as varchar(8)) as segment_id,
    output.feature,
    output.centroid,
    output.overall_mean
from {{ source('runs_segments', 'segment_profile') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
