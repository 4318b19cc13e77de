with newest_run as (
    {{ latest_run('segments') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    output.model,
    output.cutoff_date,
    output.wape,
    output.is_best
from {{ source('runs_segments', 'geo_cluster_score') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
