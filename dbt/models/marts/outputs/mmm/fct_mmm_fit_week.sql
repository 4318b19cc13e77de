with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.week_start_date,
    found.actual_usd,
    found.fitted_usd,
    found.residual_usd,
    found.standardised_residual,
    found.normal_quantile,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_fit_week') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
