"""How dbt connects."""

from __future__ import annotations

import yaml

from settings import ROOT


def test_no_statement_is_retried_outside_its_transaction() -> None:
    """dbt-redshift repeats a failed statement on a new connection, where the deletes and inserts before it are gone."""
    profile = yaml.safe_load((ROOT / "dbt" / "profiles.yml").read_text())["warehouse"]["outputs"]["redshift"]
    assert profile["retries"] == 0
    assert not profile.get("retry_all", False)
