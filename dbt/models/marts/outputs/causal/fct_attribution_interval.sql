with latest as (
    {{ latest_run('attribution') }}
)

select
    found.brand_id,
    found.window_name,
    found.window_start,
    found.window_end,
    found.model,
    found.channel_id,
    found.share,
    found.share_low,
    found.share_high,
    found.conversions,
    removal.removal_effect,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_causal', 'attribution_interval') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
left join {{ source('runs_causal', 'attribution_removal') }} as removal
    on
        found.brand_id = removal.brand_id
        and found.run_id = removal.run_id
        and found.window_name = removal.window_name
        and found.channel_id = removal.channel_id
        and found.model = 'markov'
        and removal.markov_order = 1
