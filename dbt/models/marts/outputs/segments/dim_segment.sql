with newest_run as (
    {{ latest_run('segments') }}
)

select
    output.brand_id,
    output.run_id,
    output.as_of_date,
    cast(output.segment_id as varchar(8)) as segment_id,
    output.segment_name,
    output.description,
    output.customers,
    output.share,
    output.expected_purchases_52w,
    output.expected_value_52w_usd,
    output.probability_active,
    output.is_value_supported,
    output.value_note
from {{ source('runs_segments', 'segment') }} as output
inner join newest_run
    on
        output.brand_id = newest_run.brand_id
        and output.run_id = newest_run.run_id
