select
    brand_id,
    {{ week_start('week_start') }} as week_start_date,
    {{ dma_digits('dma_code') }} as dma_code,
    cast(index_value as double precision) as search_interest,
    _delivered_at
from {{ source('demand', 'search_interest') }}
