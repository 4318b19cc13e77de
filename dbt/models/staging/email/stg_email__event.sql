select
    brand_id,
    event_id,
    event_type,
    event_ts,
    cast(event_ts as date) as date_day,
    person_key,
    campaign_id,
    message_id,
    {{ zip5('zip') }} as zip_code,
    user_agent,
    _delivered_at,
    _file_id,
    _line
from {{ source('email', 'email_events') }}
