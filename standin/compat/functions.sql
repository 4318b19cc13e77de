-- Redshift functions that PostgreSQL lacks or defines otherwise. They live in pg_catalog (the server runs with
-- allow_system_table_mods), so no search path is needed. The meaning is the AWS guide's; where it was not
-- verified on a cluster the comment says so.
set check_function_bodies = off;

create function pg_catalog.rs_raise(message text, state text, detail text) returns text language plpgsql as $$
begin
  raise exception using message = message, errcode = state, detail = detail;
end $$;

-- ---- text -----------------------------------------------------------------------------------------------
create function pg_catalog.len(text) returns int language sql immutable strict as 'select length($1)';
create function pg_catalog.charindex(text, text) returns int language sql immutable strict as 'select strpos($2, $1)';
-- Redshift's two-argument concat gives NULL when either side is NULL.
create function pg_catalog.concat(text, text) returns text language sql immutable as 'select $1 || $2';
create function pg_catalog.sha2(value text, bits int) returns text language sql immutable strict as $$
  select encode(case bits when 224 then sha224(value::bytea) when 384 then sha384(value::bytea)
                          when 512 then sha512(value::bytea) else sha256(value::bytea) end, 'hex') $$;
create function pg_catalog.strtol(digits text, base int) returns bigint language plpgsql immutable strict as $$
declare total bigint := 0; digit text;
begin
  foreach digit in array regexp_split_to_array(lower(digits), '') loop
    total := total * base + strpos('0123456789abcdefghijklmnopqrstuvwxyz', digit) - 1;
  end loop;
  return total;
end $$;

-- ---- dates ----------------------------------------------------------------------------------------------
create function pg_catalog.getdate() returns timestamp language sql stable
  as $$ select (statement_timestamp() at time zone 'UTC')::timestamp $$;
create function pg_catalog.rs_unit(text) returns text language sql immutable strict as $$
  select case
    when lower($1) in ('d', 'days') then 'day'
    when lower($1) in ('w', 'weeks') then 'week'
    when lower($1) in ('mon', 'mons', 'months') then 'month'
    when lower($1) in ('qtr', 'qtrs', 'quarters') then 'quarter'
    when lower($1) in ('y', 'yr', 'yrs', 'years') then 'year'
    when lower($1) in ('h', 'hr', 'hrs', 'hours') then 'hour'
    when lower($1) in ('m', 'mi', 'min', 'mins', 'minutes') then 'minute'
    when lower($1) in ('s', 'sec', 'secs', 'seconds') then 'second'
    when lower($1) in ('ms', 'msec', 'milliseconds') then 'millisecond'
    else lower($1) end $$;
create function pg_catalog.dateadd(unit text, n bigint, at timestamp) returns timestamp language sql immutable strict as $$
  select at + n * (case rs_unit(unit) when 'quarter' then '3 month' else '1 ' || rs_unit(unit) end)::interval $$;
create function pg_catalog.dateadd(unit text, n bigint, at date) returns timestamp language sql immutable strict
  as 'select dateadd(unit, n, at::timestamp)';
create function pg_catalog.dateadd(unit text, n bigint, at timestamptz) returns timestamptz language sql stable strict
  as $$ select dateadd(unit, n, at at time zone 'UTC') at time zone 'UTC' $$;
-- DATEDIFF counts boundaries crossed. Weeks are counted by Sundays: the guide says so, no cluster was asked.
create function pg_catalog.datediff(unit text, a timestamp, b timestamp) returns bigint language sql immutable strict as $$
  select case rs_unit(unit)
    when 'year' then (extract(year from b) - extract(year from a))::bigint
    when 'quarter' then (extract(year from b) * 4 + extract(quarter from b)
                         - extract(year from a) * 4 - extract(quarter from a))::bigint
    when 'month' then (extract(year from b) * 12 + extract(month from b)
                       - extract(year from a) * 12 - extract(month from a))::bigint
    when 'week' then (floor((b::date - date '1970-01-04') / 7.0) - floor((a::date - date '1970-01-04') / 7.0))::bigint
    when 'day' then (b::date - a::date)::bigint
    when 'hour' then (extract(epoch from date_trunc('hour', b) - date_trunc('hour', a)) / 3600)::bigint
    when 'minute' then (extract(epoch from date_trunc('minute', b) - date_trunc('minute', a)) / 60)::bigint
    when 'second' then extract(epoch from date_trunc('second', b) - date_trunc('second', a))::bigint
    when 'millisecond' then (extract(epoch from b - a) * 1000)::bigint end $$;
create function pg_catalog.datediff(unit text, a timestamptz, b timestamptz) returns bigint language sql stable strict
  as $$ select datediff(unit, a at time zone 'UTC', b at time zone 'UTC') $$;
create function pg_catalog.date_trunc(text, date) returns timestamp language sql immutable strict
  as 'select date_trunc($1, $2::timestamp)';
create function pg_catalog.trunc(timestamp) returns date language sql immutable strict as 'select $1::date';
create function pg_catalog.last_day(timestamp) returns date language sql immutable strict
  as $$ select (date_trunc('month', $1) + interval '1 month - 1 day')::date $$;
create function pg_catalog.add_months(at timestamp, n bigint) returns timestamp language sql immutable strict as $$
  select case when at::date = last_day(at) then last_day(at + n * interval '1 month') + (at - at::date)
              else at + n * interval '1 month' end $$;
create function pg_catalog.months_between(a timestamp, b timestamp) returns float8 language sql immutable strict as $$
  select datediff('month', b, a) + case
    when extract(day from a) = extract(day from b) or (a::date = last_day(a) and b::date = last_day(b)) then 0
    else (extract(day from a) - extract(day from b)) / 31.0 end $$;
