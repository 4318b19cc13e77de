"""Small landing zones, runs in this process, runs as a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from ingest import run as runner
from ingest.contracts import load_contracts
from ingest.warehouse import LedgerRow
from settings import Settings
from tests.faults.harness import place, settings_for

ROOT = Path(__file__).resolve().parents[2]
AUDIT = {"_line", "_delivered_at", "_file_id", "_extra"}

__all__ = ["ROOT", "command", "ingest", "ledger", "place", "query", "raw_hash", "settings_for"]


def ingest(settings: Settings, **more: Any) -> list[LedgerRow]:
    return runner.run(settings, load_contracts(), **more)


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    connection = duckdb.connect(str(settings.warehouse_path), read_only=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def ledger(settings: Settings, name: str) -> tuple[str, str]:
    rows = query(
        settings, f"select outcome, reason from intake.ledger where file_name = '{name}' order by loaded_at"
    )
    return rows[-1]


def raw_hash(settings: Settings) -> str:
    """Digest of every raw table, whatever the order of rows."""
    connection = duckdb.connect(str(settings.warehouse_path), read_only=True)
    try:
        parts = []
        for feed in sorted(load_contracts()):
            row = connection.execute(
                f"select count(*), coalesce(bit_xor(hash(t)), 0), coalesce(sum(hash(t)::hugeint), 0) "
                f"from raw.{feed} as t"
            ).fetchone()
            parts.append(f"{feed}:{row}")
        return "|".join(parts)
    finally:
        connection.close()


def command(
    settings: Settings, *arguments: str, env: dict[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    variables = {
        **os.environ,
        "WAREHOUSE_PATH": str(settings.warehouse_path),
        "SERVING_PATH": str(settings.serving_path),
        "LANDING_URI": settings.landing_uri,
        **(env or {}),
    }
    return subprocess.run(
        [sys.executable, "-m", "ingest", *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
