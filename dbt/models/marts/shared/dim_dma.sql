select
    dma_id,
    dma_name,
    coalesce(state_list, '') as state_list,
    nielsen_rank,
    tv_homes,
    coalesce(aliases, '') as aliases,
    is_place,
    source,
    vintage
from {{ ref('dma') }}
