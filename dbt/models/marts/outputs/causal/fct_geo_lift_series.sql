with latest as (
    {{ latest_run('geolift') }}
)

select
    series.brand_id,
    series.experiment_id,
    series.date_day,
    series.observed,
    series.counterfactual,
    series.low,
    series.high,
    series.run_id,
    series.as_of_date
from {{ source('runs_causal', 'geo_lift_series') }} as series
inner join latest
    on
        series.brand_id = latest.brand_id
        and series.run_id = latest.run_id
