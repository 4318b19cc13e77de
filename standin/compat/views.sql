-- The system views dbt-redshift, Airflow and our tests read.
create view pg_catalog.svv_table_info as
select current_database()::text as database, n.nspname::text as "schema", c.oid::int as table_id, c.relname::text as "table",
  case when coalesce(a.encodings, '{}') = '{}' then 'N, AUTO(ENCODE)' else 'Y' end::text as encoded,
  case when a.diststyle = 'key' then 'KEY(' || a.distkey || ')'
       when a.diststyle in ('all', 'even') then upper(a.diststyle) else 'AUTO(ALL)' end as diststyle,
  coalesce(a.sortkeys[1], 'AUTO(SORTKEY)') as sortkey1, 256 as max_varchar,
  coalesce(a.encodings ->> a.sortkeys[1], 'none')::text as sortkey1_enc, coalesce(cardinality(a.sortkeys), 0) as sortkey_num,
  greatest(1, pg_relation_size(c.oid) / 1048576)::bigint as size, 0.0::numeric(10, 4) as pct_used, 0::bigint as empty,
  0.0::numeric(5, 2) as unsorted, 0.0::numeric(5, 2) as stats_off, greatest(c.reltuples, 0)::numeric(38, 0) as tbl_rows,
  null::numeric(19, 2) as skew_sortkey1, null::numeric(19, 2) as skew_rows
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.rs_table_attribute a on a.relation = c.oid
where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast');

create view pg_catalog.pg_table_def as
select n.nspname::text as schemaname, c.relname::text as tablename, t.attname::text as "column",
  format_type(t.atttypid, t.atttypmod)::text as type, coalesce(a.encodings ->> t.attname, 'none')::text as encoding,
  coalesce(a.distkey = t.attname, false) as distkey, coalesce(array_position(a.sortkeys, t.attname::text), 0) as sortkey,
  t.attnotnull as "notnull"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute t on t.attrelid = c.oid and t.attnum > 0 and not t.attisdropped
left join pg_catalog.rs_table_attribute a on a.relation = c.oid
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast');

create view pg_catalog.svv_tables as
select table_catalog::varchar, table_schema::varchar, table_name::varchar, table_type::varchar, null::varchar as remarks
from information_schema.tables;
create view pg_catalog.svv_columns as
select table_catalog::varchar, table_schema::varchar, table_name::varchar, column_name::varchar, ordinal_position::int,
  column_default::varchar, is_nullable::varchar, data_type::varchar, character_maximum_length::int, numeric_precision::int,
  numeric_scale::int, null::varchar as remarks
from information_schema.columns;
create view pg_catalog.svv_redshift_columns as
select table_catalog::varchar as database_name, table_schema::varchar as schema_name, table_name::varchar,
  column_name::varchar, ordinal_position::int, data_type::varchar, null::varchar as remarks
from information_schema.columns;
create view pg_catalog.svv_external_columns as
select null::text as schemaname, null::text as tablename, null::text as columnname, null::text as external_type,
  null::int as columnnum where false;
create view pg_catalog.svv_mv_info as
select null::text as database_name, null::text as schema_name, null::text as name, null::bool as autorefresh where false;
create view pg_catalog.svv_relation_privileges as
select table_schema::text as namespace_name, table_name::text as relation_name, privilege_type::text,
  null::int as identity_id, grantee::text as identity_name,
  case when grantee = 'PUBLIC' then 'public' else 'user' end as identity_type, is_grantable = 'YES' as admin_option
from information_schema.role_table_grants;
create view pg_catalog.svv_roles as
select oid::int as role_id, rolname::text as role_name, 'awsuser'::text as role_owner, null::text as external_id
from pg_roles where not rolcanlogin and rolname !~ '^(pg_|standin)';
create view pg_catalog.svv_rls_policy as
select current_database()::text as poldb, name as polname, null::text as polalias, columns as polatts, predicate as polqual
from pg_catalog.rs_rls_policy;
create view pg_catalog.svv_rls_attached_policy as
select n.nspname::text as relschema, c.relname::text as relname, split_part(p.polname, '@', 1)::text as polname,
  r.rolname::text as grantee
from pg_policy p
join pg_class c on c.oid = p.polrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_roles r on r.oid = any (p.polroles);
create view pg_catalog.sys_load_error_detail as
select null::int as query_id, null::text as file_name, null::int as line_number, null::text as column_name,
  null::text as error_message where false;
do $$
declare name text;
begin
  for name in select relname from pg_class where relkind in ('r', 'v') and relnamespace = 'pg_catalog'::regnamespace
    and (relname ~ '^(svv|rs|sys)_' or relname in ('svv_table_info', 'pg_table_def')) loop
    execute format('grant select on pg_catalog.%I to public', name);
  end loop;
end $$;
