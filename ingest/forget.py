"""Erasure: a person leaves the landing zone, the warehouse and the serving copy, and a redelivery does not bring them back.

Subjects are given as e-mail addresses, telephone numbers or person ids, one a line. They are hashed at once; only
hashes are written, to ``intake.suppression``, which the parser reads before it accepts any later row.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingest import erasure
from ingest.contracts import Contract
from ingest.header import resolve
from ingest.outcomes import NOOP, Settled
from ingest.pii import Hasher
from ingest.rows import runner
from ingest.run import is_new, landing_zone, opened
from ingest.warehouse import LedgerRow, Warehouse, WarehouseError
from settings import Settings

KINDS = ("id", "email", "phone")


@dataclass
class Erased:
    """What one erasure removed."""

    subjects: int = 0
    landing_rows: int = 0
    landing_files: int = 0
    warehouse_rows: int = 0
    serving_rows: int = 0


def read_subjects(path: Path) -> list[str]:
    """Identifiers of a file: one a line, or the cells of a CSV; a header and blank lines are skipped.

    Raises:
        WarehouseError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WarehouseError(f"--subjects {path}: {type(error).__name__}") from None
    words = {"email", "phone", "person_id", "id", "kind", "value", "subject", ""}
    cells = [cell.strip() for row in csv.reader(io.StringIO(text)) for cell in row]
    return sorted({cell for cell in cells if cell.lower() not in words})


def _hashes(hasher: Hasher, subjects: Iterable[str]) -> set[str]:
    found = {hasher(kind, subject) for subject in subjects for kind in KINDS}
    return {digest for digest in found if digest}


def _clean_rows(
    text: str, contract: Contract, contracts: Mapping[str, Contract], hasher: Hasher, hashes: set[str]
) -> tuple[str, int]:
    """The text without the subjects' lines, and how many lines went."""
    layout = resolve(contract, text[: 1 << 20], contracts)
    spots = [
        (layout.positions[part], item.pii)
        for item in contract.fields.values()
        if item.pii in KINDS
        for part in (item.parts or (item.name,))
        if part in layout.positions
    ]
    kept: list[str] = []
    pending: list[str] = []
    dropped = 0

    def lines() -> Iterable[str]:
        for line in io.StringIO(text, newline=""):
            pending.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=contract.delimiter)
    for number, row in enumerate(reader, 1):
        if number <= layout.header_line:
            hit = False
        elif len(row) == len(layout.names):
            hit = any(hasher(kind, row[i]) in hashes for i, kind in spots)
        else:
            hit = any(hasher(kind, cell) in hashes for cell in row for kind in KINDS)
        if hit:
            dropped += 1
        else:
            kept.extend(pending)
        pending.clear()
    return "".join(kept), dropped


def _clean_bytes(
    raw: bytes, contract: Contract, contracts: Mapping[str, Contract], hasher: Hasher, hashes: set[str]
) -> tuple[bytes | None, int]:
    """New bytes of a landing file (None = remove it whole) and how many rows of subjects it held."""
    zipped = raw[:2] == b"\x1f\x8b"
    try:
        data = gzip.decompress(raw) if zipped else raw
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        clean, dropped = _clean_rows(text, contract, contracts, hasher, hashes)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, Settled, ValueError):
        return None, 1  # nobody can say who is inside a refused file; it goes
    if not dropped:
        return raw, 0
    out = clean.encode()
    return (gzip.compress(out, mtime=0) if zipped else out), dropped


def forget(settings: Settings, contracts: Mapping[str, Contract], subjects: list[str]) -> Erased:
    """Remove the subjects everywhere, and remember their hashes so that they stay away.

    On Redshift the account needs the right to delete from every schema that has personal keys; there the published
    marts are tables of the same database and are cleaned with the others.
    """
    hasher, report = Hasher(settings.pii_hash_key()), Erased(subjects=len(subjects))
    hashes = _hashes(hasher, subjects)
    if not hashes:
        return report
    with opened(settings, contracts) as warehouse:
        hashes = warehouse.transact(lambda ask: erasure.widened(ask, hashes))
        # first of all they may not come back; the rest can be repeated
        warehouse.transact(lambda ask: erasure.suppress(ask, hashes, settings.brand_id))
        _landing(settings, contracts, warehouse, hasher, hashes, report)
        report.warehouse_rows = warehouse.transact(lambda ask: erasure.erase(ask, hashes))
    report.serving_rows = _serving(settings.serving_path, hashes)
    return report


def _landing(
    settings: Settings,
    contracts: Mapping[str, Contract],
    warehouse: Warehouse,
    hasher: Hasher,
    hashes: set[str],
    report: Erased,
) -> None:
    memory, landing = warehouse.remember(), landing_zone(settings, contracts)
    for item in list(landing.items()):
        contract = contracts.get(item.feed)
        raw = landing.read(item) if contract is not None and contract.has_pii else None
        if raw is None or contract is None:
            continue
        clean, dropped = _clean_bytes(raw, contract, contracts, hasher, hashes)
        if not dropped:
            continue
        unread = is_new(item, memory, contracts)
        now = landing.rewrite(item, clean)
        report.landing_files += 1
        if clean is None:
            continue
        report.landing_rows += dropped
        if not unread:
            digest = hashlib.sha256(clean).hexdigest()
            warehouse.record(LedgerRow(now, digest, NOOP, "rewritten_by_forget", "forget"))


def _serving(path: Path, hashes: set[str]) -> int:
    """Take the subjects out of a copy of the serving file and swap it in."""
    if not path.exists():
        return 0
    fresh = path.with_suffix(".forget.tmp")
    shutil.copy2(path, fresh)
    connection = duckdb.connect(str(fresh))
    try:
        run = runner(connection)
        erasure.meant(lambda sql, parameters=(): run(sql, parameters).fetchall(), hashes)
        removed = erasure.deleted(lambda sql, parameters=(): run(sql, parameters).fetchall())
        connection.execute("checkpoint")
    finally:
        connection.close()
    if removed:
        os.replace(fresh, path)
    else:
        fresh.unlink()
    return removed
