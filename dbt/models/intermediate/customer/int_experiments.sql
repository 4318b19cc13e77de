{# Registered experiments, one row per DMA and arm. #}
with arms as (
    select
        brand_id,
        experiment_id,
        channel_id,
        kind,
        start_date,
        end_date,
        'treated' as arm,
        treated_dmas as dmas,
        planned_spend_usd
    from {{ ref('stg_experiments__experiment') }}
    union all
    select
        brand_id,
        experiment_id,
        channel_id,
        kind,
        start_date,
        end_date,
        'control' as arm,
        control_dmas as dmas,
        planned_spend_usd
    from {{ ref('stg_experiments__experiment') }}
)

select
    arms.brand_id,
    arms.experiment_id,
    arms.channel_id,
    arms.kind,
    arms.start_date,
    arms.end_date,
    dma.dma_id,
    arms.arm,
    arms.planned_spend_usd
from arms
inner join {{ ref('dma') }} as dma
    on
        ';' || replace(arms.dmas, ' ', '') || ';' like '%;' || dma.dma_id || ';%'
        and dma.is_place
