"""Erasure: a person leaves the landing zone, the warehouse and the serving copy, and a redelivery does not bring them back.

Subjects are given as e-mail addresses, telephone numbers or person ids, one a line. They are hashed at once; only
hashes are written, to ``intake.suppression``, which the parser reads before it accepts any later row.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingest.contracts import Contract
from ingest.header import resolve
from ingest.landing import Item, fingerprint
from ingest.outcomes import NOOP, Settled
from ingest.pii import Hasher
from ingest.run import is_new, landing_zone, opened
from ingest.schema import quoted
from ingest.warehouse import LedgerRow, WarehouseError
from ingest.warehouse_duckdb import DuckDBWarehouse
from settings import Settings

HASH_COLUMNS = ("person_key", "customer_key", "email_hash", "phone_hash")
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


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, list[str]]]:
    """Base tables that carry a hash column: schema, table, columns."""
    rows = connection.execute(
        "select c.table_schema, c.table_name, c.column_name from information_schema.columns as c "
        "join information_schema.tables as t using (table_catalog, table_schema, table_name) "
        "where t.table_type = 'BASE TABLE' and c.table_catalog = current_database() order by all"
    ).fetchall()
    found: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in rows:
        if column in HASH_COLUMNS:
            found.setdefault((schema, table), []).append(column)
    return [(schema, table, columns) for (schema, table), columns in found.items()]


def _widen(connection: duckdb.DuckDBPyConnection, hashes: set[str]) -> set[str]:
    """All hashes of the people behind ``hashes``: a person known by e-mail is also known by id and telephone."""
    wide = set(hashes)
    for _ in range(3):
        before = len(wide)
        for schema, table, columns in _tables(connection):
            if schema not in ("raw", "raw_history") or len(columns) < 2:
                continue
            hit = " or ".join(f"{quoted(c)} in (select unnest($1))" for c in columns)
            shown = ", ".join(map(quoted, columns))
            sql = f"select distinct {shown} from {schema}.{quoted(table)} where {hit}"
            for row in connection.execute(sql, [sorted(wide)]).fetchall():
                wide.update(value for value in row if value)
        if len(wide) == before:
            break
    return wide


def _delete(connection: duckdb.DuckDBPyConnection, hashes: set[str]) -> int:
    removed = 0
    for schema, table, columns in _tables(connection):
        if schema == "intake":
            continue
        hit = " or ".join(f"{quoted(c)} in (select unnest($1))" for c in columns)
        name = f"{schema}.{quoted(table)}"
        listed = {c for (c,) in connection.execute(f"select column_name from (describe {name})").fetchall()}
        if "_file_id" in listed:
            connection.execute(
                "update intake.ledger as l set rows_loaded = l.rows_loaded - g.n, rows_declared = l.rows_declared + g.n "
                f"from (select brand_id, _file_id, count(*) as n from {name} where {hit} group by all) as g "
                "where l.sha256 = g._file_id and l.brand_id = g.brand_id and l.outcome <> 'NOOP' and l.rows_loaded >= g.n",
                [sorted(hashes)],
            )
        row = connection.execute(f"delete from {name} where {hit}", [sorted(hashes)]).fetchone()
        removed += int(row[0]) if row else 0
    return removed


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


def _clean_file(
    item: Item, contract: Contract, contracts: Mapping[str, Contract], hasher: Hasher, hashes: set[str]
) -> tuple[bytes | None, int]:
    """New bytes of a landing file (None = remove it whole) and how many rows of subjects it held."""
    raw = Path(item.path).read_bytes()
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

    Raises:
        WarehouseError: the target or the landing zone is one that this command cannot rewrite.
    """
    if settings.warehouse_target != "duckdb" or settings.landing_uri.startswith("s3://"):
        raise WarehouseError(
            "forget rewrites a local landing zone and a DuckDB warehouse; see docs/ingest.md for S3 and Redshift"
        )
    hasher, report = Hasher(settings.pii_hash_key()), Erased(subjects=len(subjects))
    hashes = _hashes(hasher, subjects)
    if not hashes:
        return report
    with opened(settings, contracts) as warehouse:
        if not isinstance(warehouse, DuckDBWarehouse):
            raise WarehouseError("forget needs the DuckDB warehouse")
        connection = warehouse.connection
        hashes = _widen(connection, hashes)
        known = {h for (h,) in connection.execute("select subject_hash from intake.suppression").fetchall()}
        fresh = sorted(hashes - known)
        brands = {b for (b,) in connection.execute("select distinct brand_id from intake.ledger").fetchall()}
        connection.begin()  # first of all they may not come back; the rest can be repeated
        for brand in sorted(brands | {settings.brand_id}):
            connection.execute(
                "insert into intake.suppression select ?, unnest(?), 'subject', 'forget'", [brand, fresh]
            )
        connection.commit()
        _landing(settings, contracts, warehouse, hasher, hashes, report)
        connection.begin()
        report.warehouse_rows = _delete(connection, hashes)
        connection.commit()
        connection.execute("checkpoint")
    report.serving_rows = _serving(settings.serving_path, hashes)
    return report


def _landing(
    settings: Settings,
    contracts: Mapping[str, Contract],
    warehouse: DuckDBWarehouse,
    hasher: Hasher,
    hashes: set[str],
    report: Erased,
) -> None:
    import hashlib

    memory = warehouse.remember()
    for item in list(landing_zone(settings, contracts).items()):
        contract = contracts.get(item.feed)
        if contract is None or not contract.has_pii or os.path.islink(item.path):
            continue
        unread = is_new(item, memory, contracts)
        clean, dropped = _clean_file(item, contract, contracts, hasher, hashes)
        if not dropped:
            continue
        report.landing_files += 1
        if clean is None:
            Path(item.path).unlink(missing_ok=True)
            continue
        report.landing_rows += dropped
        info = os.stat(item.path)
        fresh = Path(item.path + ".tmp")
        fresh.write_bytes(clean)
        os.utime(fresh, ns=(info.st_atime_ns, info.st_mtime_ns))
        os.replace(fresh, item.path)
        if unread:
            continue
        from dataclasses import replace

        now = replace(item, fingerprint=fingerprint(os.stat(item.path)), size=len(clean))
        row = LedgerRow(now, hashlib.sha256(clean).hexdigest(), NOOP, "rewritten_by_forget", "forget")
        warehouse.record(row)


def _serving(path: Path, hashes: set[str]) -> int:
    """Take the subjects out of a copy of the serving file and swap it in."""
    if not path.exists():
        return 0
    fresh = path.with_suffix(".forget.tmp")
    shutil.copy2(path, fresh)
    connection = duckdb.connect(str(fresh))
    try:
        removed = 0
        for schema, table, columns in _tables(connection):
            hit = " or ".join(f"{quoted(c)} in (select unnest($1))" for c in columns)
            row = connection.execute(
                f"delete from {schema}.{quoted(table)} where {hit}", [sorted(hashes)]
            ).fetchone()
            removed += int(row[0]) if row else 0
        connection.execute("checkpoint")
    finally:
        connection.close()
    if removed:
        os.replace(fresh, path)
    else:
        fresh.unlink()
    return removed
