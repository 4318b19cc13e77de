select
    reach.brand_id,
    reach.week_start_date,
    coalesce(channels.channel_id, 'unmapped') as channel_id,
    case when reach.dma_code = '000' then '000' else coalesce(dma.dma_id, '999') end as dma_id,
    cast(reach.frequency_group as integer) as frequency_group,
    cast(sum(reach.reach_persons) as bigint) as reach_persons,
    cast(sum(reach.impressions) as bigint) as impressions,
    cast(sum(reach.clickouts) as bigint) as clickouts
from {{ ref('stg_reach__frequency_week') }} as reach
left join {{ ref('dma') }} as dma
    on reach.dma_code = dma.dma_id
left join {{ ref('channels') }} as channels
    on reach.channel_id = channels.channel_id
group by
    reach.brand_id,
    reach.week_start_date,
    coalesce(channels.channel_id, 'unmapped'),
    case when reach.dma_code = '000' then '000' else coalesce(dma.dma_id, '999') end,
    cast(reach.frequency_group as integer)
