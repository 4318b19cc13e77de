"""One run: list, recognise, parse in child processes, load in transactions of whole files, report."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.contracts import Contract
from ingest.failpoints import reach
from ingest.landing import Item, LocalLanding, Router, fingerprint
from ingest.outcomes import ABORT, QF, SETTLED, WAIT, Failed
from ingest.parsed import Parsed
from ingest.pool import parse_all
from ingest.warehouse import LedgerRow, Memory, Warehouse
from ingest.warehouse_duckdb import DuckDBWarehouse
from settings import Settings

BATCH_FILES = 400
BATCH_BYTES = 4 << 30
GROUP_FILES = 64
GROUP_ROWS = 300_000
STABLE_SECONDS = float(os.environ.get("INGEST_STABLE_SECONDS", 1.0))
MEMORY = os.environ.get("INGEST_PARSER_MEMORY", "512MB")
LIMIT_BYTES = int(os.environ.get("INGEST_PARSER_LIMIT_BYTES", 1600 << 20))


def landing_zone(settings: Settings, contracts: Mapping[str, Contract]) -> Any:
    """The landing zone that the settings name."""
    router = Router(contracts, settings.brand_id)
    if settings.landing_uri.startswith("s3://"):
        from ingest.landing_s3 import S3Landing

        return S3Landing(settings.landing_uri, router)
    return LocalLanding(settings.landing_uri, router)


def open_warehouse(
    settings: Settings, contracts: Mapping[str, Contract], *, read_only: bool = False
) -> Warehouse:
    """The warehouse that the settings name; a DuckDB file that is not there yet is made."""
    if settings.warehouse_target == "redshift":
        from ingest.warehouse_redshift import RedshiftWarehouse

        remote: Warehouse = RedshiftWarehouse(settings, contracts)
        return remote
    if read_only and not settings.warehouse_path.exists():
        read_only = False
    warehouse = DuckDBWarehouse(settings.warehouse_path, contracts, read_only=read_only)
    if not warehouse.ready():
        if read_only:
            warehouse.close()
            warehouse = DuckDBWarehouse(settings.warehouse_path, contracts)
        warehouse.init()
    return warehouse


@contextmanager
def opened(
    settings: Settings, contracts: Mapping[str, Contract], *, read_only: bool = False
) -> Iterator[Warehouse]:
    """Open late, close early."""
    warehouse = open_warehouse(settings, contracts, read_only=read_only)
    try:
        yield warehouse
    finally:
        warehouse.close()


def is_new(item: Item, memory: Memory, contracts: Mapping[str, Contract]) -> bool:
    """Whether this look at this place is not settled yet."""
    version = contracts[item.feed].version if item.feed in contracts else 0
    for mark, word, seen_version in memory.fingerprints.get(item.source_key, ()):
        if mark == item.fingerprint and word in SETTLED:
            return word == QF and version > seen_version
    return True


def _steady(items: list[Item]) -> list[Item]:
    """Items that lie still: a file written to in the last moments is looked at twice."""
    now = time.time()
    fresh = [
        i
        for i in items
        if not i.path.startswith("s3://") and not i.problem and now - i.mtime < 5 * STABLE_SECONDS
    ]
    if not fresh:
        return items
    time.sleep(STABLE_SECONDS)
    moving: set[str] = set()
    for item in fresh:
        try:
            info = os.stat(item.path, follow_symlinks=False)
        except OSError:
            continue
        if not item.fingerprint.startswith(fingerprint(info)) and stat.S_ISREG(info.st_mode):
            moving.add(item.uri)
    return [i if i.uri not in moving else _with_problem(i, "still_growing") for i in items]


def _with_problem(item: Item, problem: str) -> Item:
    from dataclasses import replace

    return replace(item, problem=problem)


def work_root(settings: Settings) -> Path:
    """Where runs have their private work folders."""
    return settings.data_dir / "intake_work"


def sweep(root: Path) -> None:
    """Remove work folders whose process is gone."""
    for folder in root.glob("intake-*"):
        pid = folder.name.split("-")[1]
        try:
            os.kill(int(pid), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:
            continue


@contextmanager
def work_folder(settings: Settings) -> Iterator[Path]:
    """A private folder for decoded text and parsed rows, gone afterwards (a later run sweeps after a kill)."""
    root = work_root(settings)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix=f"intake-{os.getpid()}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) >= BATCH_FILES or size + item.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.size
    if batch:
        yield batch


def run(
    settings: Settings,
    contracts: Mapping[str, Contract],
    *,
    feeds: Iterable[str] | None = None,
    force: Iterable[str] = (),
    items: Iterable[Item] | None = None,
    workers: int | None = None,
    report: Callable[[LedgerRow], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[LedgerRow]:
    """Load everything that is new in the landing zone.

    Args:
        settings: where things are.
        contracts: all contracts.
        feeds: only these feeds (files of unknown feeds are then left to a full run).
        force: uris to read again although their content is known (replay).
        items: exactly these deliveries instead of a listing (an event that names its object).
        workers: parser processes; at most two by default.
        report: called with each ledger line as it is written.
        progress: called with short texts for a person who waits.

    Returns:
        The ledger lines written, in the order of loading.

    Raises:
        Failed: a part of the landing zone could not be listed; the rest is loaded.
        SettingsError: there is no landing zone, or the warehouse's settings cannot work.
    """
    if settings.redshift is not None:
        from sql.transfer import check

        check(settings.redshift)
    say = progress or (lambda text: None)
    forced = set(force)
    sweep(work_root(settings))
    with opened(settings, contracts, read_only=True) as warehouse:
        memory = warehouse.remember()
    listed = landing_zone(settings, contracts).items(feeds) if items is None else items
    chosen: list[Item] = []
    unlisted: Failed | None = None
    try:
        for item in listed:
            if item.uri in forced or (not forced and is_new(item, memory, contracts)):
                chosen.append(item)
    except Failed as failure:  # a folder cannot be listed: what was listed is loaded first
        unlisted = failure
    written = (
        _load_all(settings, contracts, chosen, memory, bool(forced), workers, report, say) if chosen else []
    )
    if unlisted is not None:
        raise unlisted
    return written


def _load_all(
    settings: Settings,
    contracts: Mapping[str, Contract],
    chosen: list[Item],
    memory: Memory,
    force: bool,
    workers: int | None,
    report: Callable[[LedgerRow], None] | None,
    say: Callable[[str], None],
) -> list[LedgerRow]:
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    chosen = _steady(chosen)
    reach("run_listed")
    written: list[LedgerRow] = []

    def note(row: LedgerRow) -> None:
        written.append(row)
        if report is not None:
            report(row)

    ready = [i for i in chosen if not i.problem]
    settled = [i for i in chosen if i.problem]
    with work_folder(settings) as folder:
        reach("run_work_folder")
        setup = {
            "key": settings.pii_hash_key().hex(),
            "folder": str(folder),
            "known": memory.known,
            "suppressed": memory.suppressed,
            "memory": MEMORY,
            "threads": 1 if len(ready) > 1 else 2,
            "limit_bytes": LIMIT_BYTES,
        }
        count = workers or min(2, os.cpu_count() or 1)
        for batch in _batches(ready) if ready else [[]]:
            say(f"reading {len(batch)} files")
            reach("run_before_parse")
            answers = parse_all(batch, setup, workers=count, force=force)
            reach("run_after_parse")
            answers.sort(key=lambda pair: (pair[0].feed, pair[0].delivered, pair[0].uri))
            with opened(settings, contracts) as warehouse:
                reach("run_opened_writer")
                for item in settled:
                    waiting = item.problem in ("partial_name", "still_growing")
                    version = contracts[item.feed].version if item.feed in contracts else 0
                    word = WAIT if waiting else QF
                    row = LedgerRow(item, None, word, item.problem, run_id, contract_version=version)
                    warehouse.record(row)
                    note(row)
                settled = []
                reach("run_before_load")
                for group in _groups(answers):
                    for row in _store(warehouse, group, run_id, contracts):
                        note(row)
                reach("run_before_finish")
                warehouse.finish()
                reach("run_after_finish")
    return written


Answer = tuple[Item, dict[str, Any]]


def _groups(answers: list[Answer]) -> Iterator[list[Answer]]:
    """Files that are loaded in one transaction: one, or several small ones of the same feed."""
    group: list[Answer] = []
    rows = 0
    for item, answer in answers:
        here = answer["parsed"]["rows_file"] if answer["outcome"] == "PARSED" else 0
        full = rows + here > GROUP_ROWS or len(group) >= GROUP_FILES
        if group and (full or group[-1][0].feed != item.feed or answer["outcome"] != "PARSED"):
            yield group
            group, rows = [], 0
        if answer["outcome"] == "PARSED":
            group.append((item, answer))
            rows += here
        else:
            yield [(item, answer)]
    if group:
        yield group


def _store(
    warehouse: Warehouse, group: list[Answer], run_id: str, contracts: Mapping[str, Contract]
) -> list[LedgerRow]:
    item, answer = group[0]
    if answer["outcome"] == "PARSED":
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")
        for item, answer in group:
            if item.delivered > tomorrow:
                answer["parsed"]["warnings"].append(("future_delivery", "stamped later than tomorrow", 1))
        try:
            return warehouse.load(group, run_id)
        finally:
            for _, answer in group:
                Parsed(**answer["parsed"]).remove()
            reach("run_after_unlink")
    row = LedgerRow(
        item,
        answer.get("sha256"),
        answer["outcome"],
        answer["reason"],
        run_id,
        size_bytes=answer.get("size") or item.size,
        contract_version=contracts[item.feed].version,
    )
    warehouse.record(row)
    return [row]


def failed(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Lines that a later run must heal."""
    return [row for row in rows if row.outcome == ABORT]
