"""From decoded text to typed Parquet: good rows typed, bad rows with field, reason and line.

The rows of a file are read once and written once. What is accepted is decided here, for both warehouses, so the
same rows are loaded by construction.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ingest import checks, tokens
from ingest.contracts import Contract
from ingest.header import Layout, match, resolve
from ingest.outcomes import Refused
from ingest.pii import Hasher, mask_text, normal_text
from ingest.preflight import Received
from ingest.rows import runner
from ingest.schema import quoted
from ingest.slow import slow_value, why
from ingest.values import Rules, expression, literal

FOOTERS = {
    "standard": r"^\s*(grand |sub-?)?totals?\b|^\s*report (time|fields|run|generated|date)|^\s*date range\s*:"
    r"|^\s*generated (on|at|by)\b|^\s*rows? (count|total)|^\s*filter by"
}


_NUMBERS = itertools.count()
_PERSONAL = re.compile(
    r"mail|phone|first_?name|last_?name|address|subscriber_key|latitude|longitude|birth|^ip$", re.IGNORECASE
)


@dataclass
class Parsed:
    """One parsed file. ``rows`` is Parquet: the declared columns, ``_line``, ``_extra``, ``_reason``, ``_field``, ``_row``.

    Rows with a ``_reason`` are quarantined; the others are good. Money is in the feed's currency.
    """

    feed: str
    rows: str
    rows_file: int = 0
    rows_good: int = 0
    rows_bad: int = 0
    rows_declared: int = 0
    money_good: str = "0"
    money_bad: str = "0"
    first_date: str | None = None
    last_date: str | None = None
    warnings: list[tuple[str, str, int]] = field(default_factory=list)
    partitions: list[tuple[str, int]] = field(default_factory=list)
    suppressed: int = 0


@dataclass(frozen=True)
class Task:
    """What the parser needs to know about a delivery besides its bytes."""

    contract: Contract
    contracts: Mapping[str, Contract]
    delivered: str
    window: tuple[str, str] | None
    folder: Path
    hasher: Hasher
    suppressed: frozenset[str] = frozenset()
    stem: str = ""  # the file's name without endings and stamps


class Engine:
    """One in-memory DuckDB of the parser process, with the Python functions that the expressions call."""

    def __init__(self, hasher: Hasher, folder: Path, memory_limit: str = "512MB", threads: int = 1) -> None:
        self.connection = duckdb.connect(
            config={"threads": threads, "memory_limit": memory_limit, "temp_directory": str(folder / "spill")}
        )
        self.run = runner(self.connection)
        add = self.connection.create_function

        def keyed_hash(kinds: Any, texts: Any) -> Any:
            kind = kinds[0].as_py() if len(kinds) else "id"
            return pa.array([hasher(kind, text) for text in texts.to_pylist()], type=pa.string())

        add(
            "keyed_hash", keyed_hash, ["VARCHAR", "VARCHAR"], "VARCHAR", type="arrow", null_handling="special"
        )
        add("mask_text", mask_text, ["VARCHAR"], "VARCHAR")
        add("slow_value", slow_value, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling="special")
        add("why", why, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling="special")
        add("normal_text", normal_text, ["VARCHAR"], "VARCHAR")
        self.connection.execute("set timezone = 'UTC'")
        self.connection.execute("set preserve_insertion_order = true")


@dataclass
class Source:
    """Where the text cells come from: a relation, the SQL of each field's cell, and what remains undeclared."""

    relation: str
    cells: dict[str, str]
    extras: dict[str, str]
    shown: dict[str, str]  # header -> SQL of its cell, for the quarantined row's text
    layout: Layout
    structural: bool  # the relation has _err and _raw
    line: str


