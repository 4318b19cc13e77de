with newest_run as (
    {{ latest_run('segments') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    output.k,
    output.inertia,
    output.silhouette,
    output.stability,
    output.elbow_distance,
    output.mixture_bic,
    output.mixture_silhouette,
    output.mixture_agreement,
    output.is_chosen
from {{ source('runs_segments', 'segment_selection') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
