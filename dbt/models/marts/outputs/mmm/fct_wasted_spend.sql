with latest as (
    {{ latest_run('mmm') }}
)

select
    found.brand_id,
    found.channel_id,
    found.dma_id,
    cast(found.spend_usd as decimal(18, 4)) as spend_usd,
    found.marginal_roi,
    found.marginal_roi_p05,
    found.marginal_roi_p95,
    found.probability_wasted,
    cast(found.wasted_spend_usd as decimal(18, 4)) as wasted_spend_usd,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mmm_wasted_spend') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
