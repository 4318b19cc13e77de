{# One line that changes whenever a reference list (ZIP map, stores, products) changes: part of what incremental marts are built from. #}
with lists as (
    {% for model in ['stg_reference__zip_dma', 'stg_reference__store', 'stg_reference__product'] %}
    {{ partition_state(ref(model), 'cast(' ~ loop.index ~ ' as integer)') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select md5(cast(coalesce(sum(source_rows * partition_day), 0) as varchar(64)) || '-' || cast(coalesce(sum(source_stamp), 0) as varchar(64))) as reference_state
from lists
