{#- The state of loaded rows as numbers that can be compared. Rows of one file are told by how many they are, by the sums of their line
    numbers and of the squares of these, by their delivery stamp and by when the file was loaded (a file read again under another contract
    has the same name and hash); files are told by their hash. So a partition replaced by another of the same size and stamp, a row
    released from quarantine for one that was erased, and a file read again all have another state. Rows changed in place, by hand, have not:
    build with --full-refresh after that. -#}

{#- Rows and state of `relation` (with brand_id, _file_id, _line, _delivered_at) by `day`, as a query body: partition_day, source_rows,
    source_stamp. -#}
{% macro partition_state(relation, day) -%}
    select
        per_file.partition_day,
        cast(sum(per_file.source_rows) as bigint) as source_rows,
        cast(sum({{ file_state('per_file', ['per_file.partition_day']) }}) as bigint) as source_stamp
    from (
        select
            {{ day }} as partition_day,
            loaded.brand_id,
            loaded._file_id,
            {{ file_sums('loaded') }}
        from {{ relation }} as loaded
        group by {{ day }}, loaded.brand_id, loaded._file_id
    ) as per_file
    left join {{ file_load_relation() }} as load
        on
            per_file.brand_id = load.brand_id
            and per_file._file_id = load.file_id
    group by per_file.partition_day
{%- endmacro %}

{#- What tells the rows of one file, as columns. -#}
{% macro file_sums(relation) -%}
    count(*) as source_rows,
    cast(sum({{ relation }}._line) as decimal(38, 0)) as lines,
    cast(sum(cast({{ relation }}._line as bigint) * {{ relation }}._line) as decimal(38, 0)) as line_squares,
    cast(sum({{ epoch_seconds(relation ~ '._delivered_at') }}) as decimal(38, 0)) as stamps
{%- endmacro %}

{#- The same as one number below 2^48: the sum over thirty thousand files of a day still fits into a bigint. -#}
{% macro file_state(relation, more=[]) -%}
    {%- set columns = more + [
        relation ~ '.brand_id', relation ~ '._file_id', relation ~ '.source_rows', relation ~ '.lines', relation ~ '.line_squares',
        relation ~ '.stamps', 'load.loads'
    ] -%}
    {{ text_number(surrogate_key(columns)) }}
{%- endmacro %}

{#- On run start: the memories of incremental marts exist; when each file was loaded, and the state of every raw table, are noted once for
    all models of the run. -#}
{% macro note_source_states() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'seed') -%}
        {%- if not adapter.check_schema_exists(source_state_relation().database, source_state_relation().schema) -%}
            {%- do adapter.create_schema(source_state_relation()) -%}
        {%- endif -%}
        {%- for node in graph.nodes.values() if node.config.materialized == 'incremental' -%}
            {%- do written(create_partition_memory(node.get('alias') or node.name)) -%}
        {%- endfor -%}
        {%- set sources = graph.sources.values() | list -%}
        {%- set ledger = (sources | selectattr('schema', 'equalto', 'intake') | selectattr('identifier', 'equalto', 'ledger') | list)[0] -%}
        {#- emptied, not dropped: on Redshift a view stands on one of them -#}
        {%- for relation, columns in [
            (file_load_relation(), 'brand_id varchar(256), file_id varchar(256), loads varchar(256)'),
            (source_state_relation(), 'relation varchar(256), state varchar(256)')
        ] -%}
            {%- do written('create table if not exists ' ~ relation ~ ' (' ~ columns ~ ')') -%}
            {%- do written('delete from ' ~ relation ~ ' where 1 = 1') -%}
        {%- endfor -%}
        {%- set loads -%}
            insert into {{ file_load_relation() }} (brand_id, file_id, loads)
            select
                brand_id,
                sha256 as file_id,
                cast(count(*) as varchar(32)) || ' ' || cast(max(loaded_at) as varchar(64)) || ' ' || cast(max(contract_version) as varchar(32)) as loads
            from {{ ledger.relation_name }}
            where rows_loaded > 0 and outcome <> 'NOOP'
            group by brand_id, sha256
        {%- endset -%}
        {%- do written(loads) -%}
        {%- set states -%}
            insert into {{ source_state_relation() }} (relation, state)
            {%- for source in sources if source.schema == 'raw' %}
            select
                cast('rows of {{ source.schema }}.{{ source.identifier }}' as varchar(256)) as relation,
                cast(coalesce(sum(per_file.source_rows), 0) as varchar(64)) || ' '
                || cast(coalesce(sum({{ file_state('per_file') }}), 0) as varchar(64)) as state
            from (
                select loaded.brand_id, loaded._file_id, {{ file_sums('loaded') }}
                from {{ source.relation_name }} as loaded
                group by loaded.brand_id, loaded._file_id
            ) as per_file
            left join {{ file_load_relation() }} as load
                on per_file.brand_id = load.brand_id and per_file._file_id = load.file_id
            {% if not loop.last %}union all{% endif %}
            {%- endfor %}
        {%- endset -%}
        {%- do written(states) -%}
        {%- if source_columns_query() | trim -%}
            {%- do written('insert into ' ~ source_state_relation() ~ ' ' ~ source_columns_query()) -%}
        {%- endif -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
{% endmacro %}

{% macro source_state_relation() -%} {{ return(state_relation('source_state')) }} {%- endmacro %}
{% macro file_load_relation() -%} {{ return(state_relation('source_file_load')) }} {%- endmacro %}

{% macro state_relation(name) -%}
    {{ return(api.Relation.create(database=target.dbname if target.type == 'redshift' else target.database, schema='intermediate', identifier=name)) }}
{%- endmacro %}

{#- Seconds since 1970 of a stamp, whole. -#}
{% macro epoch_seconds(expression) -%} cast(extract(epoch from {{ expression }}) as bigint) {%- endmacro %}

{#- The first 48 bits of a hash in hexadecimal digits, as a number. -#}
{% macro text_number(expression) -%} {{ adapter.dispatch('text_number', 'warehouse')(expression) }} {%- endmacro %}
{% macro default__text_number(expression) -%} cast('0x' || left({{ expression }}, 12) as bigint) {%- endmacro %}
{% macro redshift__text_number(expression) -%} strtol(left({{ expression }}, 12), 16) {%- endmacro %}

{#- Run a statement in a transaction, the open one if there is one: run_query would leave it to the adapter whether there is. -#}
{% macro written(sql) -%}
    {%- call statement('written', auto_begin=true) -%}{{ sql }}{%- endcall -%}
{%- endmacro %}
