select
    brand_id,
    _file_id as file_id,
    _line as line_number,
    trim(client_id) as client_id,
    trim(service_id) as service_id,
    total_gifts,
    total_amount as total_amount_usd
from {{ source('alyce', 'alyce_facts') }}
