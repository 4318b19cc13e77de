"""The stand-in, started once for all tests that ask for it and stopped by its own handle."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from sql import roles
from sql.__main__ import apply
from sql.migrate import RedshiftConnection
from standin.stack import Stack
from tests.redshift.real import RealCluster


@pytest.fixture(scope="session")
def standin() -> Iterator[Stack | RealCluster]:
    """S3, PostgreSQL, the wire and the Data API on free ports; a real cluster when REDSHIFT_HOST is set."""
    if os.environ.get("REDSHIFT_HOST"):
        yield RealCluster()
        return
    with Stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def warehouse(standin: Stack | RealCluster) -> Stack | RealCluster:
    """The stand-in with users, roles, tables, grants and policies; passwords are in ``user_passwords``."""
    standin.user_passwords.update({user: secrets.token_urlsafe(16) for user in roles.ROLES.values()})
    env = {f"PASSWORD_{u.upper()}": p for u, p in standin.user_passwords.items()}
    connection = standin.connect()
    apply(RedshiftConnection(connection), standin.environment["REDSHIFT_DATABASE"], env)
    connection.close()
    return standin


@pytest.fixture
def environment(warehouse: Stack | RealCluster, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The client's settings in this process's environment, as the admin."""
    for key, value in warehouse.environment.items():
        monkeypatch.setenv(key, value)
    return dict(os.environ)
