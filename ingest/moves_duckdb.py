"""How a file's good rows become the current ones on DuckDB, and the rows they supersede history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.failpoints import reach
from ingest.resettle import resettle
from ingest.rows import Run
from ingest.schema import quoted
from ingest.values import literal
from ingest.warehouse import LedgerRow

Around = tuple[str, str | None, str | None, str | None]  # key, file before, file after, its time


def version_key(contract: Contract) -> str:
    """SQL of the text that names a row's partition (its key, where a feed merges by key)."""
    columns = contract.key if contract.mode == "upsert" else contract.partition
    parts = ", ".join(f"cast({quoted(name)} as varchar)" for name in columns)
    return f"concat_ws(chr(31), {parts})" if parts else "'*'"


def neighbours(
    versions: Mapping[str, Sequence[tuple[str, str]]], keys: Iterable[str], mine: tuple[str, str]
) -> list[Around]:
    """The deliveries next before and after this one, for each of its partitions that was delivered before."""
    around: list[Around] = []
    for k in keys:
        others = versions.get(k)
        if others:
            before = max((v for v in others if v < mine), default=(None, None))
            after = min((v for v in others if v > mine), default=(None, None))
            around.append((k, before[1], after[1], after[0]))
    return around


@dataclass(frozen=True)
class Move:
    """One file on its way into its raw table; ``incoming`` is the SELECT of its good rows."""

    run: Run
    contract: Contract
    row: LedgerRow
    names: str
    raw: str
    history: str
    incoming: str

    @property
    def mark(self) -> str:
        """SQL of what supersedes: this file and its time."""
        return f"{literal(self.row.sha256 or '')}, timestamp {literal(self.row.delivered)}"

    def replace(self, around: Sequence[Around]) -> int:
        """Partitions of the newest delivery win; how many rows were superseded."""
        run, contract, row, raw, history, names = (
            self.run, self.contract, self.row, self.raw, self.history, self.names
        )  # fmt: skip
        if not around:
            run(f"insert into {raw} ({names}) {self.incoming}")
            reach("load_after_rows")
            return 0
        run(
            "create or replace temp table version_around (k varchar, before varchar, after varchar, after_at timestamp)"
        )
        run(
            "insert into version_around select unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::timestamp[])",
            [list(column) for column in zip(*around, strict=True)],
        )
        key = version_key(contract)
        near = f"brand_id = {literal(row.item.brand)}"
        if contract.event_date in contract.partition and contract.event_date:
            near += f" and {quoted(contract.event_date)} between date '{row.first_date}' and date '{row.last_date}'"
        won = f"{near} and {key} in (select k from version_around where after is null)"
        moved = run(f"insert into {history} select {names}, {self.mark} from {raw} where {won}").fetchone()
        reach("load_after_history")
        run(f"delete from {raw} where {won}")
        reach("load_after_delete")
        lost = f"(select {key} as k_, * from ({self.incoming}))"
        run(
            f"insert into {raw} ({names}) select {names} from {lost} where k_ not in (select k from version_around where after is not null)"
        )
        reach("load_after_rows")
        if any(entry[2] for entry in around):
            reach("load_before_old_version")
            run(
                f"insert into {history} select {names}, after, after_at from {lost} join version_around on k = k_ and after is not null"
            )
            run(
                f"update {history} as h set _superseded_by = {literal(row.sha256 or '')}, "
                f"_superseded_at = timestamp {literal(row.delivered)} from version_around as v "
                f"where {near.replace('brand_id', 'h.brand_id')} and {key} = v.k and v.after is not null and h._file_id = v.before"
            )
        return int(moved[0]) if moved else 0

    def merge(self, ask: Ask) -> int:
        """Rows of the newest delivery win, key by key; how many rows were superseded."""
        run, raw, history, names = self.run, self.raw, self.history, self.names
        run(f"create or replace temp table incoming_rows as {self.incoming}")
        same = (
            " and ".join(f"r.{quoted(k)} = i.{quoted(k)}" for k in self.contract.key)
            + " and r.brand_id = i.brand_id"
        )
        newer = "(r._delivered_at, r._file_id) > (i._delivered_at, i._file_id)"
        run(
            f"create or replace temp table meeting as select r.rowid as id, i.rowid as mine, {newer} as keep, "
            f"r._file_id as f, r._delivered_at as d from {raw} as r join incoming_rows as i on {same}"
        )
        reach("upsert_after_meeting")
        met = run("select count(*), count(*) filter (where keep) from meeting").first()
        if met[0] - met[1]:
            run(
                f"insert into {history} select {names}, {self.mark} from {raw} where rowid in (select id from meeting where not keep)"
            )
            reach("load_after_history")
            run(f"delete from {raw} where rowid in (select id from meeting where not keep)")
            reach("load_after_delete")
        if met[1]:
            run(
                f"insert into {history} select {names}, m.f, m.d from incoming_rows as i join meeting as m on m.mine = i.rowid and m.keep"
            )
            run("delete from incoming_rows where rowid in (select mine from meeting where keep)")
        run(f"insert into {raw} ({names}) select {names} from incoming_rows")
        reach("upsert_after_rows")
        run("drop table incoming_rows")
        if met[1]:  # rows that came late stand between two versions: the older one ends where they begin
            resettle(
                ask, self.contract, self.row.item.brand, self.row.sha256 or "", version_key(self.contract)
            )
            reach("upsert_after_resettle")
        return int(met[0] - met[1])