create function pg_catalog.convert_timezone(source text, target text, at timestamp) returns timestamp language sql stable strict
  as 'select (at at time zone source) at time zone target';
create function pg_catalog.convert_timezone(target text, at timestamp) returns timestamp language sql stable strict
  as $$ select (at at time zone 'UTC') at time zone target $$;

-- ---- numbers --------------------------------------------------------------------------------------------
create function pg_catalog.round(value float8, places int) returns float8 language sql immutable strict
  as 'select round(value::numeric, places)::float8';
create function pg_catalog.trunc(value float8, places int) returns float8 language sql immutable strict
  as 'select trunc(value::numeric, places)::float8';
-- Redshift computes these in double precision also for decimal arguments.
create function pg_catalog.rs_power(float8, float8) returns float8 language sql immutable strict as 'select dpow($1, $2)';
create function pg_catalog.rs_exp(float8) returns float8 language sql immutable strict as 'select dexp($1)';
create function pg_catalog.rs_ln(float8) returns float8 language sql immutable strict as 'select dlog1($1)';
create function pg_catalog.rs_sqrt(float8) returns float8 language sql immutable strict as 'select dsqrt($1)';
create function pg_catalog.rs_log(float8) returns float8 language sql immutable strict as 'select dlog10($1)';

-- ---- JSON -----------------------------------------------------------------------------------------------
create function pg_catalog.json_parse(text) returns jsonb language sql immutable strict as 'select $1::jsonb';
create function pg_catalog.json_serialize(jsonb) returns text language sql immutable strict as 'select $1::text';
create function pg_catalog.is_valid_json(text) returns bool language plpgsql immutable strict as $$
begin
  return jsonb_typeof($1::jsonb) in ('object', 'array');
exception when others then
  return false;
end $$;
-- A missing path gives the empty string, not NULL.
create function pg_catalog.json_extract_path_text(source text, variadic path text[]) returns text language sql immutable
  as $$ select case when source is null then null else coalesce(source::json #>> path, '') end $$;
create function pg_catalog.json_extract_path_text(source text, k1 text, null_if_invalid bool) returns text
  language plpgsql immutable as $$
begin
  return json_extract_path_text(source, k1);
exception when others then
  if null_if_invalid then return null; end if;
  raise;
end $$;
create function pg_catalog.json_extract_path_text(source text, k1 text, k2 text, null_if_invalid bool) returns text
  language plpgsql immutable as $$
begin
  return json_extract_path_text(source, k1, k2);
exception when others then
  if null_if_invalid then return null; end if;
  raise;
end $$;
create function pg_catalog.json_extract_array_element_text(source text, at int) returns text language sql immutable strict
  as 'select source::json ->> at';
create function pg_catalog.json_extract_array_element_text(source text, at int, null_if_invalid bool) returns text
  language plpgsql immutable as $$
begin
  return source::json ->> at;
exception when others then
  if null_if_invalid then return null; end if;
  raise;
end $$;
create function pg_catalog.json_array_length(text) returns int language sql immutable strict
  as 'select json_array_length($1::json)';

-- ---- aggregates -----------------------------------------------------------------------------------------
-- AVG of integers is BIGINT and truncates; AVG of NUMERIC keeps "the same data type as expression".
create function pg_catalog.rs_avg_int_step(bigint[], bigint) returns bigint[] language sql immutable strict
  as 'select array[$1[1] + $2, $1[2] + 1]';
create function pg_catalog.rs_avg_int_end(bigint[]) returns bigint language sql immutable
  as 'select $1[1] / nullif($1[2], 0)';
create aggregate pg_catalog.rs_avg(bigint)
  (sfunc = rs_avg_int_step, stype = bigint[], finalfunc = rs_avg_int_end, initcond = '{0,0}');
create function pg_catalog.rs_avg_num_step(numeric[], numeric) returns numeric[] language sql immutable strict
  as 'select array[$1[1] + $2, $1[2] + 1, greatest($1[3], scale($2))]';
create function pg_catalog.rs_avg_num_end(numeric[]) returns numeric language sql immutable
  as 'select round($1[1] / nullif($1[2], 0), $1[3]::int)';
create aggregate pg_catalog.rs_avg(numeric)
  (sfunc = rs_avg_num_step, stype = numeric[], finalfunc = rs_avg_num_end, initcond = '{0,0,0}');
create aggregate pg_catalog.rs_avg(float8)
  (sfunc = float8_accum, stype = float8[], finalfunc = float8_avg, initcond = '{0,0,0}');
-- MEDIAN, and PERCENTILE_CONT as a window function, which PostgreSQL's ordered-set aggregates cannot be.
create function pg_catalog.rs_collect(float8[], float8) returns float8[] language sql immutable
  as 'select case when $2 is null then $1 else $1 || $2 end';
create function pg_catalog.rs_median_end(float8[]) returns float8 language sql immutable
  as 'select percentile_cont(0.5) within group (order by v) from unnest($1) v';
create aggregate pg_catalog.median(float8) (sfunc = rs_collect, stype = float8[], finalfunc = rs_median_end);
create function pg_catalog.rs_percentile_step(float8[], float8, float8) returns float8[] language sql immutable
  as 'select case when $3 is null then $1 else coalesce($1, array[$2]) || $3 end';
create function pg_catalog.rs_percentile_end(float8[]) returns float8 language sql immutable
  as 'select percentile_cont($1[1]) within group (order by v) from unnest($1[2:]) v';
create aggregate pg_catalog.rs_percentile_cont(float8, float8)
  (sfunc = rs_percentile_step, stype = float8[], finalfunc = rs_percentile_end);

create or replace function pg_catalog.version() returns text language sql stable as
  $$ select 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.0 (stand-in on PostgreSQL: NOT Amazon Redshift)' $$;
