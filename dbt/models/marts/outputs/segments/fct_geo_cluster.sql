with newest_run as (
    {{ latest_run('segments') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    output.dma_id,
    output.cluster_id,
    output.cluster_name,
    output.description
from {{ source('runs_segments', 'geo_cluster') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
