"""Versions put in order again, in SQL that DuckDB and Redshift both speak.

Every delivery of a content counts: what a partition (or key) holds is decided by the newest delivery that covers it,
and a content that comes again after another one is current again. Deliveries of one content that follow each other
without another between them are one version, which counts from the first of them. So the versions are a function of
what was delivered and when it was stamped, whatever the order of arrival; the ledger keeps every delivery, also those
that changed nothing when they came.
"""

from __future__ import annotations

from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.outcomes import LOADED
from ingest.schema import quoted
from ingest.values import literal

#: Lines of the ledger that say when a content was delivered.
DELIVERED = f"((outcome in {LOADED} and rows_file > 0) or (outcome = 'NOOP' and reason = 'same_content'))"


def _moment(delivered: str) -> str:
    return f"cast({literal(delivered)} as timestamp)"


def _stamps(contract: Contract, brand: str) -> str:
    """SELECT of every delivery of a feed's contents: f, d."""
    return (
        "select distinct sha256 as f, delivered_at as d from intake.ledger "
        f"where brand_id = {literal(brand)} and feed = {literal(contract.feed)} and sha256 is not null and {DELIVERED}"
    )


def surrounded(ask: Ask, contract: Contract, brand: str, sha256: str, delivered: str) -> bool:
    """Whether another content was delivered both before and after this delivery."""
    found = ask(
        f"select count(*) from (select f, min(d) as first_at, max(d) as last_at from ({_stamps(contract, brand)}) as s "
        f"group by f) as spans where f <> {literal(sha256)} and first_at <= {_moment(delivered)} "
        f"and last_at >= {_moment(delivered)} and first_at < last_at"
    )
    return int(found[0][0]) > 0


def again(
    ask: Ask, contract: Contract, brand: str, sha256: str, delivered: str, key: str, *, thorough: bool
) -> int | None:
    """Let known content count from one more delivery.

    Args:
        ask: statements of an open transaction; the ledger holds all earlier deliveries.
        contract: the feed's contract.
        brand: whose rows.
        sha256: the content, as in ``_file_id``.
        delivered: UTC time of this delivery, ``YYYY-MM-DD HH:MM:SS``.
        key: SQL of the partition's text over the raw columns (of the key's, where a feed merges by key).
        thorough: look at the versions even if the ledger says that nothing came between (a forced reading).

    Returns:
        Rows of other contents that are no longer current; None when no version changes.
    """
    file, moment, stamps = literal(sha256), _moment(delivered), _stamps(contract, brand)
    before = ask(f"select max(d) from ({stamps}) as s where f = {file} and d <= {moment}")[0][0]
    if before is not None and not thorough:
        between = f"f <> {file} and d <= {moment} and d >= cast({literal(str(before))} as timestamp)"
        if not int(ask(f"select count(*) from ({stamps}) as s where {between}")[0][0]):
            return None
    if before is None:
        ask(
            f"update intake.quarantine set delivered_at = {moment} where brand_id = {literal(brand)} "
            f"and feed = {literal(contract.feed)} and sha256 = {file} and delivered_at > {moment}"
        )
    _arrange(ask, contract, brand, sha256, delivered, key)
    old, new = "select k, f, d from version_there", "select k, f, d from version_order"
    changed = f"select count(*) from (({old} except {new}) union all ({new} except {old})) as c"
    return _rearrange(ask, contract, brand, key) if int(ask(changed)[0][0]) else None


def settle(ask: Ask, contract: Contract, brand: str, sha256: str, delivered: str, key: str) -> int:
    """Put the rows of a content, just written to history as they came, where they belong; rows no longer current."""
    _arrange(ask, contract, brand, sha256, delivered, key)
    return _rearrange(ask, contract, brand, key)


