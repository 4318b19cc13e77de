with latest as (
    {{ latest_run('geolift') }}
)

select
    lift.brand_id,
    lift.experiment_id,
    lift.channel_id,
    lift.kind,
    lift.method,
    lift.is_primary,
    lift.window_start,
    lift.window_end,
    lift.treated_dmas,
    lift.att,
    {{ money('lift.incremental_revenue_usd') }} as incremental_revenue_usd,
    {{ money('lift.std_error_usd') }} as std_error_usd,
    {{ money('lift.incremental_p025_usd') }} as incremental_p025_usd,
    {{ money('lift.incremental_p975_usd') }} as incremental_p975_usd,
    lift.lift_pct,
    lift.lift_ci_low,
    lift.lift_ci_high,
    lift.p_value,
    {{ money('lift.spend_usd') }} as spend_usd,
    lift.iroas,
    lift.iroas_ci_low,
    lift.iroas_ci_high,
    lift.pre_period_fit,
    lift.note,
    lift.run_id,
    lift.as_of_date
from {{ source('runs_causal', 'geo_lift') }} as lift
inner join latest
    on
        lift.brand_id = latest.brand_id
        and lift.run_id = latest.run_id
