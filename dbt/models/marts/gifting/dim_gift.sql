select
    brand_id,
    gift_id,
    gift_name
from {{ ref('stg_alyce__gift') }}
