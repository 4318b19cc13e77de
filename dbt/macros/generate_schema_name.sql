{#- Layers live in schemas of their own name (staging, intermediate, features, marts, seeds), the same on both engines:
    BI, the models and the grants name `marts.fct_pos_week`, never a developer's prefix. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
