{# A view: the row of a version is written when it is published, after this model was built. #}
select
    version,
    content_hash,
    published_at,
    as_of_date,
    marts_rows,
    code_version
from {{ source('runs', 'published_version') }}
