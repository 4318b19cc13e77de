select
    brand_id,
    experiment_id,
    channel_id,
    design,
    kind,
    start_date,
    end_date,
    treated_dmas,
    control_dmas,
    planned_spend_usd,
    registered_at
from {{ source('experiments', 'experiments') }}