def _arrange(ask: Ask, contract: Contract, brand: str, sha256: str, delivered: str, key: str) -> None:
    """Tables ``touched_keys``, ``version_there`` (versions as they are) and ``version_order`` (as they should be)."""
    raw, history = (f"{schema}.{quoted(contract.feed)}" for schema in ("raw", "raw_history"))
    near = f"brand_id = {literal(brand)}"
    for table in ("touched_keys", "version_there", "version_order"):
        ask(f"drop table if exists {table}")
    if contract.mode == "upsert":
        touched = " union ".join(
            f"select {key} as k from {table} where {near} and _file_id = {literal(sha256)}"
            for table in (raw, history)
        )
        there = " union ".join(
            f"select {key} as k, _file_id as f, _delivered_at as d, 1 as n from {table} "
            f"where {near} and {key} in (select k from touched_keys)"
            for table in (raw, history)
        )
    else:  # a version whose rows were all erased is still a version
        ours = f"from intake.partition_version where {near} and feed = {literal(contract.feed)}"
        touched = f"select distinct partition_key as k {ours} and file_id = {literal(sha256)}"
        there = (
            "select partition_key as k, file_id as f, delivered_at as d, row_count as n "
            f"{ours} and partition_key in (select k from touched_keys)"
        )
    ask(f"create temp table touched_keys as {touched}")
    ask(f"create temp table version_there as {there}")
    stamps = (
        f"{_stamps(contract, brand)} union select {literal(sha256)} as f, {_moment(delivered)} as d "
        "union select f, d from version_there"
    )
    every = (
        "select t.k, t.f, s.d, t.n, lag(t.f) over (partition by t.k order by s.d, t.f) as earlier "
        "from (select k, f, max(n) as n from version_there group by k, f) as t "
        f"join ({stamps}) as s on s.f = t.f"
    )
    following = "over (partition by k order by d, f)"
    ask(
        f"create temp table version_order as select k, f, d, n, lead(f) {following} as next_file, "
        f"lead(d) {following} as next_at from ({every}) as e where earlier is null or earlier <> f"
    )


def _rearrange(ask: Ask, contract: Contract, brand: str, key: str) -> int:
    """Give each version its rows: the newest are current, the others history; how many are no longer current."""
    columns = [name for name, _ in contract.columns]
    names = ", ".join(map(quoted, columns))
    dated = ", ".join("v.d" if name == "_delivered_at" else f"r.{quoted(name)}" for name in columns)
    raw, history = (f"{schema}.{quoted(contract.feed)}" for schema in ("raw", "raw_history"))
    near = f"brand_id = {literal(brand)} and {key} in (select k from touched_keys)"
    ask("drop table if exists resettled")
    there = " union all ".join(
        f"select {names}, {key} as k_, {now} as now_ from {table} where {near}"
        for table, now in ((raw, 1), (history, 0))
    )
    ask(f"create temp table resettled as {there}")
    moved = ask(
        "select count(*) from resettled as r join version_order as v on v.k = r.k_ and v.next_file is null "
        "where r.now_ = 1 and r._file_id <> v.f"
    )
    for table in (raw, history):
        ask(f"delete from {table} where {near}")
    # a content that came back has the same rows in each of its versions: one copy of them is enough
    copy = "select k_, _file_id as f_, min(_delivered_at) as d_ from resettled group by k_, _file_id"
    joined = (
        f"from resettled as r join ({copy}) as c on c.k_ = r.k_ and c.f_ = r._file_id and c.d_ = r._delivered_at "
        "join version_order as v on v.k = r.k_ and v.f = r._file_id"
    )
    ask(f"insert into {raw} ({names}) select {dated} {joined} where v.next_file is null")
    ask(
        f"insert into {history} ({names}, _superseded_by, _superseded_at) "
        f"select {dated}, v.next_file, v.next_at {joined} where v.next_file is not null"
    )
    if contract.mode != "upsert":
        feed = f"brand_id = {literal(brand)} and feed = {literal(contract.feed)}"
        ask(
            f"delete from intake.partition_version where {feed} and partition_key in (select k from touched_keys)"
        )
        ask(
            "insert into intake.partition_version (brand_id, feed, partition_key, file_id, delivered_at, row_count) "
            f"select {literal(brand)}, {literal(contract.feed)}, k, f, d, n from version_order"
        )
    return int(moved[0][0])
