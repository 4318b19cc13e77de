{#- The Sunday on or before a date: the published week (retail 4-5-4, Amazon Vendor). date_trunc('week') is a Monday on both
    engines, so shift by one day. -#}
{% macro week_start(date_expression) -%}
    (cast(date_trunc('week', cast({{ date_expression }} as date) + 1) as date) - 1)
{%- endmacro %}

{#- The Saturday on or before a date: Walmart's week. -#}
{% macro walmart_week_start(date_expression) -%}
    (cast(date_trunc('week', cast({{ date_expression }} as date) + 2) as date) - 2)
{%- endmacro %}

{#- The Monday on or before a date: ISO and Meta weeks. -#}
{% macro iso_week_start(date_expression) -%}
    cast(date_trunc('week', cast({{ date_expression }} as date)) as date)
{%- endmacro %}

{#- Whole days from one date to another, as an integer. -#}
{% macro days_between(from_date, to_date) -%}
    cast((cast({{ to_date }} as date) - cast({{ from_date }} as date)) as integer)
{%- endmacro %}

{#- A date as the integer yyyymmdd. -#}
{% macro date_id(date_expression) -%}
    cast(
        extract(year from {{ date_expression }}) * 10000
        + extract(month from {{ date_expression }}) * 100
        + extract(day from {{ date_expression }}) as integer
    )
{%- endmacro %}

{#- A timestamp moved by a whole number of days (date arithmetic on timestamps differs between the engines). -#}
{% macro add_days(timestamp_expression, days) -%} {{ adapter.dispatch('add_days', 'warehouse')(timestamp_expression, days) }} {%- endmacro %}
{% macro default__add_days(timestamp_expression, days) -%}
    (cast({{ timestamp_expression }} as timestamp) + cast({{ days }} as integer) * interval '1 day')
{%- endmacro %}
{% macro redshift__add_days(timestamp_expression, days) -%}
    dateadd(day, {{ days }}, cast({{ timestamp_expression }} as timestamp))
{%- endmacro %}

{#- A timestamp moved by a number of seconds. -#}
{% macro add_seconds(timestamp_expression, seconds) -%} {{ adapter.dispatch('add_seconds', 'warehouse')(timestamp_expression, seconds) }} {%- endmacro %}
{% macro default__add_seconds(timestamp_expression, seconds) -%}
    ({{ timestamp_expression }} + cast({{ seconds }} as integer) * interval '1 second')
{%- endmacro %}
{% macro redshift__add_seconds(timestamp_expression, seconds) -%}
    dateadd(second, {{ seconds }}, {{ timestamp_expression }})
{%- endmacro %}
