with newest_run as (
    {{ latest_run('segment_response') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    output.week_start_date,
    output.dma_id,
    cast(output.segment_id as varchar(8)) as segment_id,
    output.customers,
    output.share
from {{ source('runs_segments', 'segment_share_week') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
