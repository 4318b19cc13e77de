"""The fixture's marts are the warehouse's marts: every table and column exists in a dbt contract, with the same kind of type."""

from __future__ import annotations

from pathlib import Path

import duckdb
import yaml

ROOT = Path(__file__).resolve().parents[2]


def contracts() -> dict[str, dict[str, str]]:
    """Columns and types of every public mart, from the YAML beside the models."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((ROOT / "dbt" / "models" / "marts").rglob("*.yml")):
        for model in (yaml.safe_load(path.read_text()) or {}).get("models", []):
            found[model["name"]] = {c["name"]: str(c.get("data_type", "")) for c in model.get("columns", [])}
    return found


def test_fixture_follows_the_contracts(serving: Path) -> None:
    known = contracts()
    with duckdb.connect(str(serving), read_only=True) as db:
        rows = db.execute(
            "select table_name, column_name from duckdb_columns() where schema_name = 'marts'"
        ).fetchall()
    wrong = [f"{t}.{c}" for t, c in rows if t in known and c not in known[t]] + sorted(
        {t for t, _ in rows if t not in known}
    )
    assert not wrong, wrong
