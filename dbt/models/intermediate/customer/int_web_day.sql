{# The state of the clickstream by day: read once a run, compared with what the incremental marts were built from. #}
{{ config(materialized='table') }}
select
    date_day as partition_day,
    count(*) as source_rows,
    cast(sum({{ epoch_seconds('_delivered_at') }}) as bigint) as source_stamp
from {{ ref('stg_web__event') }}
group by date_day
