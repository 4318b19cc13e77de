select
    brand_id,
    trim(client_id) as client_id,
    trim(name) as client_name,
    trim(sector) as sector,
    trim(city) as city,
    upper(trim(statecode)) as state_code,
    {{ zip5('zipcode') }} as zip_code,
    length(trim(zipcode)) < 5 as is_zip_repaired
from {{ source('alyce', 'alyce_client') }}
