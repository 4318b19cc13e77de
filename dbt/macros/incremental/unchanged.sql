{#- A run over unchanged data and code leaves seeds, views and tables as they are. Each keeps, at the end of its comment, a fingerprint of
    what it was built from: its own SQL, columns and settings, and
      for a table the views it reads, the registries, the state (states.sql) of every raw table behind it, the fingerprints of the tables it
      reads and the memories (partitions.sql) of the incremental ones;
      for a view the fingerprints of what it reads and the columns of raw tables (DuckDB refuses a view over a table whose types have
      changed since);
      for a seed its file.
    Where the present fingerprint is the same, the relation is left alone; `--full-refresh` builds it all the same. Tables that read
    model runs or the loader's ledger have no fingerprint and are always built. An incremental mart with no stale partition is left, too. -#}

{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {{ return(unless_unchanged('materialization_table_duckdb', table_fingerprint)) }}
{% endmaterialization %}
{% materialization table, adapter='redshift', supported_languages=['sql'] %}
    {{ return(unless_unchanged('materialization_table_redshift', table_fingerprint)) }}
{% endmaterialization %}
{% materialization view, adapter='duckdb' %}
    {{ return(unless_unchanged('materialization_view_default', view_fingerprint, 'view')) }}
{% endmaterialization %}
{% materialization view, adapter='redshift' %}
    {{ return(unless_unchanged('materialization_view_redshift', view_fingerprint, 'view')) }}
{% endmaterialization %}
{% materialization seed, adapter='duckdb' %}
    {{ return(unless_unchanged('materialization_seed_default', seed_fingerprint)) }}
{% endmaterialization %}
{% materialization seed, adapter='redshift' %}
    {{ return(unless_unchanged('materialization_seed_default', seed_fingerprint)) }}
{% endmaterialization %}
{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {{ return(unless_nothing_is_stale('materialization_incremental_duckdb')) }}
{% endmaterialization %}
{% materialization incremental, adapter='redshift', supported_languages=['sql'] %}
    {{ return(unless_nothing_is_stale('materialization_incremental_default')) }}
{% endmaterialization %}

{% macro unless_unchanged(build_macro, fingerprint_macro, type='table') %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set known = known_texts() -%}
    {%- set fingerprint = fingerprint_macro(known) -%}
    {%- if fingerprint and existing and existing.type == type and not should_full_refresh()
        and known.get(this.schema ~ '.' ~ this.identifier, '').endswith('[inputs ' ~ fingerprint ~ ']') -%}
        {{ return(left_alone(existing)) }}
    {%- endif -%}
    {%- set built = dbt[build_macro]() -%}
    {%- if fingerprint -%}
        {%- do written(alter_relation_comment(this.incorporate(type=type), model.description ~ ' [inputs ' ~ fingerprint ~ ']')) -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return(built) }}
{% endmacro %}

{% macro unless_nothing_is_stale(build_macro) %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing and existing.is_table and not should_full_refresh() and stale_dates() == ["date '1900-01-01'"] -%}
        {{ return(left_alone(existing)) }}
    {%- endif -%}
    {{ return(dbt[build_macro]()) }}
{% endmacro %}

{% macro left_alone(existing) %}
    {%- if model.resource_type == 'seed' -%}
        {#- what dbt shows of a seed -#}
        {%- do store_result('agate_table', response='OK', agate_table=load_agate_table()) -%}
    {%- endif -%}
    {%- call noop_statement('main', 'UNCHANGED') -%}{{ model.get('compiled_code') or '' }}{%- endcall -%}
    {{ return({'relations': [existing]}) }}
{% endmacro %}

{#- What the model in hand is by itself. -#}
{% macro own_texts() %}
    {{ return([model.get('compiled_code') or '', tojson(model.columns, sort_keys=true), tojson(model.config, sort_keys=true), model.description]) }}
{% endmacro %}

{% macro seed_fingerprint(known) %}
    {{ return(local_md5(([model.checksum.checksum] + own_texts()) | join('|'))) }}
{% endmacro %}

{% macro view_fingerprint(known) %}
    {%- set parts = own_texts() -%}
    {%- for parent in model.depends_on.nodes | sort -%}
        {%- set node = graph.sources.get(parent) or graph.nodes[parent] -%}
        {%- set name = node_name(node) -%}
        {%- if node.resource_type == 'source' -%}
            {%- do parts.append(known.get('columns of ' ~ name, '')) -%}
        {%- elif node.resource_type == 'seed' or node.config.materialized == 'incremental' -%}
            {#- the types of an incremental mart stand in its contract -#}
            {%- do parts.append(node.checksum.checksum ~ tojson(node.columns, sort_keys=true)) -%}
        {%- elif '[inputs ' in known.get(name, '') -%}
            {%- do parts.append(known[name].split('[inputs ')[-1]) -%}
        {%- else -%}
            {{ return(none) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(local_md5(parts | join('|'))) }}
{% endmacro %}

{% macro node_name(node) -%} {{ return(node.schema ~ '.' ~ (node.get('alias') or node.get('identifier') or node.name)) }} {%- endmacro %}

{#- What the table in hand would be built from, as a hash; none where a part of it is not known. -#}
{% macro table_fingerprint(known) %}
    {%- set parts = input_states(model.depends_on.nodes, known) -%}
    {%- if parts is none -%}{{ return(none) }}{%- endif -%}
    {{ return(local_md5((parts + own_texts()) | join('|'))) }}
{% endmacro %}

{#- The states of the nodes a model reads, as a list of texts; none if one has no state that could be compared. -#}
{% macro input_states(parents, known) %}
    {%- set states = [] -%}
    {%- for parent in parents | sort -%}
        {%- set node = graph.sources.get(parent) or graph.nodes[parent] -%}
        {%- set name = node_name(node) -%}
        {%- if node.resource_type == 'seed' -%}
            {%- do states.append(parent ~ ' ' ~ node.checksum.checksum) -%}
        {%- elif node.resource_type == 'model' and node.config.materialized == 'table' -%}
            {%- set comment = known.get(name, '') -%}
            {%- if '[inputs ' not in comment -%}{{ return(none) }}{%- endif -%}
            {%- do states.append(parent ~ ' ' ~ comment.split('[inputs ')[-1]) -%}
        {%- elif node.resource_type == 'model' and node.config.materialized == 'incremental' -%}
            {#- what it was really built from, which is not what lies in raw now if it is left out of this run -#}
            {%- set memory = partition_memory(node.get('alias') or node.name) -%}
            {%- do states.append(parent ~ ' ' ~ (run_query(memory_state(memory)).rows[0][0])) -%}
        {%- elif node.resource_type == 'model' -%}
            {%- set above = input_states(node.depends_on.nodes, known) -%}
            {%- set comment = known.get(name, '') -%}
            {%- if above is none or '[inputs ' not in comment -%}{{ return(none) }}{%- endif -%}
            {%- do states.extend([parent, comment.split('[inputs ')[-1]] + above) -%}
        {%- else -%}
            {%- set state = known.get('rows of ' ~ name) -%}
            {%- if not state -%}{{ return(none) }}{%- endif -%}
            {%- do states.append(parent ~ ' ' ~ state ~ ' ' ~ known.get('columns of ' ~ name, '')) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(states) }}
{% endmacro %}

{#- A memory as one text. -#}
{% macro memory_state(memory) %}
    select
        cast(count(*) as varchar(32)) || ' ' || cast(coalesce(sum(source_rows), 0) as varchar(64)) || ' '
        || cast(coalesce(sum(source_stamp), 0) as varchar(64)) || ' ' || coalesce(min(built_with), '') || ' ' || coalesce(max(built_with), '')
    from {{ memory }}
{% endmacro %}

{#- Texts by name: 'schema.name' the comment of a seed, table or view, 'rows of ...' the state of a raw table, 'columns of ...' its columns. -#}
{% macro known_texts() %}
    {#- two queries: Redshift reads its catalog on the leader node only, never together with tables -#}
    {{ return(texts([comments_query(), 'select relation, state from ' ~ source_state_relation()])) }}
{% endmacro %}

{% macro texts(queries) %}
    {%- set known = {} -%}
    {%- for query in queries -%}
        {%- for row in run_query(query).rows -%}
            {%- do known.update({row[0]: row[1]}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(known) }}
{% endmacro %}

{% macro comments_query() %} {{ return(adapter.dispatch('comments_query', 'warehouse')()) }} {% endmacro %}
{% macro default__comments_query() %}
    select schema_name || '.' || table_name, comment from duckdb_tables() where database_name = current_database() and comment like '%[inputs %'
    union all
    select schema_name || '.' || view_name, comment from duckdb_views() where database_name = current_database() and comment like '%[inputs %'
{% endmacro %}
{% macro redshift__comments_query() %}
    select cast(n.nspname as varchar(128)) || '.' || cast(c.relname as varchar(128)), cast(d.description as varchar(65535))
    from pg_catalog.pg_description as d
    inner join pg_catalog.pg_class as c on d.objoid = c.oid and d.objsubid = 0
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname in ('seeds', 'staging', 'intermediate', 'features', 'marts') and c.relkind in ('r', 'v')
{% endmacro %}

{#- 'schema.name' and a hash of the definition of those views. Of those only: Redshift locks what a definition names until the transaction
    ends, and two models that each hold a table which the other wants to drop would wait for ever. -#}
{% macro definitions_query(names) %} {{ return(adapter.dispatch('definitions_query', 'warehouse')(names)) }} {% endmacro %}
{% macro default__definitions_query(names) %}
    select schema_name || '.' || view_name, md5(sql) from duckdb_views()
    where database_name = current_database() and schema_name || '.' || view_name in ('{{ names | join("', '") }}')
{% endmacro %}
{% macro redshift__definitions_query(names) %}
    select cast(v.schemaname as varchar(128)) || '.' || cast(v.viewname as varchar(128)), md5(cast(v.definition as varchar(65535)))
    from pg_catalog.pg_views as v
    where cast(v.schemaname as varchar(128)) || '.' || cast(v.viewname as varchar(128)) in ('{{ names | join("', '") }}')
{% endmacro %}

{#- 'columns of schema.name' and a hash of names and types of every table that dbt does not make; nothing on Redshift, which lets nobody
    change a type under a view. -#}
{% macro source_columns_query() %} {{ return(adapter.dispatch('source_columns_query', 'warehouse')()) }} {% endmacro %}
{% macro default__source_columns_query() %}
    select 'columns of ' || schema_name || '.' || table_name, md5(string_agg(column_name || ' ' || data_type, ',' order by column_index))
    from duckdb_columns()
    where database_name = current_database() and schema_name in ('raw', 'intake', 'runs')
    group by schema_name, table_name
{% endmacro %}
{% macro redshift__source_columns_query() %} {% endmacro %}
