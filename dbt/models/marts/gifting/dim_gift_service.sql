select
    brand_id,
    service_id,
    service_name
from {{ ref('stg_alyce__service') }}
