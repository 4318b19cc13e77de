"""From decoded text to typed Parquet: good rows typed, bad rows with field, reason and line.

The rows of a file are read once and written once; rows that the canonical query does not understand are kept with
their cells and read once more by the careful one. What is accepted is decided here, for both warehouses, so the same
rows are loaded by construction.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import duckdb

from ingest import canonical, careful, checks, tokens
from ingest.contracts import Contract
from ingest.engine import Engine, Task
from ingest.outcomes import Refused
from ingest.parsed import PENDING, Parsed
from ingest.preflight import Received
from ingest.sources import Source, csv_source, inner_error, json_source
from ingest.values import Rules, literal
from sql.catalog import raw_columns

_NUMBERS = itertools.count()
_FORM = "format parquet, parquet_version v2, compression lz4_raw, row_group_size 122880, return_stats"


LONG_ROW = (
    10_000  # bytes of a file whose undeclared cells cannot outgrow their column, however they are escaped
)


def _widths(contract: Contract) -> dict[str, int]:
    """Bytes that each text column takes on Redshift; what does not fit is refused row by row on both warehouses."""
    return {c.name: int(c.type[8:-1]) for c in raw_columns(contract) if c.type.startswith("varchar")}


def parse(engine: Engine, received: Received, task: Task) -> Parsed:
    """Type every row of one received file and write the rows of :class:`Parsed`.

    Raises:
        Refused: the file as a whole cannot be trusted.
    """
    plain = received.facts.plain and bool(received.path) and task.contract.format == "csv"
    if plain:
        parsed = _attempt(engine, received, task, by_record=False)
        if parsed is not None:
            return parsed
    made = _attempt(engine, received, task, by_record=True)
    if made is None:
        raise Refused("unreadable", "the careful reader gave up")
    return made


def _attempt(engine: Engine, received: Received, task: Task, by_record: bool) -> Parsed | None:
    contract = task.contract
    stem = str(task.folder / f"{os.getpid()}_{next(_NUMBERS)}_{contract.feed}")
    if contract.format == "csv":
        source, tally = csv_source(engine, received, task, by_record)
    else:
        source, tally = json_source(engine, received, task)
    parsed = Parsed(contract.feed, stem + ".parquet")
    engine.zone(contract.timezone)
    try:
        _type(engine, received, task, source, parsed)
        return _judged(engine, received, task, source, tally, parsed, by_record)
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        parsed.remove()
        if not by_record:
            return None  # a line that the engine's reader will not take: read record by record
        raise inner_error(error, tally) from None
    except BaseException:
        parsed.remove()
        raise
    finally:
        if by_record and contract.format == "csv":
            engine.connection.unregister("cells")


def _type(engine: Engine, received: Received, task: Task, source: Source, parsed: Parsed) -> None:
    """Write the rows: first all that are canonical, then what the careful query says of the others."""
    facts = received.facts
    rules = Rules(
        delivered=task.delivered,
        ascii=facts.ascii,
        nul=facts.nul > 0 or (task.contract.format != "csv" and not facts.ascii),
        widths=_widths(task.contract),
        long_rows=facts.size > LONG_ROW,
    )
    done = engine.run(f"copy ({canonical.query(source, task, rules)}) to {literal(parsed.rows)} ({_FORM})")
    written = dict(zip(done.names, done.first(), strict=True))
    reasons = (written["column_statistics"] or {}).get('"_reason"', {})
    if int(reasons.get("null_count", 0)) == written["count"]:
        return
    waiting = f"(select * from read_parquet({literal(parsed.rows)}) where _reason = '{PENDING}')"
    parsed.careful_rows = parsed.rows.removesuffix(".parquet") + "_careful.parquet"
    sql = careful.query(source, task, rules, waiting)
    engine.run(f"copy ({sql}) to {literal(parsed.careful_rows)} ({_FORM})")


def _judged(
    engine: Engine,
    received: Received,
    task: Task,
    source: Source,
    tally: tokens.Tally,
    parsed: Parsed,
    by_record: bool,
) -> Parsed | None:
    """The counts and the judgement over the written rows; None when the engine's reader lost a line."""
    contract, facts = task.contract, received.facts
    checks.measure(engine, parsed, task)
    parsed.rows_declared += tally.footer + facts.footer_lines
    parsed.rows_file = parsed.rows_good + parsed.rows_bad + parsed.rows_declared
    if contract.format == "csv":
        header = 1 if source.layout.header_line else 0
        if not by_record:
            if facts.lines + facts.footer_lines != parsed.rows_file + header:
                parsed.remove()
                return None
        elif tally.records + facts.footer_lines != parsed.rows_file or not _lines_agree(facts, tally):
            raise Refused("count_mismatch", f"{facts.lines} lines seen, {tally.lines} accounted for")
    elif tally.records != parsed.rows_file:
        raise Refused("count_mismatch", f"{tally.records} objects seen, {parsed.rows_file} accounted for")
    checks.judge(engine, parsed, task, source.layout, tally, facts)
    return parsed


def _lines_agree(facts: Any, tally: tokens.Tally) -> bool:
    lone = facts.carriage_returns - facts.crlf
    return bool(lone) or facts.lines == tally.lines
