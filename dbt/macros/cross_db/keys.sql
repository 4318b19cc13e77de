{#- A stable text key over columns: md5 of the parts, '~' for null. Parts may be text, integers, dates and decimals; never
    doubles (the engines print them differently). 32 characters. -#}
{% macro surrogate_key(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce(cast({{ column }} as varchar(1024)), '~'){% if not loop.last %} || '|' ||{% endif %}
        {%- endfor %}
    )
{%- endmacro %}
