"""How a file's good rows, staged as ``incoming_rows``, become the current ones on Redshift, and what they supersede history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.parsed import Parsed
from ingest.resettle import resettle
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
    around = _versions(cursor, contract, parsed, row)
    if not around:
        cursor.execute(f"insert into {raw} ({names}) select {names} from incoming_rows")
        return 0
    key = version_key(contract)
    near = "brand_id = ?"
    bounds: list[object] = [row.item.brand]
    if contract.event_date and contract.event_date in contract.partition:
        near += f" and {quoted(contract.event_date)} between cast(? as date) and cast(? as date)"
        bounds += [row.first_date, row.last_date]
    moment = moment_of(row.delivered)
    won = f"{near} and {key} in (select k from version_around where after_file is null)"
    moved = rows_of(cursor, f"select count(*) from {raw} where {won}", bounds)[0][0]
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
    cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow
) -> dict[str, tuple[tuple[str, str] | None, tuple[str, str] | None]]:
    """Earlier and later delivery around this one, for each partition that was delivered before.

    The same facts are left in the temporary table ``version_around``; this delivery is added to the versions.
    """
    ours = [row.item.brand, contract.feed]
    cursor.execute("drop table if exists incoming_partition")
    cursor.execute("create temp table incoming_partition (k varchar(256), n bigint)")
    _insert_many(cursor, "incoming_partition", [(str(k), int(n)) for k, n in parsed.partitions])
    known = rows_of(
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
            (k, b[1] if b else None, a[1] if a else None, moment_of(a[0]) if a else None)
            for k, (b, a) in around.items()
        ]
        _insert_many(cursor, "version_around", rows)
    return around


def upsert(cursor: Any, contract: Contract, parsed: Parsed, row: LedgerRow) -> int:
    """Rows of the newest delivery win, key by key; how many rows were superseded."""
    names = ", ".join(quoted(name) for name, _ in contract.columns)
    raw, history = f"raw.{contract.feed}", f"raw_history.{contract.feed}"
    keys = ["brand_id", *contract.key]
    same = " and ".join(f"r.{quoted(k)} = i.{quoted(k)}" for k in keys)
    newer = "(r._delivered_at > i._delivered_at or (r._delivered_at = i._delivered_at and r._file_id > i._file_id))"
    plain = ", ".join(f"r.{quoted(name)}" for name, _ in contract.columns)
    mine = ", ".join(f"i.{quoted(name)}" for name, _ in contract.columns)
    beaten = f"from {raw} as r join incoming_rows as i on {same} where not {newer}"
    count = int(rows_of(cursor, f"select count(*) {beaten}")[0][0])
    target = f"{history} ({names}, _superseded_by, _superseded_at)"
    if count:
        cursor.execute(f"insert into {target} select {plain}, i._file_id, i._delivered_at {beaten}")
    met = f"from {raw} as r join incoming_rows as i on {same} where {newer}"
    late = int(rows_of(cursor, f"select count(*) {met}")[0][0])
    if late:
        cursor.execute(f"insert into {target} select {mine}, r._file_id, r._delivered_at {met}")
    old = same.replace("r.", f"{raw}.")
    cursor.execute(
        f"delete from incoming_rows using {raw} as r where {same.replace('i.', 'incoming_rows.')} and {newer.replace('i.', 'incoming_rows.')}"
    )
    cursor.execute(f"delete from {raw} using incoming_rows as i where {old}")
    cursor.execute(f"insert into {raw} ({names}) select {names} from incoming_rows")
    if late:  # rows that came late stand between two versions: the older one ends where they begin
        ask: Ask = lambda sql, parameters=(): rows_of(cursor, sql, parameters)  # noqa: E731
        resettle(ask, contract, row.item.brand, row.sha256 or "", version_key(contract))
    return count


def _insert_many(cursor: Any, table: str, rows: Sequence[tuple[object, ...]], batch: int = 2000) -> None:
    """INSERT ... VALUES with several rows a statement; for control rows only, data goes by COPY."""
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        one = "(" + ", ".join("?" * len(part[0])) + ")"
        cursor.execute(
            f"insert into {table} values {', '.join([one] * len(part))}",
            tuple(v for row in part for v in row),
        )
