{#- What a row was built with, as a text literal: a hash over the content of every seed (the registries) and over this model's own
    code. Incremental marts keep it beside their rows, so a changed registry or a changed model rebuilds what it touches. -#}
{% macro registry_version() -%}
    {%- if execute -%}
        {%- set parts = [] -%}
        {%- for node in graph.nodes.values() | sort(attribute='unique_id') -%}
            {%- if node.resource_type == 'seed' or node.unique_id == model.unique_id -%}
                {%- do parts.append(node.unique_id ~ ':' ~ node.checksum.checksum) -%}
            {%- endif -%}
        {%- endfor -%}
        '{{ local_md5(parts | join("|")) }}'
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}