def _csv_source(engine: Engine, received: Received, task: Task, careful: bool) -> tuple[Source, tokens.Tally]:
    contract, facts = task.contract, received.facts
    head = facts.head.decode("utf-8", "replace")
    layout = resolve(contract, head, task.contracts)
    tally, width = tokens.Tally(), len(layout.names)
    cells = {name: f"c{index}" for name, index in layout.positions.items()}
    extras = {layout.names[i] or f"column_{i + 1}": f"c{i}" for i in layout.extras}
    shown = {(name or f"column_{i + 1}"): f"c{i}" for i, name in enumerate(layout.names)}
    if careful:
        reader = pa.RecordBatchReader.from_batches(
            tokens.csv_schema(width), tokens.csv_batches(received.stream, contract, layout, tally)
        )
        engine.connection.register("cells", reader)
        return Source("cells", cells, extras, shown, layout, True, "_line"), tally
    columns = "{" + ", ".join(f"'c{i}': 'VARCHAR'" for i in range(width)) + "}"
    relation = (
        f"(select row_number() over () as _rec, * from read_csv({literal(received.path)}, columns = {columns}, "
        f"auto_detect = false, header = false, skip = {layout.header_line}, delim = {literal(contract.delimiter)}, "
        "quote = '\"', escape = '\"', nullstr = '', strict_mode = true, max_line_size = 2100000, "
        "parallel = true))"
    )
    return Source(relation, cells, extras, shown, layout, False, f"_rec + {layout.header_line}"), tally


_JSON_ROWS = (
    "create or replace temp table json_rows as select _rec, _line, "
    "case when _err is null and not valid then 'malformed_json' else _err end as _err, "
    "coalesce(_raw, case when not valid then left(j, 4000) end) as _raw, case when valid then j end as j from "
)


def _json_table(engine: Engine, batches: Iterator[pa.RecordBatch], tally: tokens.Tally) -> None:
    reader = pa.RecordBatchReader.from_batches(tokens.JSON_SCHEMA, batches)
    engine.connection.register("texts", reader)
    try:
        engine.run(_JSON_ROWS + "(select *, coalesce(json_valid(j), false) as valid from texts)")
    except duckdb.InvalidInputException as error:
        raise _inner(error, tally) from None
    finally:
        engine.connection.unregister("texts")


def _plain_ndjson(engine: Engine, received: Received, tally: tokens.Tally) -> bool:
    """One object a line, nothing odd among the bytes: the engine splits the lines itself. False: it could not."""
    facts = received.facts
    lines = (
        f"read_csv({literal(received.path)}, columns = {{'j': 'VARCHAR'}}, delim = '\x1f', quote = '', escape = '', "
        "header = false, auto_detect = false, nullstr = '', max_line_size = 2100000, strict_mode = false)"
    )
    cut = "false" if facts.ends_with_newline else f"_line = {facts.lines} and not ends_with(j, chr(125))"
    whole = "coalesce(json_valid(j) and starts_with(j, chr(123)) and ends_with(j, chr(125)), false)"
    try:
        engine.run(
            _JSON_ROWS + f"(select _rec, _rec as _line, case when {cut} then 'truncated_row' end as _err, "
            f"cast(null as varchar) as _raw, trim(j) as j, {whole} as valid "
            f"from (select row_number() over () as _rec, row_number() over () as _line, j from {lines}))"
        )
    except duckdb.InvalidInputException:
        return False
    found = engine.run(
        "select count(*), count(*) filter (where _err = 'truncated_row') from json_rows"
    ).first()
    tally.records = tally.lines = found[0]
    tally.truncated = found[1] > 0
    return bool(tally.records == facts.lines)


