"""Who may do what: six roles, their grants, default privileges and row-level policies.

The matrix here is both the source of the GRANT statements and what the role test expects; a verb that is not listed
is denied. Ownership: the administrator's service user owns the managed schemas, the transformer's owns what dbt makes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sql.catalog import BUILT_SCHEMAS, MANAGED_SCHEMAS

OWNER = "svc_admin"
BUILDER = "svc_transformer"
#: role -> its service user
ROLES = {
    "wh_admin": OWNER,
    "wh_loader": "svc_loader",
    "wh_transformer": BUILDER,
    "wh_modeler": "svc_modeler",
    "wh_bi_reader": "svc_bi",
    "wh_marketing_analyst": "svc_analyst",
}
VERBS = ("select", "insert", "update", "delete")
_WRITE = VERBS
_READ = ("select",)

#: role -> schema -> verbs on every table of the schema
TABLE_GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "wh_admin": dict.fromkeys((*MANAGED_SCHEMAS, *BUILT_SCHEMAS), _WRITE),
    "wh_loader": {"raw": _WRITE, "raw_history": _WRITE, "intake": _WRITE},
    "wh_transformer": {
        **dict.fromkeys(("raw", "raw_history", "intake", "runs"), _READ),
        **dict.fromkeys(BUILT_SCHEMAS, _WRITE),
    },
    "wh_modeler": {"features": _READ, "marts": _READ, "runs": _WRITE},
    "wh_bi_reader": {"published": _READ},
}
#: Reads published tables one by one, each only after its row-level policy is attached: a table that appears is closed
#: to this role until the administrator's next ``apply``.
SECURED_READER = "wh_marketing_analyst"
#: Exceptions for single tables: role -> schema.table -> verbs
SINGLE_GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "wh_transformer": {"runs.published_version": _WRITE},  # the publisher runs as the transformer
}
#: role -> schemas in which it may create objects
CREATE_IN: dict[str, tuple[str, ...]] = {
    "wh_admin": (*MANAGED_SCHEMAS, *BUILT_SCHEMAS),
    "wh_transformer": BUILT_SCHEMAS,
}
#: Roles that need temporary tables: stage tables, incremental models, UNLOAD.
TEMPORARY = ("wh_admin", "wh_loader", "wh_transformer", "wh_modeler")

#: policy -> (columns, predicate). Attaching one needs sys:secadmin, which the publisher does not have. A policy is attached to every published table that has its columns.
POLICIES = {
    "own_brands": (
        "brand_id varchar(64)",
        "brand_id in (select r.brand_id from control.brand_reader r where r.user_name = current_user)",
    ),
    "all_brands": ("brand_id varchar(64)", "brand_id is not null or brand_id is null"),
}
#: role -> policy on tables under row-level security; a role without one reads no row of them.
ROW_POLICY = {
    "wh_marketing_analyst": "own_brands",
    "wh_bi_reader": "all_brands",
    "wh_transformer": "all_brands",
    "wh_admin": "all_brands",
}


def allowed(role: str, qualified: str, verb: str) -> bool:
    """Does the matrix allow ``role`` the ``verb`` on table ``schema.name``?"""
    schema = qualified.split(".")[0]
    if role == SECURED_READER:
        return schema == "published" and verb == "select"
    return verb in TABLE_GRANTS[role].get(schema, ()) or verb in SINGLE_GRANTS.get(role, {}).get(
        qualified, ()
    )


def create_users(passwords: Mapping[str, str]) -> Iterable[str]:
    """CREATE USER for each service user; without a password the user can sign in through IAM only."""
    for user in ROLES.values():
        secret = passwords.get(user)
        yield f"create user {user} password {_literal(secret) if secret else 'disable'}"


def create_roles() -> Iterable[str]:
    """Roles, and the one role each service user holds."""
    for role, user in ROLES.items():
        yield f"create role {role}"
        yield f"grant role {role} to {user}"
    yield "grant role sys:secadmin to role wh_admin"


def grants(database: str) -> Iterable[str]:
    """Schema and table grants for what exists, default privileges for what will. Repeating them changes nothing."""
    yield f"revoke temp on database {database} from public"
    yield "revoke create on schema public from public"
    for role in TEMPORARY:
        yield f"grant temp on database {database} to role {role}"
    for role, schemas in TABLE_GRANTS.items():
        for schema, verbs in schemas.items():
            creates = schema in CREATE_IN.get(role, ())
            yield f"grant {'create, usage' if creates else 'usage'} on schema {schema} to role {role}"
            listed = ", ".join(verbs)
            yield f"grant {listed} on all tables in schema {schema} to role {role}"
            maker = BUILDER if schema in BUILT_SCHEMAS else OWNER
            yield f"alter default privileges for user {maker} in schema {schema} grant {listed} on tables to role {role}"
    yield f"grant usage on schema published to role {SECURED_READER}"
    for role, tables in SINGLE_GRANTS.items():
        for table, verbs in tables.items():
            yield f"grant {', '.join(verbs)} on table {table} to role {role}"


def create_policies() -> Iterable[str]:
    """The row-level policies, not yet attached to any table."""
    for policy, (columns, predicate) in POLICIES.items():
        yield f"create rls policy {policy} with ({columns}) using ({predicate})"
    yield "grant select on table control.brand_reader to rls policy own_brands"


def secure(qualified: str, *, by_brand: bool, attached: Collection[str] = ()) -> Iterable[str]:
    """Open one published table to the secured reader: policies of the roles not ``attached`` yet, the switch, the grant."""
    if by_brand:
        for role, policy in ROW_POLICY.items():
            if role not in attached:
                yield f"attach rls policy {policy} on {qualified} to role {role}"
        yield f"alter table {qualified} row level security on"
    yield f"grant select on table {qualified} to role {SECURED_READER}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
