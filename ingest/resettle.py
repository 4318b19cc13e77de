"""Versions put in order again, in SQL that DuckDB and Redshift both speak.

Two things arrive out of order. Content that was first seen under a later stamp and then again under an earlier one
counts from the earlier; and rows that come late belong between two versions that are there already. In both cases
the newest version of each partition (or key) is current, and every older one is superseded by the next.
"""

from __future__ import annotations

from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.schema import quoted
from ingest.values import literal


def redate(ask: Ask, contract: Contract, brand: str, sha256: str, delivered: str, key: str) -> bool:
    """Let loaded content count from ``delivered`` if that is earlier than what is known; whether it was.

    Args:
        ask: statements of an open transaction.
        contract: the feed's contract.
        brand: whose rows.
        sha256: the content, as in ``_file_id``.
        delivered: UTC time of the other delivery of the same content, ``YYYY-MM-DD HH:MM:SS``.
        key: SQL of the partition's text over the raw columns (of the key's, where a feed merges by key).
    """
    near, moment = f"brand_id = {literal(brand)}", f"cast({literal(delivered)} as timestamp)"
    file, feed = literal(sha256), literal(contract.feed)
    places = [
        (f"{schema}.{quoted(contract.feed)}", "_delivered_at", f"{near} and _file_id = {file}")
        for schema in ("raw", "raw_history")
    ]
    places += [
        ("intake.quarantine", "delivered_at", f"{near} and feed = {feed} and sha256 = {file}"),
        ("intake.partition_version", "delivered_at", f"{near} and feed = {feed} and file_id = {file}"),
    ]
    dated = 0
    for table, column, ours in places:
        if int(ask(f"select count(*) from {table} where {ours} and {column} > {moment}")[0][0]):
            ask(f"update {table} set {column} = {moment} where {ours}")
            dated += 1
    if not dated:
        return False
    resettle(ask, contract, brand, sha256, key)
    return True


def resettle(ask: Ask, contract: Contract, brand: str, sha256: str, key: str) -> None:
    """Settle anew which version is current and what superseded the others, wherever this content has rows."""
    names = ", ".join(quoted(name) for name, _ in contract.columns)
    plain = ", ".join(f"r.{quoted(name)}" for name, _ in contract.columns)
    raw, history = (f"{schema}.{quoted(contract.feed)}" for schema in ("raw", "raw_history"))
    near = f"brand_id = {literal(brand)}"
    touched = " union ".join(
        f"select {key} as k from {table} where {near} and _file_id = {literal(sha256)}"
        for table in (raw, history)
    )
    for table in ("touched_keys", "resettled", "version_order"):
        ask(f"drop table if exists {table}")
    ask(f"create temp table touched_keys as select k from ({touched}) as t")
    there = " union all ".join(
        f"select {names}, {key} as k_ from {table} where {near} and {key} in (select k from touched_keys)"
        for table in (raw, history)
    )
    ask(f"create temp table resettled as {there}")
    for table in (raw, history):
        ask(f"delete from {table} where {near} and {key} in (select k from touched_keys)")
    if contract.mode == "upsert":
        versions = "select distinct k_ as k, _file_id as f, _delivered_at as d from resettled"
    else:  # a version whose rows were all erased is still a version
        versions = (
            "select partition_key as k, file_id as f, delivered_at as d from intake.partition_version "
            f"where {near} and feed = {literal(contract.feed)} and partition_key in (select k from touched_keys)"
        )
    following = "over (partition by k order by d, f)"
    ask(
        f"create temp table version_order as select k, f, lead(f) {following} as next_file, "
        f"lead(d) {following} as next_at from ({versions}) as v"
    )
    joined = "from resettled as r join version_order as v on v.k = r.k_ and v.f = r._file_id"
    ask(f"insert into {raw} ({names}) select {plain} {joined} where v.next_file is null")
    ask(
        f"insert into {history} ({names}, _superseded_by, _superseded_at) "
        f"select {plain}, v.next_file, v.next_at {joined} where v.next_file is not null"
    )
