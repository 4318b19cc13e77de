-- Redshift objects PostgreSQL has no word for: table attributes, late-binding views, row-level policies, and the
-- server's side of COPY and UNLOAD.

-- Distribution, sort keys and encodings as the DDL declared them; by oid, so a rename keeps them.
create table pg_catalog.rs_table_attribute (
  relation oid primary key, diststyle text, distkey text, sortstyle text, sortkeys text[], encodings jsonb);
create function pg_catalog.rs_create_table(ddl text, relation text, attributes jsonb) returns void language plpgsql
  security invoker as $$
begin
  execute ddl;
  if attributes is not null then
    perform pg_catalog.rs_record_attributes(relation::regclass, attributes);
  end if;
  execute format('analyze %s', relation::regclass);  -- Redshift computes statistics for CREATE TABLE AS too
end $$;
-- SECURITY DEFINER: a user who may create tables may not write pg_catalog.
create function pg_catalog.rs_record_attributes(created oid, attributes jsonb) returns void language plpgsql
  security definer as $$
declare
  name text;
  keys text[] := array(select jsonb_array_elements_text(coalesce(attributes -> 'sortkeys', '[]')));
begin
  if attributes ? 'like' then
    insert into pg_catalog.rs_table_attribute
    select created, diststyle, distkey, sortstyle, sortkeys, encodings from pg_catalog.rs_table_attribute
    where relation = (attributes ->> 'like')::regclass;
    return;
  end if;
  foreach name in array keys || array_remove(array[attributes ->> 'distkey'], null)
    || array(select jsonb_object_keys(coalesce(attributes -> 'encodings', '{}'))) loop
    if not exists (select 1 from pg_attribute where attrelid = created and attname = name and not attisdropped) then
      raise exception using errcode = '42703',
        message = format('column "%s" named in the distribution or sort key does not exist in %s', name, created::regclass);
    end if;
  end loop;
  insert into pg_catalog.rs_table_attribute
  values (created, attributes ->> 'diststyle', attributes ->> 'distkey', attributes ->> 'sortstyle', keys,
          coalesce(attributes -> 'encodings', '{}'))
  on conflict (relation) do update set diststyle = excluded.diststyle, distkey = excluded.distkey,
    sortstyle = excluded.sortstyle, sortkeys = excluded.sortkeys, encodings = excluded.encodings;
end $$;

-- A late-binding view records no dependency: its query is resolved each time it is read.
create function pg_catalog.rs_late_binding(text) returns setof record language plpgsql
  as 'begin return query execute $1; end';
create function pg_catalog.rs_create_late_binding_view(name text, query text) returns void language plpgsql as $$
declare columns text;
begin
  execute 'create temp view rs_probe as ' || query;
  select string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) into columns
    from pg_attribute where attrelid = 'pg_temp.rs_probe'::regclass and attnum > 0;
  drop view pg_temp.rs_probe;
  execute format('create or replace view %s as select * from pg_catalog.rs_late_binding(%L) as v(%s)', name, query, columns);
end $$;
create function pg_catalog.pg_get_late_binding_view_cols() returns setof record language sql
  as 'select null::name, null::name, null::name, null::varchar, null::int where false';

-- Row-level policies and system users are the security administrator's: a superuser, or who holds sys:secadmin.
create role "sys:secadmin";
create function pg_catalog.rs_require_secadmin() returns void language plpgsql as $$
begin
  if not ((select rolsuper from pg_roles where rolname = session_user) or pg_has_role(session_user, 'sys:secadmin', 'MEMBER')) then
    raise exception using errcode = '42501', message = 'permission denied: must be superuser or hold role sys:secadmin';
  end if;
end $$;

-- Row-level policies. Redshift declares a policy once with its own column list and attaches it to many tables.
create table pg_catalog.rs_rls_policy (name text primary key, columns text, predicate text);
create function pg_catalog.rs_create_rls_policy(policy text, columns text, predicate text) returns void language plpgsql
  security definer as $$
begin
  perform pg_catalog.rs_require_secadmin();
  if exists (select 1 from pg_catalog.rs_rls_policy p where p.name = policy) then
    raise exception using errcode = '42710', message = format('RLS policy "%s" already exists', policy);
  end if;
  insert into pg_catalog.rs_rls_policy values (policy, columns, predicate);
  -- The lookup runs with the policy's own rights (Redshift: GRANT SELECT ON t TO RLS POLICY p).
  execute format('create function pg_catalog.rs_rls_%s(%s, rs_user text) returns boolean language sql stable '
                 'security definer as %L', policy, columns, 'select ' || predicate);
end $$;
create function pg_catalog.rs_attach_rls_policy(policy text, relation text, role text) returns void language plpgsql
  security definer as $$
declare declared text; arguments text;
begin
  perform pg_catalog.rs_require_secadmin();
  select p.columns into declared from pg_catalog.rs_rls_policy p where p.name = policy;
  if declared is null then
    raise exception using errcode = '42704', message = format('RLS policy "%s" does not exist', policy);
  end if;
  select string_agg(quote_ident(split_part(trim(c), ' ', 1)), ', ') into arguments from regexp_split_to_table(declared, ',') c;
  execute format('create policy %I on %s for select to %I using (pg_catalog.rs_rls_%s(%s, current_user::text))',
                 policy || '@' || role, relation, role, policy, arguments);
