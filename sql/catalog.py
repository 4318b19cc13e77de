"""Every table that dbt does not build, with the storage a Redshift cluster gives it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ingest.contracts import Contract, load_contracts
from ingest.schema import HISTORY_COLUMNS, INTAKE
from modeling.io import COMMON_COLUMNS, RUN_TABLES

#: Schemas in which the administrator's migrations make tables.
MANAGED_SCHEMAS = ("control", "raw", "raw_history", "intake", "runs")
#: Schemas in which dbt, run as the transformer, makes its own; ``published`` is what BI reads.
BUILT_SCHEMAS = ("seeds", "staging", "intermediate", "features", "marts", "published")

KEY_BYTES, TEXT_BYTES, LONG_BYTES = 256, 1024, 65535

#: Who may read which brand: looked up by the row-level policy, written by the administrator only.
CONTROL = {
    "brand_reader": {"user_name": "varchar(128)", "brand_id": "varchar(64)"},
    "migration": {
        "version": "bigint",
        "step": "bigint",
        "up_sql": "varchar(65535)",
        "down_sql": "varchar(65535)",
        "applied_at": "timestamp",
    },
}
_LONG_TEXT = {"_extra", "row_text", "message", "metrics_json", "reason", "detail", "uri"}
_KEY_TEXT = {
    "brand_id",
    "_file_id",
    "sha256",
    "run_id",
    "ledger_id",
    "feed",
    "file_id",
    "partition_key",
    "_superseded_by",
}


@dataclass(frozen=True)
class Column:
    """A name and its portable type: varchar(n), bigint, integer, double precision, decimal(p,s), date, timestamp, boolean."""

    name: str
    type: str

    @property
    def encoding(self) -> str:
        """AZ64 for what it can hold, ZSTD for the rest; measured compression is the cluster's business."""
        return "zstd" if re.match(r"varchar|boolean|double", self.type) else "az64"


@dataclass(frozen=True)
class Table:
    """One table. ``distribution`` is even, all or key:<column>; ``sort`` the compound sort key."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    distribution: str = "even"
    sort: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


def portable(kind: str, name: str = "", *, key: bool = False, long: bool = False) -> str:
    """A DuckDB type of the intake as a portable one; unlimited text gets a length in bytes."""
    kind = kind.lower()
    if kind == "varchar":
        if long or name in _LONG_TEXT:
            return f"varchar({LONG_BYTES})"
        return f"varchar({KEY_BYTES if key or name in _KEY_TEXT else TEXT_BYTES})"
    return "double precision" if kind == "double" else kind


def raw_columns(contract: Contract) -> tuple[Column, ...]:
    """Columns of ``raw.<feed>`` with text lengths: keys short, declared free text and JSON long."""
    keys = {*contract.key, *contract.partition}
    wide = {f.name for f in contract.fields.values() if f.free_text or f.type == "json"}
    return tuple(
        Column(name, portable(kind, name, key=name in keys, long=name in wide))
        for name, kind in contract.columns
    )


def _raw(contract: Contract) -> Iterable[Table]:
    columns = raw_columns(contract)
    person = next((f.name for f in contract.fields.values() if f.pii == "id"), None)
    visitor = "visitor_id" if "visitor_id" in contract.fields else None
    joined = person or visitor
    reference = not contract.event_date and not joined
    distribution = "all" if reference else f"key:{joined}" if joined else "even"
    # Loads replace partitions and dbt reads by date: both prune blocks on the event date.
    sort = (contract.event_date,) if contract.event_date else tuple(contract.key[:1])
    yield Table("raw", contract.feed, columns, distribution, sort)
    history = tuple(Column(name, portable(kind, name, key=True)) for name, kind in HISTORY_COLUMNS)
    yield Table("raw_history", contract.feed, (*columns, *history), "even", ("_superseded_at",))


def tables() -> list[Table]:
    """All tables, in schema and name order."""
    from modeling import (
        runner,
    )  # pandas and the jobs' rooms: the loader, which needs raw columns only, starts without them

    found = [Table("control", n, _columns(c), "all", tuple(c)[:1]) for n, c in CONTROL.items()]
    for contract in load_contracts().values():
        found.extend(_raw(contract))
    for name, listed in INTAKE.items():
        columns = tuple(Column(n, portable(k, n)) for n, k in listed)
        small = name in ("feed", "suppression")
        sort = tuple(n for n, _ in listed if n in ("delivered_at", "feed"))[:1]
        found.append(Table("intake", name, columns, "all" if small else "even", sort))
    for name, own in RUN_TABLES.items():
        found.append(Table("runs", name, _columns(own), "all", (next(iter(own)),)))
    for name, own in runner.output_tables().items():
        if name not in RUN_TABLES:
            found.append(Table("runs", name, _columns({**COMMON_COLUMNS, **own}), "even", ("run_id",)))
    return sorted(found, key=lambda t: (MANAGED_SCHEMAS.index(t.schema), t.name))


def _columns(declared: dict[str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, portable(kind, name)) for name, kind in declared.items())
