"""The Redshift warehouse: Parquet to the staging bucket, COPY to temporary tables, then one transaction per file.

Delete, insert and ledger line are one transaction, so a file is loaded whole or not at all; a serialisation error or
a dropped connection repeats that transaction. Should a commit have happened although its answer was lost, the ledger
line of this very run is found and reported. Tables are made by the administrator (``python -m sql migrate``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from ingest import judgements
from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.judgements import registered
from ingest.landing import Item
from ingest.moves_redshift import asker, replace, rows_of, upsert, version_key
from ingest.outcomes import LOADED, NOOP
from ingest.parsed import Parsed
from ingest.resettle import DELIVERED, again
from ingest.schema import FEED, INTAKE, LEDGER
from ingest.staging_redshift import quarantine, read, stage
from ingest.warehouse import (
    CAME_BACK,
    LedgerRow,
    Memory,
    WarehouseError,
    came_back,
    ledger_row,
    loaded_before,
    outcome,
    same_content,
)
from settings import Settings
from sql import session
from sql.transfer import Staging, s3_client

T = TypeVar("T")


class RedshiftWarehouse:
    """See :class:`ingest.warehouse.Warehouse`. A context manager."""

    def __init__(self, settings: Settings, contracts: Mapping[str, Contract]) -> None:
        if settings.redshift is None:
            raise WarehouseError("WAREHOUSE_TARGET: redshift settings are missing")
        self.redshift = settings.redshift
        self.contracts = contracts
        self._s3: Any = None
        self._connection: Any = session.connect(self.redshift)

    def __enter__(self) -> RedshiftWarehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            session.close_quietly(self._connection)
            self._connection = None

    # ---- transactions -----------------------------------------------------------------------------------
    def _transaction(self, action: Callable[[Any], T]) -> T:
        def once() -> T:
            if self._connection is None:
                self._connection = session.connect(self.redshift)
            cursor = self._connection.cursor()
            cursor.paramstyle = "qmark"
            try:
                result = action(cursor)
                self._connection.commit()
                return result
            except BaseException as error:
                if session.is_transient(error):
                    self.close()
                else:
                    self._connection.rollback()
                raise

        return session.retrying(once)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows as dictionaries."""

        def ask(cursor: Any) -> list[dict[str, Any]]:
            rows = rows_of(cursor, sql, parameters)
            names = [
                d[0].decode() if isinstance(d[0], bytes) else str(d[0]) for d in cursor.description or ()
            ]
            return [dict(zip(names, row, strict=True)) for row in rows]

        return self._transaction(ask)

    def transact(self, action: Callable[[Ask], T]) -> T:
        """Do several statements in one transaction."""
        return self._transaction(
            lambda cursor: action(lambda sql, parameters=(): rows_of(cursor, sql, parameters))
        )

    # ---- the interface ----------------------------------------------------------------------------------
    def init(self) -> None:
        """Check that the administrator has made the tables, and write the feed registry.

        Raises:
            WarehouseError: naming the tables that are missing.
        """
        wanted = [registered(c) for c in self.contracts.values()]

        def write(cursor: Any) -> None:
            there = {
                f"{schema}.{table}.{column}"
                for schema, table, column in rows_of(
                    cursor,
                    "select table_schema, table_name, column_name from information_schema.columns "
                    "where table_schema in ('raw', 'raw_history', 'intake')",
                )
            }
            needed = [f"intake.{t}.{c}" for t, columns in INTAKE.items() for c, _ in columns]
            needed += [f"raw.{c.feed}.{name}" for c in self.contracts.values() for name, _ in c.columns]
            missing = [name for name in needed if name not in there]
            if missing:
                raise WarehouseError(
                    f"missing on Redshift: {', '.join(missing[:5])}; the administrator runs: python -m sql migrate"
                )
            present = rows_of(cursor, f"select {', '.join(n for n, _ in FEED)} from intake.feed")
            if sorted(map(str, present)) != sorted(map(str, wanted)):
                cursor.execute("delete from intake.feed")
                for row in wanted:
                    cursor.execute(f"insert into intake.feed values ({', '.join('?' * len(row))})", row)

        self._transaction(write)

    def remember(self) -> Memory:
        """Fingerprints, known content and forgotten people."""

        def read(cursor: Any) -> Memory:
            prints: dict[str, list[tuple[str, str, int]]] = {}
            listed = rows_of(
                cursor, "select source_key, fingerprint, outcome, contract_version from intake.ledger"
            )
            for key, mark, word, version in listed:
                prints.setdefault(key, []).append((mark, word, version))
            loaded = rows_of(
                cursor,
                f"select brand_id, feed, sha256, file_name from intake.ledger where outcome in {LOADED} and rows_file > 0",
            )
            known = {f"{brand}|{feed}|{sha}": name for brand, feed, sha, name in loaded}
            suppressed: dict[str, list[str]] = {}
            for brand, digest in rows_of(cursor, "select brand_id, subject_hash from intake.suppression"):
                suppressed.setdefault(brand, []).append(digest)
            return Memory(prints, known, suppressed)

        return self._transaction(read)

    def record(self, row: LedgerRow) -> None:
        """Write one ledger line, in its own transaction."""

        known = row.reason == "same_content"

        def write(cursor: Any) -> None:
            if known:
                written = rows_of(
                    cursor,
                    "select outcome, reason from intake.ledger where ledger_id = ? and run_id = ?",
                    [row.ledger_id, row.run_id],
                )
                if written:  # an earlier try was committed, and only its answer was lost
                    row.outcome, row.reason = written[0]
                    return
                self._again(cursor, row, thorough=False)
            self._write_ledger(cursor, row)

        self._transaction(write)

    def _again(self, cursor: Any, row: LedgerRow, *, thorough: bool) -> None:
        """Content that came before counts from this delivery too; the line says what that changes."""
        contract, item = self.contracts[row.item.feed], row.item
        same_content(row)
        if self._same_place(cursor, row):
            cursor.execute(
                "update intake.quarantine set released_by = null where sha256 = ? and brand_id = ? and feed = ? and "
                "released_by in (select sha256 from intake.ledger where source_key = ? and sha256 <> ?)",
                (row.sha256, item.brand, item.feed, item.source_key, row.sha256),
            )
        superseded = again(
            asker(cursor),
            contract,
            item.brand,
            row.sha256 or "",
            row.delivered,
            version_key(contract),
            thorough=thorough,
        )
        if superseded:
            first = ", ".join(CAME_BACK)
            where = loaded_before(item.brand, item.feed, row.sha256 or "")
            values = rows_of(cursor, f"select {first} from intake.ledger where {where}")[0]
            came_back(row, superseded, dict(zip(CAME_BACK, values, strict=True)))

    def load(self, deliveries: Sequence[tuple[Item, Mapping[str, Any]]], run_id: str) -> list[LedgerRow]:
        """Rows, quarantine, warnings and ledger line of each file; each is a transaction of its own."""
        return [self._load_one(item, answer, run_id) for item, answer in deliveries]

    def _load_one(self, item: Item, answer: Mapping[str, Any], run_id: str) -> LedgerRow:
        parsed = Parsed(**answer["parsed"])
        contract = self.contracts[item.feed]
        if self._s3 is None:
            self._s3 = s3_client()
        with Staging(self._s3, self.redshift.s3_staging_uri, f"raw/{contract.feed}") as staging:

            def write(cursor: Any) -> LedgerRow:
                # Under snapshot isolation two loads of one feed do not see each other's rows and would both stay. The lock
                # comes before the first look, so whoever waits for it sees what the other has committed.
                cursor.execute("lock table intake.feed")
                row = ledger_row(item, answer, parsed, contract, run_id)
                return self._load(cursor, staging, contract, parsed, row)

            return self._transaction(write)

    def _load(
        self, cursor: Any, staging: Staging, contract: Contract, parsed: Parsed, row: LedgerRow
    ) -> LedgerRow:
        item, role = row.item, self.redshift.copy_role_arn
        twins = rows_of(
            cursor,
            f"select source_key, run_id, outcome, reason, superseded_rows from intake.ledger "
            f"where brand_id = ? and feed = ? and sha256 = ? and outcome in {LOADED} and rows_file > 0",
            [item.brand, item.feed, row.sha256],
        )
        if any(key == item.source_key and run == row.run_id for key, run, *_ in twins):
            # an earlier try of this transaction was committed, and only its answer was lost
            _, _, row.outcome, row.reason, row.superseded_rows = next(
                t for t in twins if t[:2] == (item.source_key, row.run_id)
            )
            return row
        if twins:
            self._again(cursor, row, thorough=True)
            seen = rows_of(cursor, "select count(*) from intake.ledger where ledger_id = ?", [row.ledger_id])
            if row.outcome != NOOP or not int(seen[0][0]):
                self._write_ledger(cursor, row)
            return row
        renamed = self._same_place(cursor, row)
        # Read only now: the twin of a file already loaded shares its parsed rows, which are gone by then.
        rows = read(parsed) if parsed.rows_good or parsed.rows_bad else None
        if rows is not None and parsed.rows_good:
            stage(cursor, staging, role, contract, row, rows)
            move = upsert if contract.mode == "upsert" else replace
            row.superseded_rows = move(cursor, contract, parsed, row)
        reasons = quarantine(cursor, staging, role, row, rows) if rows is not None and parsed.rows_bad else []
        for code, detail, count in parsed.warnings:
            cursor.execute(
                "insert into intake.warning values (?, ?, ?, ?, ?, ?, ?)",
                (item.brand, item.feed, row.sha256, item.shown_name, code, detail, count),
            )
        row.outcome, row.reason = outcome(parsed, row.superseded_rows, renamed, reasons)
        self._write_ledger(cursor, row)
        return row

    def _write_ledger(self, cursor: Any, row: LedgerRow) -> None:
        cursor.execute(
            "delete from intake.ledger where ledger_id = ? or (source_key = ? and outcome in ('WAIT', 'ABORT'))",
            (row.ledger_id, row.item.source_key),
        )
        marks = ", ".join(f"cast(? as {kind.lower()})" if kind != "VARCHAR" else "?" for _, kind in LEDGER)
        values = tuple(None if v is None else str(v) for v in row.values())
        cursor.execute(
            f"insert into intake.ledger ({', '.join(n for n, _ in LEDGER)}) values ({marks})", values
        )

    def _same_place(self, cursor: Any, row: LedgerRow) -> bool:
        """Whether other content lay under this very name before; the newer content must then win."""
        earlier = rows_of(
            cursor,
            f"select dateadd(second, 1, max(delivered_at)) from intake.ledger "
            f"where source_key = ? and sha256 <> ? and ({DELIVERED} or outcome in {LOADED})",
            [row.item.source_key, row.sha256],
        )[0][0]
        row.delivered = row.item.delivered
        if earlier is None:
            return False
        row.delivered = max(row.item.delivered, str(earlier)[:19])
        cursor.execute(
            "update intake.quarantine set released_by = ? where released_by is null and brand_id = ? and feed = ? "
            "and sha256 in (select sha256 from intake.ledger where source_key = ? and sha256 <> ?)",
            (row.sha256, row.item.brand, row.item.feed, row.item.source_key, row.sha256),
        )
        return True

    def release(self, source_key: str, sha256: str, feed: str, brand: str) -> None:
        """Mark the refused rows of every delivery under one place as released by a repaired file."""

        def write(cursor: Any) -> None:
            cursor.execute(
                "update intake.quarantine set released_by = ? where released_by is null and feed = ? and brand_id = ? "
                "and sha256 <> ? and sha256 in (select sha256 from intake.ledger where source_key = ?)",
                (sha256, feed, brand, sha256, source_key),
            )

        self._transaction(write)

    def finish(self) -> None:
        """Warnings over all deliveries of a feed, as on DuckDB."""

        def write(cursor: Any) -> None:
            for statement in (judgements.FORGET, *judgements.ALL):
                cursor.execute(statement)

        self._transaction(write)
