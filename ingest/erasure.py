"""Erasure in a warehouse, in SQL that DuckDB and Redshift both speak: who is meant, and where their rows lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from ingest.schema import quoted

HASH_COLUMNS = ("person_key", "customer_key", "email_hash", "phone_hash")
BATCH = 500


class Ask(Protocol):
    """Executes one statement of an open transaction and gives its rows."""

    def __call__(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]: ...


def tables(ask: Ask) -> list[tuple[str, str, list[str]]]:
    """Base tables that carry a hash column: schema, table, columns."""
    names = ", ".join(f"'{name}'" for name in HASH_COLUMNS)
    rows = ask(
        "select c.table_schema, c.table_name, c.column_name from information_schema.columns as c "
        "join information_schema.tables as t on t.table_schema = c.table_schema and t.table_name = c.table_name "
        "and t.table_catalog = c.table_catalog "
        f"where t.table_type = 'BASE TABLE' and c.table_catalog = current_database() and c.column_name in ({names}) "
        "order by 1, 2, 3"
    )
    found: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in rows:
        found.setdefault((schema, table), []).append(column)
    return [(schema, table, columns) for (schema, table), columns in found.items() if schema != "intake"]


def meant(ask: Ask, hashes: Iterable[str]) -> None:
    """Put the hashes into the temporary table ``forgotten``."""
    ask("drop table if exists forgotten")
    ask("create temp table forgotten (h varchar(64))")
    listed = sorted(hashes)
    for start in range(0, len(listed), BATCH):
        part = listed[start : start + BATCH]
        ask(f"insert into forgotten values {', '.join(['(?)'] * len(part))}", part)


def _hit(columns: Iterable[str]) -> str:
    return " or ".join(f"{quoted(column)} in (select h from forgotten)" for column in columns)


def widened(ask: Ask, hashes: set[str]) -> set[str]:
    """All hashes of the people behind ``hashes``: a person known by e-mail is also known by id and telephone."""
    wide = set(hashes)
    for _ in range(3):
        before = len(wide)
        meant(ask, wide)
        for schema, table, columns in tables(ask):
            if schema in ("raw", "raw_history") and len(columns) > 1:
                shown = ", ".join(map(quoted, columns))
                known = ask(f"select distinct {shown} from {schema}.{quoted(table)} where {_hit(columns)}")
                for row in known:
                    wide.update(value for value in row if value)
        if len(wide) == before:
            break
    return wide


def suppress(ask: Ask, hashes: set[str], brand: str) -> None:
    """Keep the hashes on the suppression list of every brand, so that no later file brings the people back."""
    brands = {name for (name,) in ask("select distinct brand_id from intake.ledger")} | {brand}
    known = {(b, h) for b, h in ask("select brand_id, subject_hash from intake.suppression")}
    fresh = sorted({(b, h) for b in brands for h in hashes} - known)
    for start in range(0, len(fresh), BATCH):
        part = fresh[start : start + BATCH]
        marks = ", ".join(["(?, ?, 'subject', 'forget')"] * len(part))
        ask(f"insert into intake.suppression values {marks}", [value for pair in part for value in pair])


def deleted(ask: Ask) -> int:
    """Delete the rows of those in ``forgotten``, wherever they lie; how many."""
    removed = 0
    for schema, table, columns in tables(ask):
        name, hit = f"{schema}.{quoted(table)}", _hit(columns)
        count = int(ask(f"select count(*) from {name} where {hit}")[0][0])
        if count:
            ask(f"delete from {name} where {hit}")
            removed += count
    return removed


def erase(ask: Ask, hashes: set[str]) -> int:
    """Delete the people's rows everywhere; the ledger counts them as declared from now on."""
    meant(ask, hashes)
    feeds = {table: columns for schema, table, columns in tables(ask) if schema == "raw"}
    for table, columns in feeds.items():
        # a row may lie in several versions of its content: it is one row of the file
        every = " union ".join(
            f"select brand_id, _file_id, _line from {schema}.{quoted(table)} where {_hit(columns)}"
            for schema in ("raw", "raw_history")
        )
        ask(
            "update intake.ledger set rows_loaded = rows_loaded - g.n, rows_declared = rows_declared + g.n "
            f"from (select brand_id, _file_id, count(*) as n from ({every}) as e group by brand_id, _file_id) as g "
            "where ledger.sha256 = g._file_id and ledger.brand_id = g.brand_id "
            f"and ledger.outcome <> 'NOOP' and ledger.rows_loaded >= g.n and ledger.feed = '{table}'"
        )
    return deleted(ask)
