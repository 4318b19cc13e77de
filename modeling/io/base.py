"""What a warehouse must offer to the models, and the tables that every run writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

Columns = Mapping[str, str]

#: Columns that the runner adds in front of every output table's own columns.
COMMON_COLUMNS: dict[str, str] = {
    "run_id": "varchar(64)",
    "unit": "varchar(256)",
    "brand_id": "varchar(64)",
    "as_of_date": "date",
    "code_version": "varchar(64)",
    "feature_hash": "varchar(64)",
}

#: Tables of the run registry itself (schema ``runs``).
RUN_TABLES: dict[str, dict[str, str]] = {
    "model_run": {
        "run_id": "varchar(64)",
        "job": "varchar(64)",
        "unit": "varchar(256)",
        "brand_id": "varchar(64)",
        "status": "varchar(16)",
        "message": "varchar(4096)",
        "as_of_date": "date",
        "window_start": "date",
        "window_end": "date",
        "code_version": "varchar(64)",
        "feature_hash": "varchar(64)",
        "seed": "bigint",
        "started_at": "timestamp",
        "finished_at": "timestamp",
        "cpu_seconds": "double precision",
        "peak_mb": "double precision",
        "metrics_json": "varchar(65535)",
        "recorded_seq": "bigint",
    },
    "alert": {  # append-only events of the alerts, see alerts/ledger.py
        "event_id": "varchar(64)",
        "event_seq": "bigint",
        "event": "varchar(16)",
        "event_at": "timestamp",
        "as_of_date": "date",
        "brand_id": "varchar(64)",
        "run_id": "varchar(64)",
        "actor": "varchar(256)",
        "note": "varchar(4096)",
        "alert_id": "varchar(64)",
        "rule": "varchar(64)",
        "kind": "varchar(16)",
        "severity": "varchar(16)",
        "entity": "varchar(512)",
        "metric": "varchar(64)",
        "observed": "double precision",
        "expected": "double precision",
        "low": "double precision",
        "high": "double precision",
        "period_start": "date",
        "period_end": "date",
        "owner": "varchar(64)",
        "action": "varchar(1024)",
        "expected_value_usd": "double precision",
        "message": "varchar(4096)",
        "opened_on": "date",
    },
    "published_version": {
        "version": "bigint",
        "content_hash": "varchar(64)",
        "published_at": "timestamp",
        "as_of_date": "date",
        "marts_rows": "bigint",
        "code_version": "varchar(64)",
        "source_hash": "varchar(64)",
    },
}


class WarehouseBusy(RuntimeError):
    """Another process kept the warehouse locked; the message names it."""


class Warehouse(Protocol):
    """Reads feature marts and appends to run-output tables; nothing else."""

    def ensure_tables(self, tables: Mapping[str, Columns]) -> None:
        """Create ``runs.<table>`` where missing and add columns that a newer version declares."""

    def has_table(self, table: str) -> bool:
        """Whether ``schema.table`` exists."""

    def export(self, table: str, columns: Sequence[str], path: Path) -> int:
        """Write the listed columns of ``schema.table`` to one Parquet file, in a fixed row order; return rows."""

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a short control query (parameters are bound; ``?`` marks them)."""

    def record(self, run: Mapping[str, Any], outputs: Mapping[str, Path]) -> bool:
        """Write one run unit: its registry row and its output files, replacing the same (run_id, unit).

        One transaction. Returns False, changing nothing, when that unit is already recorded as succeeded.
        """

    def append(self, table: str, rows: Sequence[Mapping[str, Any]], replace_key: Sequence[str]) -> None:
        """Write control rows to ``runs.<table>``, replacing those with the same key, in one transaction."""
