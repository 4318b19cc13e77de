{# Each expenditure line with the first parent it names that does not exist; null when all do. #}
select
    line.brand_id,
    line.file_id,
    line.line_number,
    line.recipient_id,
    line.client_id,
    line.gift_id,
    line.quantity,
    line.price_usd,
    line.status,
    line.is_converted_answer,
    line._delivered_at as delivered_at,
    case
        when recipient.recipient_id is null then 'recipient_id'
        when client.client_id is null then 'client_id'
        when gift.gift_id is null then 'gift_id'
    end as orphan_field
from {{ ref('stg_alyce__expenditure') }} as line
left join {{ ref('stg_alyce__recipient') }} as recipient
    on
        line.brand_id = recipient.brand_id
        and line.recipient_id = recipient.recipient_id
left join {{ ref('stg_alyce__client') }} as client
    on
        line.brand_id = client.brand_id
        and line.client_id = client.client_id
left join {{ ref('stg_alyce__gift') }} as gift
    on
        line.brand_id = gift.brand_id
        and line.gift_id = gift.gift_id
