"""A real Redshift in the stand-in's place, for whoever has a throw-away one: set REDSHIFT_HOST and its like.

The same dbt, role and migration tests then run against it. What only the stand-in can do (faults on the wire, the
statement log, its own start and stop) is skipped by name.
"""

from __future__ import annotations

import os
from typing import Any

from settings import load_settings
from sql.session import connect
from sql.transfer import s3_client


class RealCluster:
    """What the tests use of ``standin.stack.Stack``, on the cluster that the environment names."""

    def __init__(self) -> None:
        self.environment = {**os.environ, "WAREHOUSE_TARGET": "redshift"}
        redshift = load_settings(self.environment).redshift
        if redshift is None:
            raise RuntimeError("REDSHIFT_HOST is set, but not the rest of the settings")
        self.redshift = redshift
        self.user_passwords: dict[str, str] = {}
        self.staging_uri, self.copy_role = redshift.s3_staging_uri, redshift.copy_role_arn

    def connect(
        self, user: str | None = None, password: str | None = None, database: str | None = None
    ) -> Any:
        """A connection as the administrator or as one service user."""
        import dataclasses

        changed: dict[str, str] = {"database": database} if database else {}
        if user:
            changed |= {"user": user, "password": password or self.user_passwords[user]}
        return connect(dataclasses.replace(self.redshift, **changed))

    def s3(self) -> Any:
        """The account's S3."""
        return s3_client()

    def statements(self) -> list[dict[str, Any]]:
        """Redshift keeps its log itself."""
        return []
