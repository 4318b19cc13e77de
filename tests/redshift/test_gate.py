"""What Redshift refuses is refused with a reason; what it accepts passes. No server needed."""

from __future__ import annotations

import json

import pytest

from standin.ddl import split_attributes
from standin.gate import NotOnRedshift
from standin.rewrite import rewrite, split_statements
from standin.storage import parse_copy, parse_unload

ROLE = "iam_role 'arn:aws:iam::123456789012:role/copy'"

REFUSED = {
    "select distinct on (g) g, x from t order by g": "DISTINCT ON",
    "select count(*) filter (where x > 1) from t": "FILTER",
    "select string_agg(g, ',') from t": "LISTAGG",
    "select array_agg(g) from t": "leader-node",
    "select * from generate_series(1, 3) g": "date_spine",
    "select now() from t": "GETDATE",
    "select current_timestamp from t": "GETDATE",
    "select j ->> 'a' from t": "JSON",
    "select x::jsonb from t": "JSONB",
    "select unnest(array[1, 2])": "unnest",
    "insert into t (id) values (1) on conflict do nothing": "ON CONFLICT",
    "create index i on t (x)": "INDEX",
    "select sum(x) over (order by d) from t": "explicit frame",
    "select avg(x) over (order by d range between interval '7 day' preceding and current row) from t": "RANGE",
    "select * from t, lateral (select 1) q": "LATERAL",
    "with recursive r as (select 1 n union all select n + 1 from r where n < 5) select * from r": "column list",
    "select * from (with recursive r(n) as (select 1 union all select n + 1 from r) select n from r) q": "Recursive CTE",
    "select median(v) from (select 1 v union all select 2) q": "user created",
    "select * from (values (1), (2)) v (a)": "VALUES",
    "select try_cast(g as int) from t": "TRY_CAST",
    "select strftime(d, '%Y') from t": "DuckDB",
    "select list(g) from t": "DuckDB",
    "select ifnull(g, 'x') from t": "NVL",
    "select g from t except all select 'a'": "EXCEPT ALL",
    "merge into t as tt using (select 1 a) s on tt.id = s.a when matched then delete when not matched then insert values (1)": "MERGE",
    "create table z (a uuid)": "UUID",
    "create table z (a text[])": "SUPER",
    "create table z (a int, check (a > 0))": "CHECK",
    "create table z (a varchar(70000))": "65535",
    "create table z (a varchar(10) encode az64)": "invalid encoding",
    "create table z (a boolean encode az64)": "invalid encoding",
    "create table z (a int) diststyle sometimes": "DISTSTYLE",
    "select * from t using sample 10": "TABLESAMPLE",
    "select lag(x, 1, 0) over (order by d) from t": "COALESCE",
    "select row_number() over (order by d rows unbounded preceding) from t": "no frame",
    "select cast(x as double) from t": 'type "double"',
    "select x::string from t": 'type "string"',
    "select a from t where a == 1": "operator",
    "select a is distinct from b from t": "IS DISTINCT FROM",
    "with a as materialized (select 1) select * from a": "MATERIALIZED",
    "select date_part('isodow', d) from t": "ISODOW",
    "select extract(isodow from d) from t": "ISODOW",
    "select log(2, x) from t": "one argument",
    "select percentile_cont(0.5) within group (order by x), percentile_cont(0.5) within group (order by y) from t": "must be the same",
    "alter table t add column if not exists a int": "IF NOT EXISTS",
    "alter table t add column a int, add column b int": "one column",
    "alter table t alter column a type bigint": "VARCHAR",
    f"unload ('select * from t limit 5') to 's3://b/p' {ROLE}": "Limit",
}  # fmt: skip

