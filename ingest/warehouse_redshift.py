"""The Redshift warehouse: Parquet to the staging bucket, COPY to temporary tables, then one transaction per file.

Delete, insert and ledger line are one transaction, so a file is loaded whole or not at all; a serialisation error or
a dropped connection repeats that transaction. Should a commit have happened although its answer was lost, the ledger
line of this very run is found and reported. Tables are made by the administrator (``python -m sql migrate``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.checks import DECLARED
from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.landing import Item
from ingest.outcomes import LOAD, NOOP, QR, REPLACE, WARN
from ingest.parsed import Parsed
from ingest.schema import FEED, INTAKE, LEDGER, quoted
from ingest.warehouse import LedgerRow, Memory, WarehouseError, ledger_row, outcome
from settings import Settings
from sql import session
from sql.catalog import raw_columns
from sql.transfer import Staging, copy_parquet, s3_client

T = TypeVar("T")
LOADED = f"('{LOAD}', '{QR}', '{REPLACE}', '{WARN}')"
_QUARANTINE = {
    "brand_id": pa.string(), "feed": pa.string(), "sha256": pa.string(), "file_name": pa.string(), "line": pa.int64(),
    "reason": pa.string(), "field": pa.string(), "row_text": pa.string(), "delivered_at": pa.timestamp("us"),
    "run_id": pa.string(),
}  # fmt: skip


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

    @staticmethod
    def _rows(cursor: Any, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        cursor.execute(sql, tuple(parameters) if parameters else None)
        return [tuple(r) for r in cursor.fetchall()] if cursor.description else []

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows as dictionaries."""

        def ask(cursor: Any) -> list[dict[str, Any]]:
            rows = self._rows(cursor, sql, parameters)
            names = [
                d[0].decode() if isinstance(d[0], bytes) else str(d[0]) for d in cursor.description or ()
            ]
            return [dict(zip(names, row, strict=True)) for row in rows]

        return self._transaction(ask)

    def transact(self, action: Callable[[Ask], T]) -> T:
        """Do several statements in one transaction."""
        return self._transaction(
            lambda cursor: action(lambda sql, parameters=(): self._rows(cursor, sql, parameters))
        )

    # ---- the interface ----------------------------------------------------------------------------------
    def init(self) -> None:
        """Check that the administrator has made the tables, and write the feed registry.

        Raises:
            WarehouseError: naming the tables that are missing.
        """
        wanted = [
            (
                c.feed,
                c.family,
                c.partner,
                c.cadence,
                c.mode,
                c.restatement_days,
                c.event_date,
                c.timezone,
                c.version,
            )
            for c in self.contracts.values()
        ]

        def write(cursor: Any) -> None:
            there = {
                f"{schema}.{table}.{column}"
                for schema, table, column in self._rows(
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
            present = self._rows(cursor, f"select {', '.join(n for n, _ in FEED)} from intake.feed")
            if sorted(map(str, present)) != sorted(map(str, wanted)):
                cursor.execute("delete from intake.feed")
                for row in wanted:
                    cursor.execute(f"insert into intake.feed values ({', '.join('?' * len(row))})", row)

        self._transaction(write)

    def remember(self) -> Memory:
        """Fingerprints, known content and forgotten people."""

        def read(cursor: Any) -> Memory:
            prints: dict[str, list[tuple[str, str, int]]] = {}
            listed = self._rows(
                cursor, "select source_key, fingerprint, outcome, contract_version from intake.ledger"
            )
            for key, mark, word, version in listed:
                prints.setdefault(key, []).append((mark, word, version))
            loaded = self._rows(
                cursor,
                f"select brand_id, feed, sha256, file_name from intake.ledger where outcome in {LOADED} and rows_file > 0",
            )
            known = {f"{brand}|{feed}|{sha}": name for brand, feed, sha, name in loaded}
            suppressed: dict[str, list[str]] = {}
            for brand, digest in self._rows(cursor, "select brand_id, subject_hash from intake.suppression"):
                suppressed.setdefault(brand, []).append(digest)
            return Memory(prints, known, suppressed)

        return self._transaction(read)

    def record(self, row: LedgerRow) -> None:
        """Write one ledger line, in its own transaction."""
        self._transaction(lambda cursor: self._write_ledger(cursor, row))

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
                row = ledger_row(item, answer, parsed, contract, run_id)
                return self._load(cursor, staging, contract, parsed, row)

            return self._transaction(write)

    def _load(
        self, cursor: Any, staging: Staging, contract: Contract, parsed: Parsed, row: LedgerRow
    ) -> LedgerRow:
        item = row.item
        twins = self._rows(
            cursor,
            f"select source_key, run_id, outcome, reason, superseded_rows from intake.ledger "
            f"where brand_id = ? and feed = ? and sha256 = ? and outcome in {LOADED} and rows_file > 0",
            [item.brand, item.feed, row.sha256],
        )
        if any(key == item.source_key and run == row.run_id for key, run, *_ in twins):
            # an earlier try of this transaction was committed, and only its answer was lost
            _, _, row.outcome, row.reason, row.superseded_rows = twins[0]
            return row
        if twins:
            row.outcome, row.reason = NOOP, "same_content"
            row.rows_loaded = row.rows_quarantined = row.rows_declared = row.rows_file = 0
            row.money_loaded = row.money_quarantined = row.money_loaded * 0
            if twins[0][0] != item.source_key:
                self._write_ledger(cursor, row)
            return row
        renamed = self._same_place(cursor, row)
        # Read only now: the twin of a file already loaded shares its parsed rows, which are gone by then.
        rows = _read(parsed) if parsed.rows_good or parsed.rows_bad else None
        if rows is not None and parsed.rows_good:
            self._stage(cursor, staging, contract, row, rows)
            move = self._upsert if contract.mode == "upsert" else self._replace
            row.superseded_rows = move(cursor, contract, parsed, row)
        reasons = self._quarantine(cursor, staging, row, rows) if rows is not None and parsed.rows_bad else []
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
        earlier = self._rows(
            cursor,
            f"select dateadd(second, 1, max(delivered_at)) from intake.ledger "
            f"where source_key = ? and sha256 <> ? and outcome in {LOADED}",
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

    # ---- rows -------------------------------------------------------------------------------------------
    def _stage(
        self, cursor: Any, staging: Staging, contract: Contract, row: LedgerRow, rows: pa.Table
    ) -> None:
        """Temporary table ``incoming_rows`` with the file's good rows in the shape of the raw table."""
        good = rows.filter(pc.is_null(rows["_reason"])) if "_reason" in rows.column_names else rows
        constants = {
            "brand_id": pa.scalar(row.item.brand, pa.string()),
            "_file_id": pa.scalar(row.sha256, pa.string()),
            "_delivered_at": pa.scalar(_moment(row.delivered), pa.timestamp("us")),
        }
        columns = {}
        for column in raw_columns(contract):
            values = (
                pa.repeat(constants[column.name], good.num_rows)
                if column.name in constants
                else good[column.name]
            )
            columns[column.name] = _fitting(values, column.name, column.type, contract.feed)
        manifest = staging.put(pa.table(columns), "rows")
        cursor.execute("drop table if exists incoming_rows")
        cursor.execute(f"create temp table incoming_rows (like raw.{contract.feed})")
        cursor.execute(
            copy_parquet("incoming_rows", list(map(quoted, columns)), manifest, self.redshift.copy_role_arn)
        )

    def _replace(self, cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow) -> int:
        names = ", ".join(quoted(name) for name, _ in contract.columns)
        raw, history = f"raw.{contract.feed}", f"raw_history.{contract.feed}"
        around = self._versions(cursor, contract, parsed, row)
        if not around:
            cursor.execute(f"insert into {raw} ({names}) select {names} from incoming_rows")
            return 0
        key = " || chr(31) || ".join(f"cast({quoted(p)} as varchar)" for p in contract.partition) or "'*'"
        near = "brand_id = ?"
        bounds: list[object] = [row.item.brand]
        if contract.event_date and contract.event_date in contract.partition:
            near += f" and {quoted(contract.event_date)} between cast(? as date) and cast(? as date)"
            bounds += [row.first_date, row.last_date]
        moment = _moment(row.delivered)
        won = f"{near} and {key} in (select k from version_around where after_file is null)"
        moved = self._rows(cursor, f"select count(*) from {raw} where {won}", bounds)[0][0]
        cursor.execute(
            f"insert into {history} ({names}, _superseded_by, _superseded_at) "
            f"select {names}, cast(? as varchar(256)), cast(? as timestamp) from {raw} where {won}",
            (row.sha256, str(moment), *bounds),
        )
        cursor.execute(f"delete from {raw} where {won}", tuple(bounds))
        cursor.execute(
            f"insert into {raw} ({names}) select {names} from incoming_rows "
            f"where {key} not in (select k from version_around where after_file is not null)"
        )
        if any(after for _, after in around.values()):
            plain = ", ".join(f"i.{quoted(name)}" for name, _ in contract.columns)
            cursor.execute(
                f"insert into {history} ({names}, _superseded_by, _superseded_at) "
                f"select {plain}, v.after_file, v.after_at from (select *, {key} as k_ from incoming_rows) as i "
                "join version_around as v on v.k = i.k_ and v.after_file is not null"
            )
            cursor.execute(
                f"update {history} set _superseded_by = ?, _superseded_at = cast(? as timestamp) from version_around as v "
                f"where {near} and {key} = v.k and v.after_file is not null and _file_id = v.before_file",
                (row.sha256, str(moment), *bounds),
            )
        return int(moved)

    def _versions(
        self, cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow
    ) -> dict[str, tuple[tuple[str, str] | None, tuple[str, str] | None]]:
        """Earlier and later delivery around this one, for each partition that was delivered before.

        The same facts are left in the temporary table ``version_around``; this delivery is added to the versions.
        """
        ours = [row.item.brand, contract.feed]
        cursor.execute("drop table if exists incoming_partition")
        cursor.execute("create temp table incoming_partition (k varchar(256), n bigint)")
        _insert_many(cursor, "incoming_partition", [(str(k), int(n)) for k, n in parsed.partitions])
        known = self._rows(
            cursor,
            "select v.partition_key, v.delivered_at, v.file_id from intake.partition_version as v "
            "join incoming_partition as p on p.k = v.partition_key where v.brand_id = ? and v.feed = ?",
            ours,
        )
        cursor.execute(
            "insert into intake.partition_version (brand_id, feed, partition_key, file_id, delivered_at, row_count) "
            "select cast(? as varchar(256)), cast(? as varchar(256)), k, cast(? as varchar(256)), cast(? as timestamp), n "
            "from incoming_partition",
            (*ours, row.sha256, row.delivered),
        )
        mine = (row.delivered, row.sha256 or "")
        around: dict[str, tuple[tuple[str, str] | None, tuple[str, str] | None]] = {}
        for key, delivered, file in known:
            before, after = around.get(str(key), (None, None))
            other = (f"{delivered:%Y-%m-%d %H:%M:%S}", str(file))
            if other < mine:
                before = max(before, other) if before else other
            elif other > mine:
                after = min(after, other) if after else other
            around[str(key)] = (before, after)
        if around:
            cursor.execute("drop table if exists version_around")
            cursor.execute(
                "create temp table version_around (k varchar(256), before_file varchar(256), after_file varchar(256), after_at timestamp)"
            )
            rows = [
                (k, b[1] if b else None, a[1] if a else None, _moment(a[0]) if a else None)
                for k, (b, a) in around.items()
            ]
            _insert_many(cursor, "version_around", rows)
        return around

    def _upsert(self, cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow) -> int:
        names = ", ".join(quoted(name) for name, _ in contract.columns)
        raw, history = f"raw.{contract.feed}", f"raw_history.{contract.feed}"
        keys = ["brand_id", *contract.key]
        same = " and ".join(f"r.{quoted(k)} = i.{quoted(k)}" for k in keys)
        newer = "(r._delivered_at > i._delivered_at or (r._delivered_at = i._delivered_at and r._file_id > i._file_id))"
        plain = ", ".join(f"r.{quoted(name)}" for name, _ in contract.columns)
        mine = ", ".join(f"i.{quoted(name)}" for name, _ in contract.columns)
        beaten = f"from {raw} as r join incoming_rows as i on {same} where not {newer}"
        count = int(self._rows(cursor, f"select count(*) {beaten}")[0][0])
        target = f"{history} ({names}, _superseded_by, _superseded_at)"
        if count:
            cursor.execute(f"insert into {target} select {plain}, i._file_id, i._delivered_at {beaten}")
        cursor.execute(
            f"insert into {target} select {mine}, r._file_id, r._delivered_at "
            f"from {raw} as r join incoming_rows as i on {same} where {newer}"
        )
        old = same.replace("r.", f"{raw}.")
        cursor.execute(
            f"delete from incoming_rows using {raw} as r where {same.replace('i.', 'incoming_rows.')} and {newer.replace('i.', 'incoming_rows.')}"
        )
        cursor.execute(f"delete from {raw} using incoming_rows as i where {old}")
        cursor.execute(f"insert into {raw} ({names}) select {names} from incoming_rows")
        return count

    def _quarantine(self, cursor: Any, staging: Staging, row: LedgerRow, rows: pa.Table) -> list[str]:
        bad = rows.filter(
            pc.and_(
                pc.is_valid(rows["_reason"]),
                pc.invert(pc.is_in(rows["_reason"], value_set=pa.array(list(DECLARED)))),
            )
        )
        fixed = {
            "brand_id": row.item.brand, "feed": row.item.feed, "sha256": row.sha256, "file_name": row.item.shown_name,
            "delivered_at": _moment(row.delivered), "run_id": row.run_id,
        }  # fmt: skip
        of_row = {"line": "_line", "reason": "_reason", "field": "_field", "row_text": "_row"}
        columns = {
            name: bad[of_row[name]].cast(kind)
            if name in of_row
            else pa.repeat(pa.scalar(fixed[name], kind), bad.num_rows)
            for name, kind in _QUARANTINE.items()
        }
        manifest = staging.put(pa.table(columns), "quarantine")
        role = self.redshift.copy_role_arn
        cursor.execute(copy_parquet("intake.quarantine", [quoted(name) for name in columns], manifest, role))
        counted = sorted((-v["counts"].as_py(), v["values"].as_py()) for v in pc.value_counts(bad["_reason"]))
        return [reason for _, reason in counted]

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
        """Volume warnings, as on DuckDB: files with less than half the usual rows a day, and repeated emptiness."""

        def write(cursor: Any) -> None:
            cursor.execute("delete from intake.warning where code in ('low_volume', 'no_rows_repeated')")
            cursor.execute(
                f"""
                insert into intake.warning (brand_id, feed, sha256, file_name, code, detail, row_count)
                with loaded as (
                    select brand_id, feed, sha256, file_name, rows_loaded,
                        cast(rows_loaded as double precision) / (datediff(day, first_date, last_date) + 1) as per_day
                    from intake.ledger where outcome in {LOADED} and rows_loaded > 0 and first_date is not null
                ), usual as (
                    select brand_id, feed, median(per_day) as m, count(*) as n from loaded group by brand_id, feed
                )
                select l.brand_id, l.feed, l.sha256, l.file_name, 'low_volume',
                    'rows a day are under half of the usual', l.rows_loaded
                from loaded as l
                join usual as u on u.brand_id = l.brand_id and u.feed = l.feed
                join intake.feed as f on f.feed = l.feed and f.mode = 'replace'
                where u.n >= 6 and l.per_day < 0.5 * u.m
                """
            )
            cursor.execute(
                f"""
                insert into intake.warning (brand_id, feed, sha256, file_name, code, detail, row_count)
                select brand_id, feed, sha256, file_name, 'no_rows_repeated', 'two deliveries in a row without rows', 0
                from (
                    select brand_id, feed, sha256, file_name, rows_file,
                        lag(rows_file) over (partition by brand_id, feed order by delivered_at, file_name) as earlier
                    from intake.ledger where outcome in {LOADED}
                ) as l
                where rows_file = 0 and earlier = 0
                """
            )

        self._transaction(write)


def _read(parsed: Parsed) -> pa.Table:
    """All rows of a parsed file, those of the careful query after the others."""
    first = pq.read_table(parsed.rows)
    if not parsed.careful_rows:
        return first
    second = pq.read_table(parsed.careful_rows)
    taken = first.filter(pc.is_null(first["_reason"])).select(second.column_names)
    return pa.concat_tables([taken, second.cast(taken.schema)])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _insert_many(cursor: Any, table: str, rows: Sequence[tuple[object, ...]], batch: int = 2000) -> None:
    """INSERT ... VALUES with several rows a statement; for control rows only, data goes by COPY."""
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        one = "(" + ", ".join("?" * len(part[0])) + ")"
        cursor.execute(
            f"insert into {table} values {', '.join([one] * len(part))}",
            tuple(v for row in part for v in row),
        )


def _fitting(values: Any, name: str, kind: str, feed: str) -> Any:
    """The column in the type COPY expects.

    Raises:
        WarehouseError: a text is longer in bytes than its column; Redshift would refuse the whole file.
    """
    types = {"bigint": pa.int64(), "integer": pa.int32(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
             "boolean": pa.bool_(), "double precision": pa.float64()}  # fmt: skip
    if kind.startswith("varchar"):
        texts = values.cast(pa.string())
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        size = int(kind[8:-1])
        if longest > size:
            raise WarehouseError(f"{feed}.{name}: a text of {longest} bytes does not fit {kind}")
        return texts
    if kind.startswith("decimal"):
        precision, scale = kind[8:-1].split(",")
        return values.cast(pa.decimal128(int(precision), int(scale)))
    return values.cast(types[kind])
