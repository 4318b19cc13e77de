{#- The partitions of an incremental mart that no longer agree with their source, as a query of `partition`. A partition agrees when its
    number of source rows, the sum of their delivery seconds and what it was built with are all as they would be now. This finds
    new, late, restated, deleted and out-of-order rows alike, whatever order the files came in; a partition whose source is gone is
    stale too. `source_state` is a query of (partition, source_rows, source_stamp), `mart_state` the same plus built_with. -#}
{% macro stale_partitions(source_state, mart_state, built_with) -%}
    select compared.partition_day
    from (
        select
            both_states.partition_day,
            sum(both_states.source_rows) as row_difference,
            sum(both_states.source_stamp) as stamp_difference,
            max(case when both_states.built_with <> {{ built_with }} then 1 else 0 end) as is_outdated
        from (
            select
                source_state.partition_day,
                source_state.source_rows,
                source_state.source_stamp,
                {{ built_with }} as built_with
            from ({{ source_state }}) as source_state
            union all
            select
                mart_state.partition_day,
                -mart_state.source_rows,
                -mart_state.source_stamp,
                mart_state.built_with
            from ({{ mart_state }}) as mart_state
        ) as both_states
        group by both_states.partition_day
    ) as compared
    where compared.row_difference <> 0 or compared.stamp_difference <> 0 or compared.is_outdated = 1
{%- endmacro %}

{#- Run a query of dates and give them as a list of SQL date literals; a date that no calendar has if there is none. -#}
{% macro date_literals(query) -%}
    {%- set literals = [] -%}
    {%- if execute -%}
        {%- for row in run_query(query).rows -%}
            {%- do literals.append("date '" ~ (row[0] | string)[:10] ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(literals or ["date '1900-01-01'"]) }}
{%- endmacro %}

{#- Seconds since 1970 of a delivery stamp, whole. -#}
{% macro epoch_seconds(expression) -%} cast(extract(epoch from {{ expression }}) as bigint) {%- endmacro %}
