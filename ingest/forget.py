"""Erasure: a person leaves the landing zone, the warehouse and every copy of it, and a redelivery does not bring them back.

Subjects are given as e-mail addresses, telephone numbers or person ids, one a line. They are hashed at once; only
hashes are written, to ``intake.suppression``, which the parser reads before it accepts any later row.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ingest import erasure
from ingest.contracts import Contract
from ingest.header import resolve
from ingest.landing import Item
from ingest.outcomes import NOOP, QF, Settled
from ingest.pii import Hasher
from ingest.preflight import encoding_of
from ingest.rows import runner
from ingest.run import is_new, landing_zone, opened
from ingest.warehouse import LedgerRow, Warehouse, WarehouseError
from settings import Settings

KINDS = ("id", "email", "phone")


@dataclass
class Erased:
    """What one erasure removed, and how many files of the landing zone it could not read."""

    subjects: int = 0
    landing_rows: int = 0
    landing_files: int = 0
    unreadable: int = 0
    warehouse_rows: int = 0
    serving_rows: int = 0
    snapshots: int = 0


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

    csv.field_size_limit(1 << 30)
    for number, row in enumerate(csv.reader(lines(), delimiter=contract.delimiter), 1):
        if number <= layout.header_line:
            hits = 0
        elif len(row) == len(layout.names):
            hits = int(any(_hash(hasher, kind, row[i]) in hashes for i, kind in spots))
        elif len(pending) > 1:  # a quote that never ends has swallowed lines: each is looked at by itself
            alone = {line: next(csv.reader([line.replace('"', "")], delimiter=contract.delimiter), [])
                     for line in pending}  # fmt: skip
            named = {line for line, cells in alone.items() if _named(cells, hasher, hashes)}
            hits = sum(line in named for line in pending)
            kept.extend(line for line in pending if line not in named)
            pending.clear()
        else:
            hits = int(_named(row, hasher, hashes))
        if not hits:
            kept.extend(pending)
        dropped += hits
        pending.clear()
    return "".join(kept), dropped


def _hash(hasher: Hasher, kind: str, cell: str) -> str | None:
    """Hash of a cell; stray bytes in it stand for no character."""
    return hasher(kind, cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _named(cells: Iterable[str], hasher: Hasher, hashes: set[str]) -> bool:
    return any(_hash(hasher, kind, cell) in hashes for cell in cells for kind in KINDS)


def _clean_bytes(
    raw: bytes, contract: Contract, contracts: Mapping[str, Contract], hasher: Hasher, hashes: set[str]
) -> tuple[bytes | None, int]:
    """New bytes of a landing file (None = nobody can say who is inside) and how many rows of subjects it held."""
    zipped = raw[:2] == b"\x1f\x8b"
    try:
        data = gzip.decompress(raw) if zipped else raw
        encoding, bom = encoding_of(data[:4096], contract.encoding)
        # as the intake reads it: rows with bytes that are no text are refused one by one, and stay as they are
        text = data[bom:].decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict")
        clean, dropped = _clean_rows(text, contract, contracts, hasher, hashes)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, Settled, ValueError):
        return None, 0
    if not dropped:
        return raw, 0
    # a file that said its encoding by a mark still does; one without is read in the contract's encoding again
    out = clean.encode("utf-8" if bom else encoding, "surrogateescape")
    out = codecs.BOM_UTF8 + out if bom else out
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
        # while the warehouse is held nobody publishes, so that no newer copy is overwritten by a cleaned older one
        report.serving_rows = _copies(settings.serving_path, hashes)
        report.snapshots = _snapshots(settings.runs_dir)
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
        if clean is None:
            if (item.fingerprint, QF) not in [
                look[:2] for look in memory.fingerprints.get(item.source_key, ())
            ]:
                report.unreadable += 1  # not judged yet: the suppression list waits for its rows
                continue
            landing.rewrite(item, None)
            report.landing_files += 1
            _note(
                warehouse, replace(item, fingerprint=f"{item.fingerprint}+removed"), raw, "removed_by_forget"
            )
        elif dropped:
            unread = is_new(item, memory, contracts)
            now = landing.rewrite(item, clean)
            report.landing_files += 1
            report.landing_rows += dropped
            if not unread:
                _note(warehouse, now, clean, "rewritten_by_forget")


def _note(warehouse: Warehouse, item: Item, data: bytes, reason: str) -> None:
    warehouse.record(LedgerRow(item, hashlib.sha256(data).hexdigest(), NOOP, reason, "forget"))


def _copies(serving: Path, hashes: set[str]) -> int:
    """Take the subjects out of the serving copy and of the brands' copies beside it; rows removed."""
    return sum(_cleaned(path, hashes) for path in (serving, *sorted(serving.parent.glob("brands/*.duckdb"))))


def _cleaned(path: Path, hashes: set[str]) -> int:
    """Take the subjects out of a copy of one served file and swap it in; the publisher sweeps what a kill leaves."""
    if not path.exists():
        return 0
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
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
        return removed
    finally:
        fresh.unlink(missing_ok=True)


def _snapshots(runs: Path) -> int:
    """Remove the models' snapshots that hold personal keys: the next run copies the features anew; how many went."""
    gone = 0
    for folder in sorted(runs.glob("*")) if runs.is_dir() else []:
        ours = (folder / "manifest.json").is_file() or folder.name.startswith(".snapshot-")
        if ours and any(map(_personal, folder.rglob("*.parquet"))):
            shutil.rmtree(folder)
            gone += 1
    return gone


def _personal(path: Path) -> bool:
    try:
        return bool(set(erasure.HASH_COLUMNS) & set(pq.read_schema(path).names))
    except (OSError, pa.ArrowInvalid):
        return True  # half a file of a killed run: nobody can say who is inside
