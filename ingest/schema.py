"""Tables of the intake: raw, raw_history and intake, all made from the contracts."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.contracts import Contract

LEDGER = [
    ("ledger_id", "VARCHAR"),
    ("brand_id", "VARCHAR"),
    ("feed", "VARCHAR"),
    ("file_name", "VARCHAR"),
    ("uri", "VARCHAR"),
    ("sha256", "VARCHAR"),
    ("size_bytes", "BIGINT"),
    ("delivered_at", "TIMESTAMP"),
    ("loaded_at", "TIMESTAMP"),
    ("run_id", "VARCHAR"),
    ("outcome", "VARCHAR"),
    ("reason", "VARCHAR"),
    ("rows_file", "BIGINT"),
    ("rows_loaded", "BIGINT"),
    ("rows_quarantined", "BIGINT"),
    ("rows_declared", "BIGINT"),
    ("money_file", "DECIMAL(28,6)"),
    ("money_loaded", "DECIMAL(28,6)"),
    ("money_quarantined", "DECIMAL(28,6)"),
    ("first_date", "DATE"),
    ("last_date", "DATE"),
    ("contract_version", "INTEGER"),
    ("superseded_rows", "BIGINT"),
    ("source_key", "VARCHAR"),
    ("fingerprint", "VARCHAR"),
]
QUARANTINE = [
    ("brand_id", "VARCHAR"),
    ("feed", "VARCHAR"),
    ("sha256", "VARCHAR"),
    ("file_name", "VARCHAR"),
    ("line", "BIGINT"),
    ("reason", "VARCHAR"),
    ("field", "VARCHAR"),
    ("row_text", "VARCHAR"),
    ("delivered_at", "TIMESTAMP"),
    ("run_id", "VARCHAR"),
    ("released_by", "VARCHAR"),
]
WARNING = [
    ("brand_id", "VARCHAR"),
    ("feed", "VARCHAR"),
    ("sha256", "VARCHAR"),
    ("file_name", "VARCHAR"),
    ("code", "VARCHAR"),
    ("detail", "VARCHAR"),
    ("row_count", "BIGINT"),
]
# Every delivered version of every partition: the newest wins, whatever the order of arrival.
PARTITION_VERSION = [
    ("brand_id", "VARCHAR"),
    ("feed", "VARCHAR"),
    ("partition_key", "VARCHAR"),
    ("file_id", "VARCHAR"),
    ("delivered_at", "TIMESTAMP"),
    ("row_count", "BIGINT"),
]
SUPPRESSION = [
    ("brand_id", "VARCHAR"),
    ("subject_hash", "VARCHAR"),
    ("kind", "VARCHAR"),
    ("run_id", "VARCHAR"),
]
FEED = [
    ("feed", "VARCHAR"),
    ("family", "VARCHAR"),
    ("partner", "VARCHAR"),
    ("cadence", "VARCHAR"),
    ("mode", "VARCHAR"),
    ("restatement_days", "INTEGER"),
    ("event_date", "VARCHAR"),
    ("timezone", "VARCHAR"),
    ("contract_version", "INTEGER"),
]
INTAKE = {
    "ledger": LEDGER,
    "quarantine": QUARANTINE,
    "warning": WARNING,
    "partition_version": PARTITION_VERSION,
    "suppression": SUPPRESSION,
    "feed": FEED,
}
HISTORY_COLUMNS = [("_superseded_by", "VARCHAR"), ("_superseded_at", "TIMESTAMP")]


def quoted(name: str) -> str:
    """SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def _create(schema: str, table: str, columns: Iterable[tuple[str, str]]) -> str:
    body = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)
    return f"create table if not exists {schema}.{quoted(table)} ({body})"


def statements(contracts: Iterable[Contract]) -> list[str]:
    """DuckDB statements that make every schema and table that does not exist yet."""
    out = [f"create schema if not exists {name}" for name in ("raw", "raw_history", "intake", "runs")]
    out += [_create("intake", table, columns) for table, columns in INTAKE.items()]
    for contract in contracts:
        out.append(_create("raw", contract.feed, contract.columns))
        out.append(_create("raw_history", contract.feed, [*contract.columns, *HISTORY_COLUMNS]))
    return out
