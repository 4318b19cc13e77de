with latest as (
    {{ latest_run('mediation') }}
)

select
    found.brand_id,
    found.mediator,
    found.channel_id,
    found.direct_effect,
    found.direct_p05,
    found.direct_p95,
    found.indirect_effect,
    found.indirect_p05,
    found.indirect_p95,
    found.share_mediated,
    found.share_p05,
    found.share_p95,
    found.verdict,
    found.robustness_value,
    found.instrument_f,
    latest.run_id,
    latest.as_of_date
from {{ source('runs_mmm', 'mediation') }} as found
inner join latest
    on
        found.brand_id = latest.brand_id
        and found.run_id = latest.run_id
