select
    brand_id,
    feed,
    sha256,
    file_name,
    code,
    detail,
    row_count
from {{ source('intake', 'warning') }}
