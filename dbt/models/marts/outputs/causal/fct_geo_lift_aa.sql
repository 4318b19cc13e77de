with latest as (
    {{ latest_run('geolift') }}
)

select
    placebo.brand_id,
    placebo.method,
    placebo.duration_weeks,
    placebo.tests,
    placebo.significant,
    placebo.false_positive_rate,
    placebo.rate_low,
    placebo.rate_high,
    placebo.mean_abs_lift_pct,
    placebo.window_start,
    placebo.window_end,
    placebo.run_id,
    placebo.as_of_date
from {{ source('runs_causal', 'geo_lift_aa') }} as placebo
inner join latest
    on
        placebo.brand_id = latest.brand_id
        and placebo.run_id = latest.run_id
