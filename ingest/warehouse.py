"""Where parsed files go: the interface both warehouses share, and the reports that cross it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.landing import Item
from ingest.outcomes import FLAGGED, LOAD, LOADED, NOOP, QR, REPLACE, WARN
from ingest.parsed import Parsed
from ingest.values import literal

T = TypeVar("T")


class WarehouseError(RuntimeError):
    """The warehouse cannot be used now; the message is one clear line."""


@dataclass
class LedgerRow:
    """One line of ``intake.ledger``: what became of one delivered file."""

    item: Item
    sha256: str | None
    outcome: str
    reason: str
    run_id: str
    size_bytes: int = 0
    rows_file: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_declared: int = 0
    money_loaded: Decimal = Decimal(0)
    money_quarantined: Decimal = Decimal(0)
    first_date: str | None = None
    last_date: str | None = None
    contract_version: int = 0
    superseded_rows: int = 0
    delivered: str = ""
    loaded_at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))

    @property
    def ledger_id(self) -> str:
        """Same place, same content, same look: the same line, however often it is written."""
        text = f"{self.item.source_key}|{self.sha256}|{self.item.fingerprint}"
        return hashlib.sha256(text.encode()).hexdigest()

    def values(self) -> list[object]:
        """Values in the order of ``schema.LEDGER``."""
        return [
            self.ledger_id, self.item.brand, self.item.feed or "unknown", self.item.shown_name, self.item.shown_uri,
            self.sha256, self.size_bytes or self.item.size, self.delivered or self.item.delivered, self.loaded_at,
            self.run_id, self.outcome, self.reason, self.rows_file, self.rows_loaded, self.rows_quarantined,
            self.rows_declared, self.money_loaded + self.money_quarantined, self.money_loaded,
            self.money_quarantined, self.first_date, self.last_date, self.contract_version, self.superseded_rows,
            self.item.source_key, self.item.fingerprint,
        ]  # fmt: skip


@dataclass
class Memory:
    """What the warehouse remembers about earlier deliveries."""

    fingerprints: dict[
        str, list[tuple[str, str, int]]
    ]  # source_key -> (fingerprint, outcome, contract version)
    known: dict[str, str]  # brand|feed|sha256 of loaded content
    suppressed: dict[str, list[str]]  # brand -> hashes of forgotten people


class Warehouse(Protocol):
    """One open warehouse. Nothing is half-written: each method is one transaction, or one for each file."""

    def init(self) -> None:
        """Make every schema and table that the contracts declare."""

    def remember(self) -> Memory:
        """Read what is needed to recognise files."""

    def load(self, deliveries: Sequence[tuple[Item, Mapping[str, Any]]], run_id: str) -> list[LedgerRow]:
        """Rows, quarantine, warnings and ledger line of each parsed file; a file is loaded whole or not at all."""

    def record(self, row: LedgerRow) -> None:
        """Write the ledger line of a file that brought no rows."""

    def release(self, source_key: str, sha256: str, feed: str, brand: str) -> None:
        """Mark the refused rows of every delivery under one place as released by a repaired file."""

    def finish(self) -> None:
        """Judgements over all deliveries (volume, repeated emptiness), as a pure function of the ledger."""

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of a read-only question, for the commands."""

    def transact(self, action: Callable[[Ask], T]) -> T:
        """Do several statements in one transaction."""

    def close(self) -> None:
        """Let go of the warehouse."""


def ledger_row(
    item: Item, answer: Mapping[str, Any], parsed: Parsed, contract: Contract, run_id: str
) -> LedgerRow:
    """Ledger line of a parsed file before its outcome is known."""
    unit = Decimal(contract.money_unit)
    return LedgerRow(
        item=item,
        sha256=answer["sha256"],
        outcome=LOAD,
        reason="",
        run_id=run_id,
        size_bytes=answer["size"],
        rows_file=parsed.rows_file,
        rows_loaded=parsed.rows_good,
        rows_quarantined=parsed.rows_bad,
        rows_declared=parsed.rows_declared,
        money_loaded=Decimal(parsed.money_good) * unit,
        money_quarantined=Decimal(parsed.money_bad) * unit,
        first_date=parsed.first_date,
        last_date=parsed.last_date,
        contract_version=contract.version,
    )


def same_content(row: LedgerRow) -> LedgerRow:
    """The line of a delivery whose content came before: it brings no rows."""
    row.outcome, row.reason = NOOP, "same_content"
    row.rows_loaded = row.rows_quarantined = row.rows_declared = row.rows_file = 0
    row.money_loaded = row.money_quarantined = Decimal(0)
    return row


#: What a delivery that came back says again.
CAME_BACK = (
    "reason", "rows_file", "rows_loaded", "rows_quarantined", "rows_declared", "contract_version", "money_loaded",
    "money_quarantined", "first_date", "last_date",
)  # fmt: skip


def loaded_before(brand: str, feed: str, sha256: str) -> str:
    """SQL condition and order for the first line of a content that was loaded."""
    return (
        f"brand_id = {literal(brand)} and feed = {literal(feed)} and sha256 = {literal(sha256)} "
        f"and outcome in {LOADED} and rows_file > 0 order by loaded_at limit 1"
    )


def came_back(row: LedgerRow, superseded: int, first: Mapping[str, Any]) -> None:
    """The line of a delivery that makes earlier content current again: its rows count as they did the first time."""
    reasons = [word for word in str(first["reason"] or "").split(",") if word not in ("", "content_returned")]
    bad = int(first["rows_quarantined"]) > 0
    row.outcome = QR if bad else REPLACE
    row.reason = ",".join([*(reasons if bad else ()), "content_returned"])
    row.superseded_rows = superseded
    for name in ("rows_file", "rows_loaded", "rows_quarantined", "rows_declared", "contract_version"):
        setattr(row, name, int(first[name]))
    row.money_loaded, row.money_quarantined = (
        Decimal(first["money_loaded"]),
        Decimal(first["money_quarantined"]),
    )
    row.first_date, row.last_date = (str(d) if (d := first[n]) else None for n in ("first_date", "last_date"))


def outcome(parsed: Parsed, superseded: int, replaced_name: bool, reasons: Sequence[str]) -> tuple[str, str]:
    """The ledger's word and reason for a loaded file; the most serious fact names it."""
    codes = [code for code, _, _ in parsed.warnings]
    flagged = [code for code in codes if code in FLAGGED]
    if parsed.suppressed:
        codes.append("suppressed")
    if parsed.rows_bad:
        return QR, ",".join([*reasons, *[c for c in codes if c != "type_change"]])
    if superseded or replaced_name:
        return REPLACE, ",".join(["partition_replaced" if superseded else "same_name_new_content", *codes])
    if flagged:
        return WARN, ",".join([*flagged, *[c for c in codes if c not in flagged]])
    return LOAD, ",".join(codes)
