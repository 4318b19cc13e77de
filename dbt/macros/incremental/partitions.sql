{#- How an incremental mart knows what to rebuild. Beside the mart stands a small memory (intermediate.<mart>__partitions): for each partition
    (a day or a week) the number and the state (see states.sql) of its source rows, and what it was built with, as they were at the last
    build. A partition whose present state differs is stale, whatever the clock says: new, late, restated, deleted and out-of-order rows
    are all found, in any order of files. The memory is written in the transaction that writes the mart. A mart names the relation of its
    present states (partition_day, source_rows, source_stamp) in its config: meta.state. -#}

{% macro partition_memory(identifier=none) -%}
    {{ return(state_relation((identifier or this.identifier) ~ '__partitions')) }}
{%- endmacro %}

{#- The present states of the mart in hand. -#}
{% macro present_states() -%} {{ return(state_relation((config.get('meta') or {}).get('state', 'unknown'))) }} {%- endmacro %}

{#- What rows of this mart are built with: code, registries and the reference lists. -#}
{% macro built_with() -%}
    ('{{ code_version() }}' || (select reference_state from {{ ref('int_reference_state') }}))
{%- endmacro %}

{#- A hash over this model's own code and that of the macros and variables it may use, the views it reads (as the database has them:
    whatever macro or variable they are made with), the code of the tables behind those, and every seed (the registries). -#}
{% macro code_version() -%}
    {%- if execute -%}
        {%- set above = models_above(model.depends_on.nodes) -%}
        {%- set known = texts([definitions_query(above.values() | unique | sort)]) -%}
        {%- set parts = [] -%}
        {%- for parent, name in above.items() -%}
            {%- do parts.append(parent ~ ' ' ~ known.get(name, graph.nodes[parent].checksum.checksum)) -%}
        {%- endfor -%}
        {%- do parts.extend([graph.nodes[model.unique_id].checksum.checksum, shared_code()]) -%}
        {%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') -%}
            {%- do parts.append(node.unique_id ~ ':' ~ node.checksum.checksum) -%}
        {%- endfor -%}
        {{- return(local_md5(parts | unique | sort | join('|'))) -}}
    {%- endif -%}
{%- endmacro %}

{#- The models that a model is made of, through whatever stands between: their names in the database by id. -#}
{% macro models_above(parents) %}
    {%- set found = {} -%}
    {%- for parent in parents -%}
        {%- set node = graph.nodes.get(parent) -%}
        {%- if node and node.resource_type == 'model' -%}
            {%- do found.update({parent: node_name(node)}) -%}
            {%- do found.update(models_above(node.depends_on.nodes)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

{#- What the macros and variables that incremental marts use in their own bodies say at present, as one text. -#}
{% macro shared_code() -%}
    {{- week_start('a') }} {{ share_of('a', 'b') }} {{ numbers(7) }} {{ add_days('a', 'b') }} {{ add_seconds('a', 60) }} {{ money('a') }}
    {{ type_money() }} {{ surrogate_key(['a', 'b']) }} {{ join_text('a', 'b', 'c') }} {{ judged_user_agents('a', 'b') }}
    {{ var('lookback_days') -}}
{%- endmacro %}

{#- The stale partitions as a query of partition_day, each with the `days_after` days after it. -#}
{% macro stale_partitions(days_after=0) -%}
    select stale.partition_day + cast(following.n as integer) as partition_day
    from (
        select compared.partition_day
        from (
            select
                both_states.partition_day,
                sum(both_states.source_rows) as row_difference,
                sum(both_states.source_stamp) as stamp_difference,
                count(distinct both_states.built_with) as builds
            from (
                select
                    present.partition_day,
                    present.source_rows,
                    present.source_stamp,
                    {{ built_with() }} as built_with
                from {{ present_states() }} as present
                union all
                select
                    known.partition_day,
                    -known.source_rows,
                    -known.source_stamp,
                    known.built_with
                from {{ partition_memory() }} as known
            ) as both_states
            group by both_states.partition_day
        ) as compared
        where compared.row_difference <> 0 or compared.stamp_difference <> 0 or compared.builds > 1
    ) as stale
    cross join ({{ numbers(days_after + 1) }}) as following
    group by stale.partition_day + cast(following.n as integer)
{%- endmacro %}

{#- The stale partitions as SQL date literals (both engines prune blocks by literals); none: a date that no calendar has. -#}
{% macro stale_dates(days_after=0) -%}
    {{ return(date_literals(stale_partitions(days_after))) }}
{%- endmacro %}

{% macro create_partition_memory(identifier) -%}
    create table if not exists {{ partition_memory(identifier) }} (
        partition_day date, source_rows bigint, source_stamp bigint, built_with varchar(64)
    )
{%- endmacro %}

{#- Post-hooks, in this order: forget the old states, keep those that the mart now stands on. -#}
{% macro forget_partitions() -%} delete from {{ partition_memory() }} where 1 = 1 {%- endmacro %}
{% macro remember_partitions() -%}
    insert into {{ partition_memory() }} (partition_day, source_rows, source_stamp, built_with)
    select present.partition_day, present.source_rows, present.source_stamp, {{ built_with() }}
    from {{ present_states() }} as present
{%- endmacro %}

{#- Run a query of dates and give them as a list of SQL date literals; a date that no calendar has if there is none. -#}
{% macro date_literals(query) -%}
    {%- set literals = [] -%}
    {%- if execute -%}
        {%- for row in run_query(query).rows -%}
            {%- do literals.append("date '" ~ (row[0] | string)[:10] ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return((literals | sort) or ["date '1900-01-01'"]) }}
{%- endmacro %}
