"""What the served marts were made from: is there anything that a new run would change?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from settings import ROOT

#: Sources that decide what the marts hold.
CODE = (
    "ingest",
    "dbt/dbt_project.yml",
    "dbt/models",
    "dbt/macros",
    "dbt/seeds",
    "modeling",
    "alerts",
    "settings.py",
)
_ENDINGS = {".py", ".sql", ".yml", ".yaml", ".csv"}


def code_fingerprint(root: Path = ROOT) -> str:
    """Hash of the code and registries behind the marts."""
    digest = hashlib.sha256()
    for name in CODE:
        base = root / name
        files = [base] if base.is_file() else sorted(p for p in base.rglob("*") if p.suffix in _ENDINGS)
        for path in files:
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"src-{digest.hexdigest()[:16]}"


def source_hash(db: duckdb.DuckDBPyConnection) -> str:
    """Hash of the intake ledger: which content was loaded, refused or replayed, whenever that was."""
    row = db.execute(
        "select count(*), coalesce(bit_xor(hash(coalesce(sha256, '') || '|' || coalesce(feed, '') || '|' || "
        "coalesce(outcome, '') || '|' || coalesce(brand_id, ''))), 0) from intake.ledger where outcome <> 'NOOP'"
    ).fetchone()
    return f"{row[0]}-{row[1]}" if row else ""


def pending(db: duckdb.DuckDBPyConnection) -> bool:
    """Whether the ledger or the code differ from those of the last published version."""
    try:
        row = db.execute(
            "select source_hash, code_version from runs.published_version order by version desc limit 1"
        ).fetchone()
    except duckdb.CatalogException:
        return True
    return row is None or tuple(row) != (source_hash(db), code_fingerprint())
