"""The tests that any Redshift answers, and those that are about the stand-in itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from settings import Settings, load_settings
from standin.stack import Stack

#: Modules that say something about any Redshift; the others are about the stand-in itself.
ANY_CLUSTER = {"test_dbt", "test_roles", "test_migrations"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a real cluster, skip by name what only the stand-in can do."""
    if os.environ.get("REDSHIFT_HOST"):
        for item in items:
            module = item.module.__name__.rsplit(".", 1)[-1]  # type: ignore[attr-defined]
            if item.get_closest_marker("redshift") and module not in ANY_CLUSTER:
                item.add_marker(
                    pytest.mark.skip(reason="needs the stand-in (faults, statement log), not a real cluster")
                )


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
