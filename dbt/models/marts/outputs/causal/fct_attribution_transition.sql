select
    moves.brand_id,
    moves.window_name,
    moves.channel_from,
    moves.channel_to,
    moves.journeys,
    moves.journeys / sum(moves.journeys) over (partition by moves.brand_id, moves.window_name, moves.channel_from) as probability,
    latest.run_id,
    latest.as_of_date
from {{ ref('feat_attribution_transition') }} as moves
inner join (
    {{ latest_run('attribution') }}
) as latest
    on moves.brand_id = latest.brand_id
