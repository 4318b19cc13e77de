"""``python -m sql``: see the package's docstring."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import closing

from settings import Settings, SettingsError, load_settings
from sql import migrate as migrations
from sql import roles
from sql.render import ENGINES, definition


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0, or 2 with one clear line."""
    parser = argparse.ArgumentParser(prog="python -m sql", description=(__doc__ or "").split(":")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    rendered = commands.add_parser("render", help="print every schema and table definition")
    rendered.add_argument("--engine", choices=ENGINES, required=True)
    commands.add_parser("plan", help="print the steps from the live warehouse to the definition")
    commands.add_parser("migrate", help="carry them out as one version")
    back = commands.add_parser("rollback", help="undo the versions after --to")
    back.add_argument("--to", type=int, required=True)
    back.add_argument(
        "--with-data", action="store_true", help="also drop tables and columns that hold values"
    )
    commands.add_parser("roles", help="print the users, roles, grants and policies")
    commands.add_parser(
        "apply", help="users and roles, migrate, grants and policies: repeatable, run as the cluster's admin"
    )
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen)
    except (SettingsError, migrations.MigrationRefused) as reason:
        print(f"sql: {reason}", file=sys.stderr)
        return 2


def _run(chosen: argparse.Namespace) -> int:
    if chosen.command == "render":
        for statement in definition(chosen.engine):
            print(statement + ";\n")
        return 0
    settings = load_settings()
    if chosen.command == "roles":
        database = settings.redshift.database if settings.redshift else "dev"
        for statement in (
            *roles.create_users({}),
            *roles.create_roles(),
            *roles.grants(database),
            *roles.create_policies(),
        ):
            print(statement + ";")
        return 0
    with closing(_open(settings)) as raw:
        connection = (
            migrations.RedshiftConnection(raw) if settings.redshift else migrations.DuckDBConnection(raw)
        )
        return _live(chosen, connection, settings)


def _open(settings: Settings):  # type: ignore[no-untyped-def]  # two drivers without a common type
    if settings.redshift:
        from sql.session import connect

        return connect(settings.redshift)
    from modeling.io.duckdb import connect as open_file

    return open_file(settings.warehouse_path)


def _live(chosen: argparse.Namespace, connection: migrations.Connection, settings: Settings) -> int:
    if chosen.command == "plan":
        for step in migrations.plan(connection):
            print(step.up + ";\n")
    elif chosen.command == "migrate":
        version = migrations.migrate(connection)
        print("nothing to do" if version is None else f"version {version}")
    elif chosen.command == "rollback":
        print(f"{migrations.rollback(connection, chosen.to, with_data=chosen.with_data)} steps undone")
    else:
        if settings.redshift is None:
            raise SettingsError("WAREHOUSE_TARGET: roles exist on redshift only")
        for line in apply(connection, settings.redshift.database, os.environ):
            print(line)
    return 0


def apply(connection: migrations.Connection, database: str, env: Mapping[str, str]) -> list[str]:
    """Bring a Redshift database from nothing, or from any earlier state, to the declared one; one line per change.

    A service user's password is read from ``PASSWORD_<USER>`` (put there from a secrets store); without it the user
    signs in through IAM only.
    """
    changed = []
    passwords = {
        u: env[f"PASSWORD_{u.upper()}"] for u in roles.ROLES.values() if env.get(f"PASSWORD_{u.upper()}")
    }
    users = {str(r[0]) for r in connection.run("select usename from pg_user")}
    for user, statement in zip(roles.ROLES.values(), roles.create_users(passwords), strict=True):
        if user not in users:
            connection.run(statement)
            changed.append(f"user {user}")
    known = {str(r[0]) for r in connection.run("select role_name from svv_roles")}
    for role, user in roles.ROLES.items():
        if role not in known:
            connection.run(f"create role {role}")
            connection.run(f"grant role {role} to {user}")
            if role == "wh_admin":
                connection.run("grant role sys:secadmin to role wh_admin")
            changed.append(f"role {role}")
    version = migrations.migrate(connection)
    if version is not None:
        changed.append(f"tables: version {version}")
    for statement in roles.grants(database):
        connection.run(statement)
    policies = {str(r[0]) for r in connection.run("select polname from svv_rls_policy")}
    if not set(roles.POLICIES) <= policies:
        for statement in roles.create_policies():
            connection.run(statement)
        changed.append("row-level policies")
    return [*changed, *secure_published(connection)]


def secure_published(connection: migrations.Connection) -> list[str]:
    """Attach the row-level policies to published tables that lack them; only then the secured reader may read them."""
    attached: dict[str, set[str]] = {}
    for table, role in connection.run(
        "select relname, grantee from svv_rls_attached_policy where relschema = 'published'"
    ):
        attached.setdefault(str(table), set()).add(str(role))
    found = connection.run(
        "select table_name, max(case when column_name = 'brand_id' then 1 else 0 end) from information_schema.columns "
        "where table_schema = 'published' group by table_name order by table_name"
    )
    changed = []
    for table, by_brand in found:
        known = attached.get(str(table), set())
        for statement in roles.secure(f"published.{table}", by_brand=bool(by_brand), attached=known):
            connection.run(statement)
        if by_brand and not known:
            changed.append(f"row-level policy on published.{table}")
    return changed


if __name__ == "__main__":
    sys.exit(main())
