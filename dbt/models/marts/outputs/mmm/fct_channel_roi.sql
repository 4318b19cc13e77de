with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.channel_id,
    found.window_name,
    found.window_start,
    found.window_end,
    cast(found.spend_usd as decimal(18, 4)) as spend_usd,
    cast(found.contribution_usd as decimal(18, 4)) as contribution_usd,
    cast(found.contribution_p05_usd as decimal(18, 4)) as contribution_p05_usd,
    cast(found.contribution_p95_usd as decimal(18, 4)) as contribution_p95_usd,
    found.roi,
    found.roi_p05,
    found.roi_p95,
    found.marginal_roi,
    found.marginal_roi_p05,
    found.marginal_roi_p95,
    found.is_supported,
    found.note,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_channel_roi') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