end $$;
create function pg_catalog.rs_detach_rls_policy(policy text, relation text, role text) returns void language plpgsql
  security definer as $$
begin
  perform pg_catalog.rs_require_secadmin();
  execute format('drop policy %I on %s', policy || '@' || role, relation);
end $$;
create function pg_catalog.rs_drop_rls_policy(policy text) returns void language plpgsql security definer as $$
begin
  perform pg_catalog.rs_require_secadmin();
  delete from pg_catalog.rs_rls_policy p where p.name = policy;
  if not found then
    raise exception using errcode = '42704', message = format('RLS policy "%s" does not exist', policy);
  end if;
  execute format('drop function pg_catalog.rs_rls_%s cascade', policy);
end $$;
create function pg_catalog.rs_row_level_security(relation text, enabled bool) returns void language plpgsql
  security definer as $$
begin
  perform pg_catalog.rs_require_secadmin();
  execute format('alter table %s %s row level security', relation, case when enabled then 'enable' else 'disable' end);
end $$;

-- COPY: the proxy has put one normalised CSV file (and, for Parquet, its types) into the spool folder, or the
-- reason why it could not. The privilege checked is the caller's INSERT, as on Redshift.
create function pg_catalog.rs_type_family(text) returns text language sql immutable strict as $$
  select case
    when $1 ~* '^(smallint|integer|bigint)' then 'integer'
    when $1 ~* '^(numeric|decimal)' then 'decimal'
    when $1 ~* '^(double|real)' then 'float'
    when $1 ~* '^(character|text|varchar|bpchar)' then 'text'
    when $1 ~* '^timestamp' then 'timestamp'
    when $1 ~* '^jsonb' then 'super'
    else lower($1) end $$;
create function pg_catalog.rs_copy(relation text, columns text[], spool text, empty_as_null bool)
  returns void language plpgsql security definer as $$
declare
  target oid := relation::regclass;
  names text[]; types text[]; texts text[]; families text[]; loaded bigint; problem text; at int;
begin
  if not has_table_privilege(session_user, target, 'INSERT') then
    raise exception using errcode = '42501', message = format('permission denied for relation %s', relation);
  end if;
  if (pg_stat_file(spool || '.error', true)).size is not null then
    problem := pg_read_file(spool || '.error');
    raise exception using errcode = 'XX000', message = problem;
  end if;
  families := string_to_array(nullif(pg_read_file(spool || '.families'), ''), ',');
  select array_agg(attname::text order by place), array_agg(rs_type_family(format_type(atttypid, atttypmod)) order by place)
    into names, types
    from (select a.attname, a.atttypid, a.atttypmod, coalesce(array_position(columns, a.attname::text), a.attnum) place
          from pg_attribute a where a.attrelid = target and a.attnum > 0 and not a.attisdropped
            and (columns is null or a.attname::text = any (columns))) listed;
  if families is not null then
    if cardinality(families) <> cardinality(names) then
      raise exception using errcode = 'XX000', message = format(
        'Spectrum Scan Error. Unmatched number of columns between table and file. Table columns: %s, Data columns: %s',
        cardinality(names), cardinality(families));
    end if;
    for at in 1 .. cardinality(names) loop
      if families[at] <> types[at] and not (types[at] = 'super' and families[at] = 'text') then
        raise exception using errcode = 'XX000', message = format(
          'Spectrum Scan Error. File has an incompatible Parquet schema for column ''%s''. Column type: %s, Parquet schema: %s',
          names[at], upper(types[at]), families[at]);
      end if;
    end loop;
  end if;
  select array_agg(quote_ident(names[i])) into texts from generate_subscripts(names, 1) i where types[i] = 'text';
  execute format('copy %s (%s) from %L with (format csv, null %L%s)', relation,
    (select string_agg(quote_ident(n), ', ' order by i) from unnest(names) with ordinality u(n, i)), spool, '',
    case when families is null and not empty_as_null and texts is not null
         then format(', force_not_null (%s)', array_to_string(texts, ', ')) else '' end);
  get diagnostics loaded = row_count;
  perform set_config('standin.copied', loaded::text, false);
end $$;
create function pg_catalog.pg_last_copy_count() returns bigint language sql volatile
  as $$ select coalesce(nullif(current_setting('standin.copied', true), ''), '0')::bigint $$;
-- UNLOAD: rows as CSV and the column types beside them, so that Parquet keeps '00501' a text. The query runs with
-- the caller's rights; only the writing of files is the server's.
create function pg_catalog.rs_unload(query text, spool text) returns void language plpgsql as $$
begin
  execute 'create temp table rs_unload_rows as ' || query;
  perform pg_catalog.rs_spool_out(spool);
  drop table pg_temp.rs_unload_rows;
end $$;
create function pg_catalog.rs_spool_out(spool text) returns void language plpgsql security definer as $$
begin
  execute format('copy (select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %L::regclass '
                 'and attnum > 0 order by attnum) to %L with (format csv)', 'pg_temp.rs_unload_rows', spool || '.types');
  execute format('copy pg_temp.rs_unload_rows to %L with (format csv, null %L)', spool, '');
end $$;
