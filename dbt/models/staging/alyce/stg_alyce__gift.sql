select
    brand_id,
    trim(gift_id) as gift_id,
    trim(gift_name) as gift_name
from {{ source('alyce', 'alyce_giftdata') }}
