{# The state of all retailers' sales by published week: read once a run, compared with what fct_pos_daily was built from. #}
{{ config(materialized='table') }}
with sold as (
    {% for model, day in [('stg_amazon_vendor__sales', 'week_start_date'), ('stg_walmart__store_sales', 'date_day'), ('stg_target__sales', 'week_start_date')] %}
    {{ partition_state(ref(model), day) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    {{ week_start('partition_day') }} as partition_day,
    cast(sum(source_rows) as bigint) as source_rows,
    cast(sum(source_stamp) as bigint) as source_stamp
from sold
group by {{ week_start('partition_day') }}
