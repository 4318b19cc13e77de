"""The DuckDB warehouse: one writer, one transaction per file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import duckdb

from ingest import judgements
from ingest.checks import DECLARED
from ingest.contracts import Contract
from ingest.duckdb_file import WRITER_MEMORY, Index, connect
from ingest.erasure import Ask
from ingest.failpoints import reach
from ingest.judgements import registered
from ingest.landing import Item
from ingest.moves_duckdb import Move, met, version_key
from ingest.outcomes import LOADED, NOOP
from ingest.parsed import Parsed
from ingest.resettle import again
from ingest.rows import runner
from ingest.schema import FEED, HISTORY_COLUMNS, INTAKE, LEDGER, PARTITION_VERSION, quoted, statements
from ingest.values import literal
from ingest.warehouse import (
    CAME_BACK,
    LedgerRow,
    Memory,
    came_back,
    ledger_row,
    loaded_before,
    outcome,
    same_content,
)

T = TypeVar("T")


class DuckDBWarehouse:
    """Warehouse on one DuckDB file. Open late, close early: a context manager."""

    def __init__(self, path: Path, contracts: Mapping[str, Contract], *, read_only: bool = False) -> None:
        self.path = path
        self.contracts = contracts
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = connect(path, read_only=read_only)
        self._run = runner(self.connection)
        self._index: Index | None = None
        self._ledger: list[list[object]] = []  # lines of the open transaction, not written yet
        self._versions: list[tuple[object, ...]] = []
        if not read_only:  # many small commits: write them to the log, and check-point once at the end
            self._run("set wal_autocheckpoint = '256MB'")
            self._run(f"set memory_limit = {literal(WRITER_MEMORY)}")
            # In the file's order the rows come in groups that are not full, and the checkpoint writes all once more.
            self._run("set preserve_insertion_order = false")

    def __enter__(self) -> DuckDBWarehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file's lock."""
        self.connection.close()

    def init(self) -> None:
        """Make what the contracts declare and add columns that a newer contract declares; change nothing else."""
        wanted = [registered(c) for c in self.contracts.values()]
        there = {
            (schema, table, column)
            for schema, table, column in self._run(
                "select table_schema, table_name, column_name from information_schema.columns "
                "where table_schema in ('raw', 'raw_history', 'intake')"
            ).fetchall()
        }
        with self._transaction():
            reach("init_after_begin")
            tables = {(schema, table) for schema, table, _ in there}
            if not tables >= {("raw", f) for f in self.contracts} | {("intake", t) for t in INTAKE}:
                for statement in statements(self.contracts.values()):
                    self._run(statement)
            for contract in self.contracts.values():
                for schema, extra in (("raw", []), ("raw_history", HISTORY_COLUMNS)):
                    for name, kind in [*contract.columns, *extra]:
                        if (schema, contract.feed) in tables and (schema, contract.feed, name) not in there:
                            self._run(
                                f"alter table {schema}.{quoted(contract.feed)} add column {quoted(name)} {kind}"
                            )
            if sorted(self._run("select * from intake.feed").fetchall()) != sorted(wanted):
                self._run("delete from intake.feed")
                marks = ", ".join("?" * len(FEED))
                self.connection.executemany(f"insert into intake.feed values ({marks})", wanted)
            reach("init_before_commit")
        reach("init_after_commit")

    def ready(self) -> bool:
        """Whether :meth:`init` has run for the present contracts."""
        row = self._run(
            "select count(*) from information_schema.tables where table_schema in ('raw', 'intake')"
        ).fetchone()
        return row is not None and row[0] >= len(self.contracts) + len(INTAKE)

    def remember(self) -> Memory:
        """Fingerprints, known content and forgotten people."""
        prints: dict[str, list[tuple[str, str, int]]] = {}
        for key, mark, word, version in self._run(
            "select source_key, fingerprint, outcome, contract_version from intake.ledger"
        ).fetchall():
            prints.setdefault(key, []).append((mark, word, version))
        known = {
            f"{brand}|{feed}|{sha}": name
            for brand, feed, sha, name in self._run(
                f"select brand_id, feed, sha256, file_name from intake.ledger where outcome in {LOADED} and rows_file > 0"
            ).fetchall()
        }
        suppressed: dict[str, list[str]] = {}
        for brand, digest in self._run("select brand_id, subject_hash from intake.suppression").fetchall():
            suppressed.setdefault(brand, []).append(digest)
        return Memory(prints, known, suppressed)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        found = self._run(sql, parameters)
        return [dict(zip(found.names, row, strict=True)) for row in found.fetchall()]

    def record(self, row: LedgerRow) -> None:
        """Write one ledger line, in its own transaction."""
        with self._transaction():
            reach("ledger_only_after_begin")
            if row.reason == "same_content":
                self._again(row, thorough=False)
            self._write_ledger(row)
            self._flush()
            reach("ledger_only_before_commit")
        reach("ledger_only_after_commit")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit at the end; on any exception undo, and forget what was only in memory."""
        self._run("begin")
        try:
            yield
            self._run("commit")
        except BaseException:
            self._index = None
            self._ledger.clear()
            self._versions.clear()
            with contextlib.suppress(duckdb.Error):
                self.connection.rollback()
            raise

    @property
    def index(self) -> Index:
        """Read once per opening; dropped whenever a transaction is undone."""
        if self._index is None:
            self._index = Index(self._run)
        return self._index

    def _write_ledger(self, row: LedgerRow) -> None:
        index, place = self.index, row.item.source_key
        if row.ledger_id in index.lines or place in index.unsettled:
            self._run(
                "delete from intake.ledger where ledger_id = ? or (source_key = ? and outcome in ('WAIT', 'ABORT'))",
                [row.ledger_id, place],
            )
            index.unsettled.discard(place)
        self._ledger.append(row.values())
        index.add_line(
            row.ledger_id, row.item.brand, row.item.feed, row.sha256, place, row.delivered or row.item.delivered,
            row.outcome, row.reason, row.rows_file,
        )  # fmt: skip

    def _flush(self) -> None:
        """Write the ledger lines and partition versions of this transaction, all at once."""
        for table, columns, rows in (
            ("partition_version", PARTITION_VERSION, self._versions),
            ("ledger", LEDGER, self._ledger),
        ):
            if rows:
                lists = ", ".join(f"unnest(?::{kind}[])" for _, kind in columns)
                self._run(
                    f"insert into intake.{table} select {lists}", [list(c) for c in zip(*rows, strict=True)]
                )
                rows.clear()

    def load(self, deliveries: Sequence[tuple[Item, Mapping[str, Any]]], run_id: str) -> list[LedgerRow]:
        """Rows, quarantine, warnings and ledger lines of parsed files, in one transaction."""
        reach("load_before_begin")
        with self._transaction():
            rows = [self._load(item, answer, run_id) for item, answer in deliveries]
            reach("load_before_ledger")
            self._flush()
            reach("load_after_ledger")
            reach("load_before_commit")
        reach("load_after_commit")
        return rows

    def _load(self, item: Item, answer: Mapping[str, Any], run_id: str) -> LedgerRow:
        parsed = Parsed(**answer["parsed"])
        contract = self.contracts[item.feed]
        row = ledger_row(item, answer, parsed, contract, run_id)
        twin = self.index.content.get((item.brand, item.feed, row.sha256 or ""))
        if twin is not None:
            self._again(row, thorough=True)
            if row.outcome != NOOP or row.ledger_id not in self.index.lines:
                self._write_ledger(row)
            return row
        renamed = self._same_place(row)
        reach("load_after_begin")
        row.superseded_rows = self._move(contract, parsed, row)
        reach("load_before_quarantine")
        reasons = self._quarantine(parsed, row)
        self._warn(parsed, row)
        reach("load_after_warnings")
        row.outcome, row.reason = outcome(parsed, row.superseded_rows, renamed, reasons)
        self._write_ledger(row)
        return row

    def _same_place(self, row: LedgerRow) -> bool:
        """Whether other content lay under this very name before; the newer content must then win."""
        row.delivered = row.item.delivered
        earlier = [
            delivered
            for sha, delivered in self.index.places.get(row.item.source_key, ())
            if sha != row.sha256
        ]
        if not earlier:
            return False
        after = datetime.fromisoformat(max(earlier)[:19]) + timedelta(seconds=1)
        row.delivered = max(row.item.delivered, after.isoformat(" "))
        self._run(
            "update intake.quarantine set released_by = ? where released_by is null and sha256 in "
            "(select sha256 from intake.ledger where source_key = ? and sha256 <> ?) and brand_id = ? and feed = ?",
            [row.sha256, row.item.source_key, row.sha256, row.item.brand, row.item.feed],
        )
        return True

    def _again(self, row: LedgerRow, *, thorough: bool) -> None:
        """Content that came before counts from this delivery too; the line says what that changes."""
        self._flush()
        contract, item = self.contracts[row.item.feed], row.item
        same_content(row)
        if self._same_place(row):
            self._run(
                "update intake.quarantine set released_by = null where sha256 = ? and brand_id = ? and feed = ? and "
                "released_by in (select sha256 from intake.ledger where source_key = ? and sha256 <> ?)",
                [row.sha256, item.brand, item.feed, item.source_key, row.sha256],
            )
        superseded = again(
            self._ask, contract, item.brand, row.sha256 or "", row.delivered, version_key(contract),
            thorough=thorough,
        )  # fmt: skip
        if superseded is None:
            return
        reach("load_after_again")
        self._resettled(row)
        if superseded:
            first = self.query(
                f"select {', '.join(CAME_BACK)} from intake.ledger where {loaded_before(item.brand, item.feed, row.sha256 or '')}"
            )
            came_back(row, superseded, first[0])

    def _resettled(self, row: LedgerRow) -> None:
        """The index learns the versions that were put in order."""
        self.index.settled(
            row.item.brand,
            row.item.feed,
            self._ask("select k, f, d::varchar from version_order"),
        )

    def _incoming(self, contract: Contract, parsed: Parsed, row: LedgerRow) -> str:
        """SELECT of the file's good rows in the shape of the raw table."""
        fields = ", ".join(quoted(name) for name in contract.fields)
        good = "" if parsed.rows_bad == parsed.rows_declared == 0 else " where _reason is null"
        constants = (
            f"{literal(row.item.brand)} as brand_id, {literal(row.sha256 or '')} as _file_id, _line, "
            f"timestamp {literal(row.delivered)} as _delivered_at, _extra"
        )
        return f"select {fields}, {constants} from {parsed.relation}{good}"

    def _move(self, contract: Contract, parsed: Parsed, row: LedgerRow) -> int:
        names = ", ".join(quoted(name) for name, _ in contract.columns)
        raw, history = f"raw.{quoted(contract.feed)}", f"raw_history.{quoted(contract.feed)}"
        incoming = self._incoming(contract, parsed, row)
        if not parsed.rows_good:
            return 0
        move = Move(self._run, contract, row, names, raw, history, incoming)
        ours = (row.item.brand, contract.feed)
        late = self.index.surrounded(*ours, row.sha256 or "", row.delivered)
        if contract.mode == "upsert":
            merged = None if late else move.merge()
            if merged is None:
                self._flush()
                merged = move.settle(self._ask)
            return merged
        versions = self.index.versions.get(ours, {})
        self._versions += [(*ours, k, row.sha256, row.delivered, n) for k, n in parsed.partitions]
        reach("load_after_versions")
        keys = [k for k, _ in parsed.partitions]
        there, newer = met(versions, keys, (row.delivered, row.sha256 or ""))
        if there and (newer or late):
            self._flush()
            moved = move.settle(self._ask)
            self._resettled(row)
            return moved
        for k in keys:
            self.index.add_version(*ours, k, row.sha256 or "", row.delivered)
        return move.replace(there)

    def _ask(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._run(sql, parameters).fetchall()

    def _quarantine(self, parsed: Parsed, row: LedgerRow) -> list[str]:
        if not parsed.rows_bad:
            return []
        declared = ", ".join(map(literal, DECLARED))
        rows = f"{parsed.relation} where _reason is not null and _reason not in ({declared})"
        self._run(
            f"insert into intake.quarantine select ?, ?, ?, ?, _line, _reason, _field, _row, ?::timestamp, ?, null from {rows}",
            [row.item.brand, row.item.feed, row.sha256, row.item.shown_name, row.delivered, row.run_id],
        )
        reach("load_after_quarantine")
        return [
            str(word)
            for (word,) in self._run(
                f"select _reason from {rows} group by 1 order by count(*) desc, 1"
            ).fetchall()
        ]

    def _warn(self, parsed: Parsed, row: LedgerRow) -> None:
        for code, detail, count in parsed.warnings:
            self._run(
                "insert into intake.warning values (?, ?, ?, ?, ?, ?, ?)",
                [row.item.brand, row.item.feed, row.sha256, row.item.shown_name, code, detail, count],
            )

    def transact(self, action: Callable[[Ask], T]) -> T:
        """Do several statements in one transaction."""
        with self._transaction():
            return action(self._ask)

    def release(self, source_key: str, sha256: str, feed: str, brand: str) -> None:
        """Mark the refused rows of every delivery under one place as released by a repaired file."""
        self._run(
            "update intake.quarantine set released_by = ? where released_by is null and feed = ? and brand_id = ? "
            "and sha256 <> ? and sha256 in (select sha256 from intake.ledger where source_key = ?)",
            [sha256, feed, brand, sha256, source_key],
        )

    def finish(self) -> None:
        """Warnings over all deliveries of a feed: little volume, no rows twice in a row."""
        with self._transaction():
            self._run(judgements.FORGET)
            reach("finish_after_delete")
            for judgement in judgements.ALL:
                self._run(judgement)
            reach("finish_before_commit")
