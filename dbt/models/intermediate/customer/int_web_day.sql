{# The state of the clickstream by day: read once a run, compared with what the incremental marts were built from. #}
{{ config(materialized='table') }}
{{ partition_state(ref('stg_web__event'), 'date_day') }}
