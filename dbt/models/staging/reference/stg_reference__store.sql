select
    brand_id,
    lower(trim(retailer_id)) as retailer_id,
    trim(store_nbr) as store_id,
    {{ zip5('zip') }} as zip_code,
    city,
    upper(trim(state)) as state_code,
    _delivered_at,
    _file_id,
    _line
from {{ source('reference', 'store_locations') }}
