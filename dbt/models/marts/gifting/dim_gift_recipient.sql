select
    brand_id,
    recipient_id,
    recipient_name,
    sector,
    city,
    state_code,
    zip_code,
    is_zip_repaired
from {{ ref('stg_alyce__recipient') }}
