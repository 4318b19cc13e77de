{# One line that changes whenever a reference list (ZIP map, stores, products) changes: part of what incremental marts are built from. #}
with lists as (
    {% for model in ['stg_reference__zip_dma', 'stg_reference__store', 'stg_reference__product'] %}
    select
        count(*) as list_rows,
        coalesce(sum({{ epoch_seconds('_delivered_at') }}), 0) as list_stamp,
        {{ loop.index }} as list_number
    from {{ ref(model) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    md5(
        cast(sum(list_rows * list_number * list_number) as varchar(64))
        || '-' || cast(sum(list_stamp * list_number) as varchar(64))
    ) as reference_state
from lists
