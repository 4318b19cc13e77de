"""Statements that are translated whole, by their shape: SHOW, SET, roles and grants, row-level policies."""

from __future__ import annotations

import re
from collections.abc import Callable

from standin.dialect import quote
from standin.gate import NotOnRedshift

_NAME = r'"?([^".\s]+)"?'
_RELATION = r'((?:"?[\w#]+"?\.)*"?[\w#]+"?)'

_SHOW_SCHEMAS = """select current_database()::varchar as database_name, nspname::varchar as schema_name, 0 as schema_owner,
 'local'::varchar as schema_type, null::varchar as schema_acl, null::varchar as source_database, null::varchar as schema_option
 from pg_namespace"""
_SHOW_TABLES = """select current_database()::varchar as database_name, n.nspname::varchar as schema_name,
 c.relname::varchar as table_name, case when c.relkind = 'v' then 'VIEW' else 'TABLE' end::varchar as table_type,
 null::varchar as table_acl, obj_description(c.oid)::varchar as remarks, pg_get_userbyid(c.relowner)::varchar as owner,
 null::timestamp as last_altered_time, null::timestamp as last_modified_time, null::varchar as dist_style,
 case when c.relkind = 'v' and pg_get_viewdef(c.oid) like '%rs_late_binding(%' then 'LATE BINDING VIEW'
      when c.relkind = 'v' then 'REGULAR VIEW' when c.relkind = 'm' then 'MATERIALIZED VIEW'
      else 'REGULAR TABLE' end::varchar as table_subtype
 from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'v', 'm')"""
_SHOW_COLUMNS = """select table_catalog::varchar as database_name, table_schema::varchar as schema_name, table_name::varchar,
 column_name::varchar, ordinal_position::int, column_default::varchar, is_nullable::varchar, data_type::varchar,
 character_maximum_length::int, numeric_precision::int, numeric_scale::int, null::varchar as remarks
 from information_schema.columns"""


def _show_schemas(m: re.Match[str]) -> str:
    return _SHOW_SCHEMAS + (f" where nspname like {quote(m[2])}" if m[2] else "")


def _show_tables(m: re.Match[str]) -> str:
    like = f" and c.relname like {quote(m[3])}" if m[3] else ""
    return f"{_SHOW_TABLES} and n.nspname = lower({quote(m[2])}){like}"


def _show_columns(m: re.Match[str]) -> str:
    where = f"table_schema = lower({quote(m[2])}) and table_name = lower({quote(m[3])})"
    return f"{_SHOW_COLUMNS} where {where} order by ordinal_position"


def _ignored(_: re.Match[str]) -> str:
    return "set application_name to 'redshift'"


def _do(call: str) -> str:
    return f"do $standin$ begin perform pg_catalog.{call}; end $standin$"


def _create_user(m: re.Match[str]) -> str:
    secret = m[2].strip()
    return f"create role {m[1]} login" + ("" if secret.lower() == "disable" else f" password {secret}")


def _alter_user_password(m: re.Match[str]) -> str:
    secret = m[2].strip()
    return f"alter role {m[1]} password " + ("null" if secret.lower() == "disable" else secret)


def _create_policy(m: re.Match[str]) -> str:
    predicate = re.sub(r"\bcurrent_user\b", "rs_user", m[3].strip(), flags=re.I)
    return _do(f"rs_create_rls_policy({quote(m[1].lower())}, {quote(m[2].strip())}, {quote(predicate)})")


def _attach_policy(m: re.Match[str]) -> str:
    verb = "attach" if m[1].lower() == "attach" else "detach"
    return _do(f"rs_{verb}_rls_policy({quote(m[2].lower())}, {quote(m[3])}, {quote(m[4].lower())})")


def _row_security(m: re.Match[str]) -> str:
    return _do(f"rs_row_level_security({quote(m[1])}, {'true' if m[2].lower() == 'on' else 'false'})")


def _policy_grant(_: re.Match[str]) -> str:
    return (
        "set application_name to 'redshift'"  # the stand-in's policy lookup already runs with its own rights
    )


