{#- How an incremental mart knows what to rebuild. Beside the mart stands a small memory (intermediate.<mart>__partitions): for each partition
    (a day or a week) the number of its source rows, the sum of their delivery seconds, and what it was built with, as they were at the
    last build. A partition whose present state differs is stale, whatever the clock says: new, late, restated, deleted and out-of-order rows
    are all found, in any order of files. The memory is written in the transaction that writes the mart. -#}

{% macro partition_memory() -%}
    {{ return(api.Relation.create(database=this.database, schema='intermediate', identifier=this.identifier ~ '__partitions')) }}
{%- endmacro %}

{#- What rows of this mart are built with: the registries, this model's code and the reference lists. -#}
{% macro built_with() -%}
    ({{ registry_version() }} || (select reference_state from {{ ref('int_reference_state') }}))
{%- endmacro %}

{#- The stale partitions as a query of partition_day, each with the `days_after` days after it. `state` is a relation of
    (partition_day, source_rows, source_stamp). -#}
{% macro stale_partitions(state, days_after=0) -%}
    {%- set memory = adapter.get_relation(this.database, 'intermediate', partition_memory().identifier) -%}
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
                from {{ state }} as present
                {%- if memory %}
                union all
                select
                    known.partition_day,
                    -known.source_rows,
                    -known.source_stamp,
                    known.built_with
                from {{ memory }} as known
                {%- endif %}
            ) as both_states
            group by both_states.partition_day
        ) as compared
        where compared.row_difference <> 0 or compared.stamp_difference <> 0 or compared.builds > 1
    ) as stale
    cross join ({{ numbers(days_after + 1) }}) as following
    group by stale.partition_day + cast(following.n as integer)
{%- endmacro %}

{#- The stale partitions as SQL date literals (both engines prune blocks by literals); none: a date that no calendar has. -#}
{% macro stale_dates(state, days_after=0) -%}
    {{ return(date_literals(stale_partitions(state, days_after))) }}
{%- endmacro %}

{#- Pre-hook of every incremental mart: its memory exists. -#}
{% macro prepare_partition_memory() -%}
    create table if not exists {{ partition_memory() }} (
        partition_day date, source_rows bigint, source_stamp bigint, built_with varchar(64)
    )
{%- endmacro %}

{#- Post-hooks, in this order: forget the old states, keep those that the mart now stands on. -#}
{% macro forget_partitions() -%} delete from {{ partition_memory() }} where 1 = 1 {%- endmacro %}
{% macro remember_partitions(state) -%}
    insert into {{ partition_memory() }} (partition_day, source_rows, source_stamp, built_with)
    select present.partition_day, present.source_rows, present.source_stamp, {{ built_with() }}
    from {{ state }} as present
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

{#- Seconds since 1970 of a delivery stamp, whole. -#}
{% macro epoch_seconds(expression) -%} cast(extract(epoch from {{ expression }}) as bigint) {%- endmacro %}
