with latest as (
    {{ latest_run('frequency') }}
)

select
    waste.brand_id,
    waste.channel_id,
    waste.dma_id,
    waste.window_start,
    waste.window_end,
    waste.knee_frequency,
    waste.knee_p05,
    waste.knee_p95,
    waste.spend_usd,
    waste.waste_usd,
    waste.waste_p05_usd,
    waste.waste_p95_usd,
    waste.is_assumed,
    waste.run_id,
    waste.as_of_date
from {{ source('runs_causal', 'frequency_waste') }} as waste
inner join latest
    on
        waste.brand_id = latest.brand_id
        and waste.run_id = latest.run_id