def _json_source(engine: Engine, received: Received, task: Task) -> tuple[Source, tokens.Tally]:
    contract, tally = task.contract, tokens.Tally()
    start = received.facts.head.lstrip()[:1]
    if start == b"<":
        raise Refused("error_page", "markup instead of rows")
    if start not in (b"{", b"["):
        raise Refused("malformed_json", "not a JSON document")
    facts = received.facts
    if contract.format == "ndjson" and start == b"{":
        if not (facts.plain and received.path and _plain_ndjson(engine, received, tally)):
            _json_table(engine, tokens.ndjson_batches(received.stream, tally), tally)
    else:
        _json_table(engine, tokens.array_batches(received.stream, tally), tally)
    run = engine.run
    keys = [
        str(k)
        for (k,) in run("select distinct unnest(json_keys(j)) as k from json_rows order by k").fetchall()
    ]
    if len(keys) > 1000:
        raise Refused("too_many_columns", "more than 1000")
    paths = {key: '$."' + key.replace('"', '\\"') + '"' for key in keys}
    nested: dict[str, str] = {}
    sample = [
        json.loads(j) for (j,) in run("select j from json_rows where j is not null limit 500").fetchall()
    ]
    for row in sample:
        for key, value in row.items():
            if isinstance(value, dict):
                nested.update(
                    {f"{key}.{inner}": f'$."{key}"."{inner}"' for inner in value if '"' not in inner}
                )
    names = keys + sorted(nested)
    positions, extras, required, optional = match(contract, names)
    if tally.records and required:
        if sum(1 for f in positions) == 0:
            raise Refused(
                "error_page" if tally.records == 1 else "unknown_header", "no declared name in any object"
            )
        raise Refused("missing_column", "required: " + ", ".join(required))
    if run("select count(*) from json_rows where contains(j, '\\u')").fetchall()[0][0]:
        facts.ascii = False  # escaped, but there
    used_prefixes = {names[i].split(".")[0] for i in positions.values() if names[i] in nested}
    undeclared = [i for i in extras if names[i] not in nested and names[i] not in used_prefixes]
    layout = Layout(names, positions, undeclared, optional)
    all_paths = [paths.get(name) or nested[name] for name in names]
    listed = ", ".join(literal(path) for path in all_paths) or "'$.none'"
    relation = f"(select _rec, _line, _err, _raw, j, json_extract_string(j, [{listed}]) as _x from json_rows)"
    cells = {name: f"_x[{index + 1}]" for name, index in positions.items()}
    extra = {names[i]: f"_x[{i + 1}]" for i in undeclared}
    shown = {name: f"_x[{i + 1}]" for i, name in enumerate(names) if name not in nested}
    return Source(relation, cells, extra, shown, layout, True, "_line"), tally


def _object(pairs: Mapping[str, str]) -> str:
    inner = ", ".join(f"{literal(name)}, {expr}" for name, expr in pairs.items())
    return f"json_object({inner})"


