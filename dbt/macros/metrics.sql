{#- The SQL of a metric of the semantic layer over rows that are already summed: marts take their ratios from models/semantic/metrics.yml,
    the only place that defines one. A ratio is of sums, null on a zero denominator, never averaged. -#}
{% macro metric(name) -%}
    {%- if execute -%}
        {%- set definition = graph.metrics['metric.' ~ project_name ~ '.' ~ name] -%}
        {%- if definition.type == 'derived' -%}
            {%- set input = definition.type_params.metrics[0].name -%}
            {{ definition.type_params.expr | replace(input, metric(input)) }}
        {%- else -%}
            {{ safe_divide(measure_column(definition.type_params.numerator.name), measure_column(definition.type_params.denominator.name)) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The column behind a metric of one measure: the expression of the measure, or its own name. -#}
{% macro measure_column(name) -%}
    {%- set found = [] -%}
    {%- for semantic_model in graph.semantic_models.values() -%}
        {%- for measure in semantic_model.measures if measure.name == name -%}
            {%- do found.append(measure.expr or measure.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if not found -%}{{ exceptions.raise_compiler_error('no measure ' ~ name ~ ' in models/semantic') }}{%- endif -%}
    {{ return(found[0]) }}
{%- endmacro %}
