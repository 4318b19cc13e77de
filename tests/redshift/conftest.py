"""The stand-in, started once for all tests of this folder and stopped by its own handle."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from settings import Settings, load_settings
from sql import roles
from sql.__main__ import apply
from sql.migrate import RedshiftConnection
from standin.stack import Stack
from tests.redshift.real import RealCluster

#: Modules that say something about any Redshift; the others are about the stand-in itself.
ANY_CLUSTER = {"test_dbt", "test_roles", "test_migrations"}


@pytest.fixture(scope="session")
def standin() -> Iterator[Stack]:
    """S3, PostgreSQL, the wire and the Data API on free ports; a real cluster when REDSHIFT_HOST is set."""
    if os.environ.get("REDSHIFT_HOST"):
        yield RealCluster()  # type: ignore[misc]  # the same interface
        return
    with Stack() as stack:
        yield stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a real cluster, skip by name what only the stand-in can do."""
    if os.environ.get("REDSHIFT_HOST"):
        for item in items:
            module = item.module.__name__.rsplit(".", 1)[-1]  # type: ignore[attr-defined]
            if item.get_closest_marker("redshift") and module not in ANY_CLUSTER:
                item.add_marker(
                    pytest.mark.skip(reason="needs the stand-in (faults, statement log), not a real cluster")
                )


@pytest.fixture(scope="session")
def warehouse(standin: Stack) -> Stack:
    """The stand-in with users, roles, tables, grants and policies; passwords are in ``user_passwords``."""
    standin.user_passwords.update({user: secrets.token_urlsafe(16) for user in roles.ROLES.values()})
    env = {f"PASSWORD_{u.upper()}": p for u, p in standin.user_passwords.items()}
    connection = standin.connect()
    apply(RedshiftConnection(connection), standin.environment["REDSHIFT_DATABASE"], env)
    connection.close()
    return standin


@pytest.fixture
def environment(warehouse: Stack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The client's settings in this process's environment, as the admin."""
    for key, value in warehouse.environment.items():
        monkeypatch.setenv(key, value)
    return dict(os.environ)


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """Checked settings of the stand-in, as the admin."""
    return load_settings()


@pytest.fixture
def cursor(warehouse: Stack) -> Iterator[Any]:
    """An autocommitting cursor of the admin."""
    connection = warehouse.connect()
    connection.autocommit = True
    yield connection.cursor()
    connection.close()


def settings_of(stack: Stack, user: str) -> Settings:
    """Settings that sign in as one service user."""
    return load_settings(
        {**stack.environment, "REDSHIFT_USER": user, "REDSHIFT_PASSWORD": stack.user_passwords[user]}
    )
