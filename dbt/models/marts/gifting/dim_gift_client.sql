select
    brand_id,
    client_id,
    client_name,
    sector,
    city,
    state_code,
    zip_code,
    is_zip_repaired
from {{ ref('stg_alyce__client') }}
