select
    brand_id,
    feed,
    sha256,
    file_name,
    line as line_number,
    reason,
    field as field_name,
    row_text,
    delivered_at,
    run_id,
    released_by
from {{ source('intake', 'quarantine') }}