def _grant(m: re.Match[str]) -> str:
    sql = re.sub(r"^(grant|revoke)\s+role\s+", r"\1 ", m[0], flags=re.I)
    sql = re.sub(r"\b(to|from)\s+(?:role|group)\s+", r"\1 ", sql, flags=re.I)
    sql = re.sub(r"(?<!\")\bsys:(\w+)", r'"sys:\1"', sql, flags=re.I)
    return re.sub(r",\s*(?:role|group)\s+", ", ", sql, flags=re.I)


def _alter_column_type(m: re.Match[str]) -> str:
    if not re.match(r"(varchar|character\s+varying|nvarchar)\s*\(", m[3], re.I):
        raise NotOnRedshift(f"ALTER COLUMN TYPE {m[3]}: only the size of a VARCHAR column can change")
    return m[0]


def _add_column(m: re.Match[str]) -> str:
    if re.match(r"if\s+not\s+exists", m[2], re.I):
        raise NotOnRedshift("ALTER TABLE ADD COLUMN IF NOT EXISTS")
    if re.search(r",\s*add\b", m[2], re.I):
        raise NotOnRedshift("ALTER TABLE can add only one column at a time")
    definition = re.sub(r"\s+encode\s+\w+", "", m[2], flags=re.I)
    return f"alter table {m[1]} add column {definition}"


_IGNORED_SETTINGS = (
    r"query_group|enable_\w+|statement_timeout|wlm_query_slot_count|autocommit|analyze_threshold_percent"
    r"|json_\w+|downcast_\w+|describe_\w+"
)

_SHAPES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str], str], ...] = tuple(
    (re.compile(pattern + r"\s*$", re.I | re.S), handler, rule)
    for pattern, handler, rule in (
        (rf"show\s+schemas\s+from\s+database\s+{_NAME}(?:\s+like\s+'([^']*)')?", _show_schemas, "show schemas"),
        (rf"show\s+tables\s+from\s+schema\s+{_NAME}\.{_NAME}(?:\s+like\s+'([^']*)')?", _show_tables, "show tables"),
        (rf"show\s+columns\s+from\s+table\s+{_NAME}\.{_NAME}\.{_NAME}", _show_columns, "show columns"),
        (rf"set\s+(?:{_IGNORED_SETTINGS})\b.*", _ignored, "setting ignored"),
        (r"create\s+user\s+(\w+)\s+(?:with\s+)?password\s+('(?:[^']|'')*'|disable)", _create_user, "user"),
        (r"alter\s+user\s+(\w+)\s+(?:with\s+)?password\s+('(?:[^']|'')*'|disable)", _alter_user_password, "user"),
        (r"create\s+rls\s+policy\s+(\w+)\s+with\s*\((.*?)\)\s+using\s*\((.*)\)", _create_policy, "row-level policy"),
        (rf"(attach)\s+rls\s+policy\s+(\w+)\s+on\s+(?:table\s+)?{_RELATION}\s+to\s+role\s+(\w+)", _attach_policy, "row-level policy"),
        (rf"(detach)\s+rls\s+policy\s+(\w+)\s+on\s+(?:table\s+)?{_RELATION}\s+from\s+role\s+(\w+)", _attach_policy, "row-level policy"),
        (r"drop\s+rls\s+policy\s+(\w+)(?:\s+cascade)?", lambda m: _do(f"rs_drop_rls_policy({quote(m[1].lower())})"), "row-level policy"),
        (rf"alter\s+table\s+{_RELATION}\s+row\s+level\s+security\s+(on|off)(?:\s+conjunction\s+type\s+(?:and|or))?", _row_security, "row-level policy"),
        (r"grant\s+select\s+on\s+.*\s+to\s+rls\s+policy\s+.*", _policy_grant, "row-level policy"),
        (rf"alter\s+table\s+{_RELATION}\s+alter\s+column\s+(\w+)\s+type\s+(.*)", _alter_column_type, "alter column"),
        (rf"alter\s+table\s+{_RELATION}\s+add\s+column\s+(.*)", _add_column, "add column"),
        (r"(?:grant|revoke|alter\s+default\s+privileges)\b.*", _grant, "roles and groups"),
    )
)  # fmt: skip


def translate(body: str) -> tuple[str, str] | None:
    """(PostgreSQL text, rule) of a statement recognised by its shape, or None.

    Raises NotOnRedshift for a form Redshift refuses.
    """
    for pattern, handler, rule in _SHAPES:
        if m := pattern.match(body):
            return handler(m), rule
    return None