ACCEPTED = [
    "select date_trunc('week', d)::date from t",
    "select dateadd(day, 1, d), datediff(week, d, d) from t",
    "select listagg(g, ',') within group (order by g) from t",
    "select g from t qualify row_number() over (partition by g order by x) = 1",
    "select nvl(g, 'x'), decode(g, 'a', 1, 0), len(g) from t",
    "select approximate count(distinct g) from t",
    "select percentile_cont(0.5) within group (order by x) over (partition by g) from t",
    "select regexp_substr(g, '[a-z]+'), split_part(g, 'a', 1), md5(g), json_extract_path_text(j, 'k') from t",
    "create table z (a int encode az64, b double precision encode zstd) diststyle key distkey (a) sortkey (a)",
    "create view v as select 1 a from t with no schema binding",
    "select sum(x) over (partition by g order by d rows between 6 preceding and current row) from t",
    "select cast(x as double precision) from t",
    "insert into t values (1, 'a'), (2, 'b')",
    "delete from t using u where t.id = u.id",
    "alter table t alter column a type varchar(300)",
    "alter default privileges for user a in schema s grant select on tables to role r",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_refused_with_the_reason(sql: str) -> None:
    with pytest.raises(NotOnRedshift, match=REFUSED[sql]):
        rewrite(sql)


@pytest.mark.parametrize("sql", ACCEPTED)
def test_accepted(sql: str) -> None:
    assert not any(rule.startswith("UNPARSED") for rule in rewrite(sql).rules)


def test_a_statement_that_needs_nothing_is_sent_unchanged() -> None:
    sql = "select a /* kept */ from t where b = 1 -- as it is"
    assert rewrite(sql).sql == sql


def test_semantics_that_differ_are_rewritten_not_passed() -> None:
    done = rewrite("select avg(a), power(b, 2), regexp_replace(c, 'x', 'y'), count(*) from t")
    text = done.sql.lower()
    assert "rs_avg(a)" in text and "rs_power(b, 2)" in text and "'g'" in text


def test_table_attributes_are_read_from_every_place_they_can_stand() -> None:
    sql = (
        "create table if not exists s.t (id bigint identity(1,1) encode az64 distkey, d date sortkey, "
        "n numeric(18,4) default 0 encode raw not null, k varchar(5)) backup no"
    )
    text, found = split_attributes(sql)
    assert found is not None
    assert (found.relation, found.distkey, found.diststyle, found.sortkeys) == ("s.t", "id", "key", ["d"])
    assert found.encodings == {"id": "az64", "n": "raw"}
    for word in ("encode", "distkey", "sortkey", "backup"):
        assert word not in text.lower()
    assert "not null" in text and "default 0" in text


def test_sort_key_of_a_table_made_from_a_query() -> None:
    text, found = split_attributes(
        "create table a.b diststyle key distkey (x) compound sortkey (y, x) as (select 1 x, 2 y)"
    )
    assert found is not None and found.recorded == {
        "diststyle": "key", "distkey": "x", "sortstyle": "compound", "sortkeys": ["y", "x"], "encodings": {},
    }  # fmt: skip
    assert text.split() == ["create", "table", "a.b", "as", "(select", "1", "x,", "2", "y)"]


def test_created_varchar_counts_bytes() -> None:
    assert 'OCTET_LENGTH("A") <= 3' in rewrite('create table t ("A" varchar(3))').sql.upper().replace(
        '"A"', '"A"'
    )


def test_policies_and_roles() -> None:
    sql = rewrite("create rls policy p with (brand_id varchar(64)) using (brand_id = current_user)").sql
    assert "rs_create_rls_policy('p', 'brand_id varchar(64)', 'brand_id = rs_user')" in sql
    assert rewrite("grant select on table t to role r").sql == "grant select on table t to r"
    assert rewrite("grant role a to role b").sql == "grant a to b"
    assert rewrite("create user u password disable").sql == "create role u login"


def test_scripts_are_split_outside_literals() -> None:
    assert split_statements("select ';'; select 2;") == ["select ';'", "select 2"]


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("copy t from 's3://b/k' format as parquet", "authorisation"),
        (f"copy t from 's3://b/k' {ROLE} bogus", "not understood"),
        ("copy t from 's3://b/k' access_key_id 'x' secret_access_key 'y' csv", "no keys in SQL"),
        (f"copy t from '/etc/passwd' {ROLE}", "not understood"),
    ],
)
def test_copy_needs_a_role_and_known_options(sql: str, problem: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=problem):
        parse_copy(sql, tmp_path)


def test_unload_query_may_be_quoted_either_way(tmp_path) -> None:  # type: ignore[no-untyped-def]
    one = parse_unload(f"unload ('select ''a''') to 's3://b/p_' {ROLE} parquet", tmp_path)
    two = parse_unload(f"unload ($$select 'a'$$) to 's3://b/p_' {ROLE} format as csv header", tmp_path)
    assert one.query == two.query == "select 'a'"
    assert (one.options["format"], two.options["format"], "header" in two.options) == ("parquet", "csv", True)


def test_recorded_attributes_are_json() -> None:
    sql = rewrite("create table t (a int) diststyle all").sql
    assert json.loads(sql.split("'t', '")[1].split("'::jsonb")[0])["diststyle"] == "all"
