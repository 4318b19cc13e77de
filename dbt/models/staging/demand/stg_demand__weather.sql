select
    brand_id,
    {{ week_start('week_start') }} as week_start_date,
    {{ dma_digits('dma_code') }} as dma_code,
    cast(temperature_f as double precision) as temperature_f,
    _delivered_at
from {{ source('demand', 'weather') }}
