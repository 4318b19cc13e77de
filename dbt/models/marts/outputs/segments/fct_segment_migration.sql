with newest_run as (
    {{ latest_run('segments') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    output.month_start_date,
    cast(output.from_segment_id as varchar(8)) as from_segment_id,
    cast(output.to_segment_id as varchar(8)) as to_segment_id,
    output.customers
from {{ source('runs_segments', 'segment_migration') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
