{#- A run over unchanged data and code leaves tables as they are. Each table keeps, at the end of its comment, a fingerprint of what it was
    built from: its own SQL and columns, the views it reads, the registries, and the state (rows, sum of delivery seconds) of every raw
    table behind it. Where the present fingerprint is the same, the table is left alone; `--full-refresh` builds it all the same. Tables that
    read model runs or the loader's ledger have no fingerprint and are always built. -#}

{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {{ return(table_unless_unchanged('materialization_table_duckdb')) }}
{% endmaterialization %}

{% materialization table, adapter='redshift', supported_languages=['sql'] %}
    {{ return(table_unless_unchanged('materialization_table_redshift')) }}
{% endmaterialization %}

{% macro table_unless_unchanged(build_macro) %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set known = known_relations() -%}
    {%- set fingerprint = table_fingerprint(known) -%}
    {%- if fingerprint and existing and existing.is_table and not should_full_refresh()
        and known.get(this.schema ~ '.' ~ this.identifier, '').endswith('[inputs ' ~ fingerprint ~ ']') -%}
        {%- call noop_statement('main', 'UNCHANGED') -%}{{ compiled_code }}{%- endcall -%}
        {{ return({'relations': [existing]}) }}
    {%- endif -%}
    {%- set built = dbt[build_macro]() -%}
    {%- if fingerprint -%}
        {%- do run_query(alter_relation_comment(this.incorporate(type='table'), model.description ~ ' [inputs ' ~ fingerprint ~ ']')) -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return(built) }}
{% endmacro %}

{#- What the model in hand would be built from, as a hash; none where a part of it is not known. -#}
{% macro table_fingerprint(known) %}
    {%- set parts = input_states(model.depends_on.nodes, known) -%}
    {%- if parts is none -%}{{ return(none) }}{%- endif -%}
    {%- do parts.extend([compiled_code, tojson(model.columns, sort_keys=true), model.description]) -%}
    {{ return(local_md5(parts | join('|'))) }}
{% endmacro %}

{#- The states of the nodes a model reads, as a list of texts; none if one has no state that could be compared. -#}
{% macro input_states(parents, known) %}
    {%- set states = [] -%}
    {%- for parent in parents | sort -%}
        {%- set node = graph.sources.get(parent) or graph.nodes[parent] -%}
        {%- set name = node.schema ~ '.' ~ (node.get('alias') or node.get('identifier')) -%}
        {%- if node.resource_type == 'seed' -%}
            {%- do states.append(parent ~ ' ' ~ node.checksum.checksum) -%}
        {%- elif node.resource_type == 'model' and node.config.materialized == 'table' -%}
            {%- set comment = known.get(name, '') -%}
            {%- if '[inputs ' not in comment -%}{{ return(none) }}{%- endif -%}
            {%- do states.append(parent ~ ' ' ~ comment.split('[inputs ')[-1]) -%}
        {%- elif node.resource_type == 'model' -%}
            {#- a view is its definition and what it reads; an incremental table holds what one build of its inputs would -#}
            {%- set above = input_states(node.depends_on.nodes, known) -%}
            {%- if above is none -%}{{ return(none) }}{%- endif -%}
            {%- set definition = known.get(name, '') if node.config.materialized == 'view' else '' -%}
            {%- do states.extend([parent, node.checksum.checksum, definition] + above) -%}
        {%- else -%}
            {%- if name not in known -%}{{ return(none) }}{%- endif -%}
            {%- do states.append(parent ~ ' ' ~ known[name]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(states) }}
{% endmacro %}

{#- Texts by schema.name: comments of tables, hashes of the definitions of views, states of raw tables. -#}
{% macro known_relations() %}
    {%- set known = {} -%}
    {#- two queries: Redshift reads its catalog on the leader node only, never together with tables -#}
    {%- for query in [catalog_texts_query(), 'select relation, state from ' ~ source_state_relation()] -%}
        {%- for row in run_query(query).rows -%}
            {%- do known.update({row[0]: row[1]}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(known) }}
{% endmacro %}

{% macro catalog_texts_query() %} {{ return(adapter.dispatch('catalog_texts_query', 'warehouse')()) }} {% endmacro %}

{% macro default__catalog_texts_query() %}
    select schema_name || '.' || table_name, comment from duckdb_tables()
    where database_name = current_database() and schema_name in ('intermediate', 'features', 'marts') and comment is not null
    union all
    select schema_name || '.' || view_name, md5(sql) from duckdb_views()
    where database_name = current_database() and schema_name in ('staging', 'intermediate', 'marts')
{% endmacro %}

{% macro redshift__catalog_texts_query() %}
    select cast(n.nspname as varchar(128)) || '.' || cast(c.relname as varchar(128)), cast(d.description as varchar(65535))
    from pg_catalog.pg_description as d
    inner join pg_catalog.pg_class as c on d.objoid = c.oid and d.objsubid = 0
    inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
    where n.nspname in ('intermediate', 'features', 'marts') and c.relkind = 'r'
    union all
    select cast(v.schemaname as varchar(128)) || '.' || cast(v.viewname as varchar(128)), md5(cast(v.definition as varchar(65535)))
    from pg_catalog.pg_views as v
    where v.schemaname in ('staging', 'intermediate', 'marts')
{% endmacro %}

{% macro source_state_relation() -%}
    {{ return(api.Relation.create(database=target.dbname if target.type == 'redshift' else target.database, schema='intermediate', identifier='source_state')) }}
{%- endmacro %}

{#- On run start: note the state of every raw table, once for all models of the run. -#}
{% macro note_source_states() %}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- if not adapter.check_schema_exists(source_state_relation().database, source_state_relation().schema) -%}
            {%- do adapter.create_schema(source_state_relation()) -%}
        {%- endif -%}
        {%- do run_query('drop table if exists ' ~ source_state_relation()) -%}
        {%- set states -%}
            create table {{ source_state_relation() }} as
            {%- for source in graph.sources.values() if source.schema == 'raw' %}
            select
                cast('{{ source.schema }}.{{ source.identifier }}' as varchar(256)) as relation,
                cast(count(*) as varchar(32)) || ' ' || cast(coalesce(sum({{ epoch_seconds('_delivered_at') }}), 0) as varchar(64)) as state
            from {{ source.relation_name }}
            {% if not loop.last %}union all{% endif %}
            {%- endfor %}
        {%- endset -%}
        {%- do run_query(states) -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
{% endmacro %}
