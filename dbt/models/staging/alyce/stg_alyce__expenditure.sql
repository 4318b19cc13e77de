select
    brand_id,
    _file_id as file_id,
    _line as line_number,
    trim(recipient_id) as recipient_id,
    trim(client_id) as client_id,
    trim(gift_id) as gift_id,
    quantity,
    price as price_usd,
    trim(status) as status,
    trim(isconverted) as is_converted_answer,
    _delivered_at
from {{ source('alyce', 'alyce_clientexpenditure') }}
