"""How a file's good rows, staged as ``incoming_rows``, become the current ones on Redshift, and what they supersede history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.parsed import Parsed
from ingest.resettle import settle, surrounded
from ingest.schema import quoted
from ingest.warehouse import LedgerRow


def rows_of(cursor: Any, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Execute one statement; its rows, if it has any."""
    cursor.execute(sql, tuple(parameters) if parameters else None)
    return [tuple(r) for r in cursor.fetchall()] if cursor.description else []


def moment_of(text: str) -> datetime:
    """A ledger's time as a value."""
    return datetime.fromisoformat(text)


def version_key(contract: Contract) -> str:
    """SQL of the text that names a row's partition (its key, where a feed merges by key)."""
    columns = contract.key if contract.mode == "upsert" else contract.partition
    return " || chr(31) || ".join(f"cast({quoted(name)} as varchar)" for name in columns) or "'*'"


def replace(cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow) -> int:
    """Partitions of the newest delivery win; how many rows were superseded."""
    names = ", ".join(quoted(name) for name, _ in contract.columns)
    raw, history = f"raw.{contract.feed}", f"raw_history.{contract.feed}"
    there, newer = _versions(cursor, contract, parsed, row)
    if not there:
        cursor.execute(f"insert into {raw} ({names}) select {names} from incoming_rows")
        return 0
    if newer or _surrounded(cursor, contract, row):
        return _settle(cursor, contract, row)
    key = version_key(contract)
    near = "brand_id = ?"
    bounds: list[object] = [row.item.brand]
    if contract.event_date and contract.event_date in contract.partition:
        near += f" and {quoted(contract.event_date)} between cast(? as date) and cast(? as date)"
        bounds += [row.first_date, row.last_date]
    won = f"{near} and {key} in (select k from incoming_partition)"
    moved = rows_of(cursor, f"select count(*) from {raw} where {won}", bounds)[0][0]
    cursor.execute(
        f"insert into {history} ({names}, _superseded_by, _superseded_at) "
        f"select {names}, cast(? as varchar(256)), cast(? as timestamp) from {raw} where {won}",
        (row.sha256, str(moment_of(row.delivered)), *bounds),
    )
    cursor.execute(f"delete from {raw} where {won}", tuple(bounds))
    cursor.execute(f"insert into {raw} ({names}) select {names} from incoming_rows")
    return int(moved)


def asker(cursor: Any) -> Ask:
    """The cursor as the shared SQL calls it."""
    return lambda sql, parameters=(): rows_of(cursor, sql, parameters)


def _surrounded(cursor: Any, contract: Contract, row: LedgerRow) -> bool:
    return surrounded(asker(cursor), contract, row.item.brand, row.sha256 or "", row.delivered)


def _settle(cursor: Any, contract: Contract, row: LedgerRow) -> int:
    """Rows that come late go among the versions that are there; how many rows are no longer current."""
    names = ", ".join(quoted(name) for name, _ in contract.columns)
    cursor.execute(
        f"insert into raw_history.{contract.feed} ({names}, _superseded_by, _superseded_at) "
        f"select {names}, _file_id, _delivered_at from incoming_rows"
    )
    key = version_key(contract)
    return settle(asker(cursor), contract, row.item.brand, row.sha256 or "", row.delivered, key)


def _versions(cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow) -> tuple[bool, bool]:
    """Whether a partition of this delivery was delivered before, and whether one of them was delivered later.

    The partitions are left in the temporary table ``incoming_partition``; this delivery is added to the versions.
    """
    ours = [row.item.brand, contract.feed]
    cursor.execute("drop table if exists incoming_partition")
    cursor.execute("create temp table incoming_partition (k varchar(256), n bigint)")
    _insert_many(cursor, "incoming_partition", [(str(k), int(n)) for k, n in parsed.partitions])
    newer = (
        "v.delivered_at > cast(? as timestamp) or (v.delivered_at = cast(? as timestamp) and v.file_id > ?)"
    )
    known, later = rows_of(
        cursor,
        f"select count(*), coalesce(sum(case when {newer} then 1 else 0 end), 0) from intake.partition_version as v "
        "join incoming_partition as p on p.k = v.partition_key where v.brand_id = ? and v.feed = ?",
        [row.delivered, row.delivered, row.sha256, *ours],
    )[0]
    cursor.execute(
        "insert into intake.partition_version (brand_id, feed, partition_key, file_id, delivered_at, row_count) "
        "select cast(? as varchar(256)), cast(? as varchar(256)), k, cast(? as varchar(256)), cast(? as timestamp), n "
        "from incoming_partition",
        (*ours, row.sha256, row.delivered),
    )
    return int(known) > 0, int(later) > 0


def upsert(cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow) -> int:
    """Rows of the newest delivery win, key by key; how many rows were superseded."""
    names = ", ".join(quoted(name) for name, _ in contract.columns)
    raw, history = f"raw.{contract.feed}", f"raw_history.{contract.feed}"
    keys = ["brand_id", *contract.key]
    same = " and ".join(f"r.{quoted(k)} = i.{quoted(k)}" for k in keys)
    newer = "(r._delivered_at > i._delivered_at or (r._delivered_at = i._delivered_at and r._file_id > i._file_id))"
    plain = ", ".join(f"r.{quoted(name)}" for name, _ in contract.columns)
    met = f"from {raw} as r join incoming_rows as i on {same}"
    known, later = rows_of(
        cursor, f"select count(*), coalesce(sum(case when {newer} then 1 else 0 end), 0) {met}"
    )[0]
    if int(later) or _surrounded(cursor, contract, row):
        return _settle(cursor, contract, row)
    if int(known):
        cursor.execute(
            f"insert into {history} ({names}, _superseded_by, _superseded_at) "
            f"select {plain}, i._file_id, i._delivered_at {met}"
        )
        cursor.execute(f"delete from {raw} using incoming_rows as i where {same.replace('r.', f'{raw}.')}")
    cursor.execute(f"insert into {raw} ({names}) select {names} from incoming_rows")
    return int(known)


def _insert_many(cursor: Any, table: str, rows: Sequence[tuple[object, ...]], batch: int = 2000) -> None:
    """INSERT ... VALUES with several rows a statement; for control rows only, data goes by COPY."""
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        one = "(" + ", ".join("?" * len(part[0])) + ")"
        cursor.execute(
            f"insert into {table} values {', '.join([one] * len(part))}",
            tuple(v for row in part for v in row),
        )
