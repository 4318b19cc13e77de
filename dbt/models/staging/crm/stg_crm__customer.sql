select
    brand_id,
    person_key,
    email_hash,
    {{ zip5('zip') }} as zip_code,
    created_at as created_date,
    household_size,
    preferred_retailer,
    _delivered_at
from {{ source('crm', 'crm_customers') }}
