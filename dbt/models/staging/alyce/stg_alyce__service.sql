select
    brand_id,
    trim(service_id) as service_id,
    trim(service_name) as service_name
from {{ source('alyce', 'alyce_services') }}
