with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.channel_id,
    found.robustness_value,
    found.robustness_value_interval,
    found.strongest_control,
    found.test_weeks,
    found.expected_effect_usd,
    found.test_std_error_usd,
    found.roi_sd,
    found.roi_sd_after,
    found.variance_reduction,
    found.test_rank,
    found.refresh_overlap,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_sensitivity') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
