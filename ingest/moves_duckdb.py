"""How a file's good rows become the current ones on DuckDB, and the rows they supersede history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.contracts import Contract
from ingest.erasure import Ask
from ingest.failpoints import reach
from ingest.resettle import settle
from ingest.rows import Run
from ingest.schema import quoted
from ingest.values import literal
from ingest.warehouse import LedgerRow


def version_key(contract: Contract) -> str:
    """SQL of the text that names a row's partition (its key, where a feed merges by key)."""
    columns = contract.key if contract.mode == "upsert" else contract.partition
    parts = ", ".join(f"cast({quoted(name)} as varchar)" for name in columns)
    return f"concat_ws(chr(31), {parts})" if parts else "'*'"


def met(
    versions: Mapping[str, Sequence[tuple[str, str]]], keys: Iterable[str], mine: tuple[str, str]
) -> tuple[list[str], bool]:
    """Those of a delivery's partitions that were delivered before, and whether one of them was delivered later."""
    there = [k for k in keys if versions.get(k)]
    return there, any(version > mine for k in there for version in versions[k])


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

    def settle(self, ask: Ask) -> int:
        """Rows that come late go among the versions that are there; how many rows are no longer current."""
        row, key = self.row, version_key(self.contract)
        self.run(f"insert into {self.history} select {self.names}, {self.mark} from ({self.incoming})")
        reach("load_late_rows")
        moved = settle(ask, self.contract, row.item.brand, row.sha256 or "", row.delivered, key)
        reach("load_after_settle")
        return moved

    def replace(self, there: Sequence[str]) -> int:
        """The newest delivery's partitions, ``there`` those that were delivered before; rows superseded."""
        run, contract, row, raw, history, names = (
            self.run, self.contract, self.row, self.raw, self.history, self.names
        )  # fmt: skip
        if not there:
            run(f"insert into {raw} ({names}) {self.incoming}")
            reach("load_after_rows")
            return 0
        run(
            "create or replace temp table version_around as select unnest(?::varchar[]) as k",
            [list(there)],
        )
        key = version_key(contract)
        near = f"brand_id = {literal(row.item.brand)}"
        if contract.event_date in contract.partition and contract.event_date:
            near += f" and {quoted(contract.event_date)} between date '{row.first_date}' and date '{row.last_date}'"
        won = f"{near} and {key} in (select k from version_around)"
        moved = run(f"insert into {history} select {names}, {self.mark} from {raw} where {won}").fetchone()
        reach("load_after_history")
        run(f"delete from {raw} where {won}")
        reach("load_after_delete")
        run(f"insert into {raw} ({names}) {self.incoming}")
        reach("load_after_rows")
        return int(moved[0]) if moved else 0

    def merge(self) -> int | None:
        """Rows of the newest delivery win, key by key; rows superseded, or None: some are newer, nothing was done."""
        run, raw, history, names = self.run, self.raw, self.history, self.names
        run(f"create or replace temp table incoming_rows as {self.incoming}")
        same = (
            " and ".join(f"r.{quoted(k)} = i.{quoted(k)}" for k in self.contract.key)
            + " and r.brand_id = i.brand_id"
        )
        newer = "(r._delivered_at, r._file_id) > (i._delivered_at, i._file_id)"
        run(
            f"create or replace temp table meeting as select r.rowid as id, {newer} as newer "
            f"from {raw} as r join incoming_rows as i on {same}"
        )
        reach("upsert_after_meeting")
        known, newer_rows = run("select count(*), count(*) filter (where newer) from meeting").first()
        if newer_rows:
            run("drop table incoming_rows")
            return None
        if known:
            run(
                f"insert into {history} select {names}, {self.mark} from {raw} where rowid in (select id from meeting)"
            )
            reach("load_after_history")
            run(f"delete from {raw} where rowid in (select id from meeting)")
            reach("load_after_delete")
        run(f"insert into {raw} ({names}) select {names} from incoming_rows")
        reach("upsert_after_rows")
        run("drop table incoming_rows")
        return int(known)