def _query(source: Source, task: Task, received: Received) -> str:
    """The one query that types every row and gives each bad one its first reason."""
    contract, facts = task.contract, received.facts
    rules = Rules(
        delivered=task.delivered,
        ascii=facts.ascii,
        nul=facts.nul > 0 or contract.format != "csv",
        long_text=facts.longest_gap > 65_535,
    )
    text: list[str] = []  # x_<field>: the cell's text
    originals: dict[str, str] = {}
    for item in contract.fields.values():
        if item.role == "file_stem":
            cell = literal(task.stem)
        elif item.parts:
            found = [source.cells[part] for part in item.parts if part in source.cells]
            cell = f"nullif(concat_ws(' ', {', '.join(found)}), '')" if found else "cast(null as varchar)"
        else:
            cell = source.cells.get(item.name, "cast(null as varchar)")
        if (
            not rules.ascii
            and not item.free_text
            and not item.pii
            and item.type != "json"
            and item.name in source.cells
        ):
            odd = f"regexp_matches({cell}, '[^\\x00-\\x7F]')"
            normal = f"case when {odd} then normal_text({cell}) else {cell} end"
            originals[item.name] = f"case when {odd} and normal_text({cell}) <> {cell} then {cell} end"
            cell = normal
        text.append(f"{cell} as x_{item.name}")
    values, reasons, names = [], [], []
    for item in contract.fields.values():
        value, reason = expression(item, contract, f"x_{item.name}", f"v_{item.name}", rules)
        values.append(f"{value} as v_{item.name}")
        if reason:
            reasons.append(f"{reason} as r_{item.name}")
            names.append(item.name)
    shown = list(source.shown.items())
    special = "when _err is not null then -1 " if source.structural else ""
    if contract.format == "csv" and contract.has_header and source.layout.header_line:
        same = [f"{expr} is not distinct from {literal(name)}" for name, expr in shown if name]
        special += f"when {' and '.join(same)} then -2 "
    numbered = " ".join(f"when r_{name} is not null then {index}" for index, name in enumerate(names, 1))
    first_bad = f"case {special}{numbered} else 0 end"
    refused = ", ".join(f"r_{name}" for name in names)
    reason = (
        f"case when _bad = 0 then null when _bad = -2 then 'repeat_header' {_declared_rows(contract, source, shown)} "
        + ("when _bad = -1 then _err " if source.structural else "")
        + f"else coalesce({refused}) end"
    )
    field_name = "case " + " ".join(f"when _bad = {i} then '{n}'" for i, n in enumerate(names, 1)) + " end"
    columns = ", ".join(f"v_{n} as {quoted(n)}" for n in contract.fields)
    row = _row_text(contract, source, shown)
    extra = _extra(source, originals, contract)
    carry = ", ".join(
        dict.fromkeys(["_rec", *(["_err", "_raw", "_line"] if source.structural else []), *_inputs(source)])
    )
    return (
        f"select {columns}, {source.line} as _line, {extra} as _extra, {reason} as _reason, "
        f"case when _bad > 0 then {field_name} end as _field, case when _bad <> 0 then {row} end as _row "
        f"from (select *, {first_bad} as _bad from (select *, {', '.join(reasons)} from (select *, {', '.join(values)} "
        f"from (select {carry}, {', '.join(text)} from {source.relation}))))"
    )


def _inputs(source: Source) -> list[str]:
    """Base columns that later steps of the query refer to."""
    return ["_x"] if source.relation.endswith("json_rows)") else list(source.shown.values())


def _declared_rows(contract: Contract, source: Source, shown: list[tuple[str, str]]) -> str:
    """Conditions under which a row that fails its types is no data row at all: blank, or a footer."""
    if contract.format != "csv":
        return ""
    blank = " and ".join(f"nullif(trim({expr}), '') is null" for _, expr in shown)
    whole = "_err is null and " if source.structural else ""
    out = f"when {whole}{blank} then 'blank_row' "
    if contract.footer_rule:
        cells = [expr for _, expr in shown]
        first = f"coalesce({', '.join(cells)})" if len(cells) > 1 else cells[0]
        if source.structural:
            first = f"coalesce({first}, _raw)"
        pattern = literal(FOOTERS[contract.footer_rule])
        out += f"when regexp_matches(lower({first}), {pattern}) then 'footer' "
        event = contract.event_date
        others = [f"x_{k}" for k in contract.key if k != event]
        if event and len(others) >= 2:
            empty = " and ".join(f"nullif(trim({x}), '') is null" for x in [f"x_{event}", *others])
            out += f"when {whole}{empty} then 'footer' "
    return out


def _row_text(contract: Contract, source: Source, shown: list[tuple[str, str]]) -> str:
    """Text of a refused row for the engineer, without personal data."""
    hidden: set[str] = set()
    for item in contract.fields.values():
        if item.pii:
            hidden.update(source.cells[p] for p in (item.parts or (item.name,)) if p in source.cells)
    pairs = {
        name: (f"case when {e} is null then null else '[pii]' end" if e in hidden else e) for name, e in shown
    }
    row = f"left(mask_text(cast({_object(pairs)} as varchar)), 4000)"
    if not source.structural:
        return row
    broken = "'[redacted]'" if contract.has_pii else "left(mask_text(_raw), 4000)"
    return f"case when _raw is not null or _err is not null then {broken} else {row} end"


