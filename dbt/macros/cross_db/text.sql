{#- A JSON object's member as text; null where absent or empty (Redshift answers '' for a missing key, DuckDB null). -#}
{% macro json_text(column, key) -%} {{ adapter.dispatch('json_text', 'warehouse')(column, key) }} {%- endmacro %}
{% macro default__json_text(column, key) -%}
    nullif(json_extract_string({{ column }}, '$.{{ key }}'), '')
{%- endmacro %}
{% macro redshift__json_text(column, key) -%}
    nullif(json_extract_path_text({{ column }}, '{{ key }}', true), '')
{%- endmacro %}

{#- From a JSON array of objects, the member `want` of the first object whose `key` equals `value`, as text; null if none.
    Meta lists one conversion under several action types; this picks exactly one of them. Redshift looks at the first
    `size` elements. -#}
{% macro json_array_pick(column, key, value, want, size=12) -%}
    {{ adapter.dispatch('json_array_pick', 'warehouse')(column, key, value, want, size) }}
{%- endmacro %}
{% macro default__json_array_pick(column, key, value, want, size) -%}
    nullif(json_extract_string(
        list_filter(
            from_json(coalesce({{ column }}, '[]'), '["JSON"]'),
            lambda element: json_extract_string(element, '$.{{ key }}') = '{{ value }}'
        )[1], '$.{{ want }}'
    ), '')
{%- endmacro %}
{% macro redshift__json_array_pick(column, key, value, want, size) -%}
    case
    {%- for i in range(size) %}
        when json_extract_path_text(json_extract_array_element_text({{ column }}, {{ i }}, true), '{{ key }}', true) = '{{ value }}'
            then nullif(json_extract_path_text(json_extract_array_element_text({{ column }}, {{ i }}, true), '{{ want }}', true), '')
    {%- endfor %}
    end
{%- endmacro %}

{#- All matches of a pattern replaced (DuckDB replaces the first unless told). POSIX classes only: the engines share those. -#}
{% macro regex_replace(column, pattern, replacement='') -%} {{ adapter.dispatch('regex_replace', 'warehouse')(column, pattern, replacement) }} {%- endmacro %}
{% macro default__regex_replace(column, pattern, replacement) -%}
    regexp_replace({{ column }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}
{% macro redshift__regex_replace(column, pattern, replacement) -%}
    regexp_replace({{ column }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}

{#- The first match of a pattern, null if none. -#}
{% macro regex_substr(column, pattern) -%} {{ adapter.dispatch('regex_substr', 'warehouse')(column, pattern) }} {%- endmacro %}
{% macro default__regex_substr(column, pattern) -%}
    nullif(regexp_extract({{ column }}, '{{ pattern }}'), '')
{%- endmacro %}
{% macro redshift__regex_substr(column, pattern) -%}
    nullif(regexp_substr({{ column }}, '{{ pattern }}'), '')
{%- endmacro %}

{#- Does a pattern occur? -#}
{% macro regex_matches(column, pattern) -%} {{ adapter.dispatch('regex_matches', 'warehouse')(column, pattern) }} {%- endmacro %}
{% macro default__regex_matches(column, pattern) -%}
    regexp_matches({{ column }}, '{{ pattern }}')
{%- endmacro %}
{% macro redshift__regex_matches(column, pattern) -%}
    ({{ column }} ~ '{{ pattern }}')
{%- endmacro %}

{#- Values of a group joined in an order. One order per query on Redshift. -#}
{% macro join_text(expression, separator, order_by) -%} {{ adapter.dispatch('join_text', 'warehouse')(expression, separator, order_by) }} {%- endmacro %}
{% macro default__join_text(expression, separator, order_by) -%}
    string_agg({{ expression }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}
{% macro redshift__join_text(expression, separator, order_by) -%}
    listagg({{ expression }}, '{{ separator }}') within group (order by {{ order_by }})
{%- endmacro %}

{#- Part n (from 1) of a text; null where there is none (Redshift answers ''). -#}
{% macro text_part(column, separator, part) -%} nullif(split_part({{ column }}, '{{ separator }}', {{ part }}), '') {%- endmacro %}

{#- An optional text with a stand-in for null and blank. -#}
{% macro text_or(column, fallback) -%} coalesce(nullif(trim({{ column }}), ''), '{{ fallback }}') {%- endmacro %}
