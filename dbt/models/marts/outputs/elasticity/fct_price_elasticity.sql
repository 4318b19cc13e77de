with latest as (
    {{ latest_run('elasticity') }}
)

select
    found.brand_id,
    found.scope,
    found.scope_id,
    found.estimate,
    found.ci_low,
    found.ci_high,
    found.promo_lift_pct,
    found.promo_lift_ci_low,
    found.promo_lift_ci_high,
    found.promo_lift_net_pct,
    found.promo_lift_net_ci_low,
    found.promo_lift_net_ci_high,
    found.interaction,
    found.interaction_ci_low,
    found.interaction_ci_high,
    found.std_error_kind,
    found.method,
    found.observations,
    found.window_start,
    found.window_end,
    found.note,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_elasticity', 'price_elasticity') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