def _extra(source: Source, originals: Mapping[str, str], contract: Contract) -> str:
    if not source.extras and not originals:
        return "cast(null as varchar)"
    pairs = {n: f"mask_text({e})" for n, e in source.extras.items()}
    if contract.has_pii:  # nobody declared what these columns hold; in a feed about people they are not kept
        pairs = {
            n: f"case when {e} is null then null else '[pii]' end"
            for n, e in source.extras.items()
            if not contract.open_columns or _PERSONAL.search(n)
        } | (
            {n: f"mask_text({e})" for n, e in source.extras.items() if not _PERSONAL.search(n)}
            if contract.open_columns
            else {}
        )
    before = {f"{name} (as delivered)": f"mask_text({expr})" for name, expr in originals.items()}
    if not before:
        return f"cast({_object(pairs)} as varchar)"
    kept = (
        f"cast(json_merge_patch({_object(pairs)}, {_object(before)}) as varchar)"  # a merge drops the nulls
    )
    if source.extras:
        return kept
    some = " or ".join(f"({expr}) is not null" for expr in originals.values())
    return f"case when {some} then {kept} end"


def parse(engine: Engine, received: Received, task: Task) -> Parsed:
    """Type every row of one received file and write ``rows`` Parquet.

    Raises:
        Refused: the file as a whole cannot be trusted.
    """
    plain = received.facts.plain and bool(received.path) and task.contract.format == "csv"
    if plain:
        parsed = _attempt(engine, received, task, careful=False)
        if parsed is not None:
            return parsed
    made = _attempt(engine, received, task, careful=True)
    if made is None:
        raise Refused("unreadable", "the careful reader gave up")
    return made


def _attempt(engine: Engine, received: Received, task: Task, careful: bool) -> Parsed | None:
    contract, run = task.contract, engine.run
    out = task.folder / f"{os.getpid()}_{next(_NUMBERS)}_{contract.feed}.parquet"
    if contract.format == "csv":
        source, tally = _csv_source(engine, received, task, careful)
    else:
        source, tally = _json_source(engine, received, task)
    run(f"set timezone = {literal(contract.timezone)}")
    sql = _query(source, task, received)
    target = literal(str(out))
    try:
        run(f"copy ({sql}) to {target} (format parquet, compression lz4_raw, row_group_size 122880)")
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        if not careful:
            return None  # a line that the engine's reader will not take: read it the careful way
        raise _inner(error, tally) from None
    finally:
        if careful and contract.format == "csv":
            engine.connection.unregister("cells")
        run("set timezone = 'UTC'")
    try:
        return _judged(engine, received, task, source, tally, str(out), careful)
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _judged(
    engine: Engine,
    received: Received,
    task: Task,
    source: Source,
    tally: tokens.Tally,
    out: str,
    careful: bool,
) -> Parsed | None:
    """The counts and the judgement over the written rows; None when the fast reader lost a line."""
    contract, facts, run = task.contract, received.facts, engine.run
    parsed = Parsed(contract.feed, out)
    checks.measure(run, parsed, task)
    parsed.rows_declared += tally.footer
    parsed.rows_file = parsed.rows_good + parsed.rows_bad + parsed.rows_declared
    if contract.format == "csv":
        header = 1 if source.layout.header_line else 0
        if not careful:
            if facts.lines != parsed.rows_file + header:
                os.unlink(out)
                return None
        elif tally.records != parsed.rows_file or not _lines_agree(facts, tally):
            raise Refused("count_mismatch", f"{facts.lines} lines seen, {tally.lines} accounted for")
    elif tally.records != parsed.rows_file:
        raise Refused("count_mismatch", f"{tally.records} objects seen, {parsed.rows_file} accounted for")
    checks.judge(run, parsed, task, source.layout, tally, facts)
    return parsed


def _lines_agree(facts: Any, tally: tokens.Tally) -> bool:
    lone = facts.carriage_returns - facts.crlf
    return bool(lone) or facts.lines == tally.lines


def _inner(error: Exception, tally: tokens.Tally) -> Refused:
    """The refusal behind an error that the engine met while it pulled rows."""
    return tally.refusal or Refused("unreadable", str(error).splitlines()[0][:200])
