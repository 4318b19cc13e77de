select
    {{ surrogate_key(['brand_id', 'file_id', 'line_number']) }} as expenditure_id,
    brand_id,
    recipient_id,
    client_id,
    gift_id,
    'gifting' as channel_id,
    cast(quantity as bigint) as quantity,
    {{ money('price_usd') }} as price_usd,
    {{ money('price_usd * quantity') }} as amount_usd,
    status,
    case lower(is_converted_answer) when 'yes' then true when 'no' then false end as is_converted
from {{ ref('int_gift_expenditure') }}
where orphan_field is null
