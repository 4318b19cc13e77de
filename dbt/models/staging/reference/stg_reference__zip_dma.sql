select
    brand_id,
    map_id,
    {{ zip5('zip_code') }} as zip_code,
    lpad(trim(dma_code), 3, '0') as dma_code,
    dma_description,
    coalesce(cast(weight as double precision), 1) as weight,
    _delivered_at,
    _file_id,
    _line
from {{ source('reference', 'zip_dma') }}
