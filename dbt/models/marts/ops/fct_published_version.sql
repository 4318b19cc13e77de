select
    version,
    content_hash,
    published_at,
    as_of_date,
    marts_rows,
    code_version
from {{ source('runs', 'published_version') }}
