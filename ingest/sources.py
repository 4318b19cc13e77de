"""Relations of text cells: what the engine or the tokenizer sees in a file, before any cell has a type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from ingest import tokens
from ingest.header import Layout, match, resolve
from ingest.outcomes import Refused
from ingest.values import LAX_JSON, literal

if TYPE_CHECKING:
    from ingest.engine import Engine, Task
    from ingest.preflight import Received

MAX_KEYS = 1000


@dataclass
class Source:
    """Rows of cells ``c0``, ``c1``, … (text or null) with ``_rec``; broken rows have ``_err`` and ``_raw``."""

    relation: str
    positions: dict[str, int]  # field (or part of a joined hash) -> cell
    extras: dict[str, int]  # undeclared header -> cell
    shown: dict[str, int]  # header -> cell, for the text of a quarantined row
    layout: Layout
    structural: bool  # the relation has _err and _raw
    line: str  # SQL of the physical line
    whole: str  # SQL of all cells as one list


def inner_error(error: Exception, tally: tokens.Tally) -> Refused:
    """The refusal behind an error that the engine met while it pulled rows."""
    return tally.refusal or Refused("unreadable", str(error).splitlines()[0][:200])


def csv_source(engine: Engine, received: Received, task: Task, careful: bool) -> tuple[Source, tokens.Tally]:
    """Cells of a delimited file, by the engine's reader or (``careful``) record by record."""
    contract, facts = task.contract, received.facts
    layout = resolve(contract, facts.head.decode("utf-8", "replace"), task.contracts)
    tally, width = tokens.Tally(), len(layout.names)
    extras = {layout.names[i] or f"column_{i + 1}": i for i in layout.extras}
    shown = {(name or f"column_{i + 1}"): i for i, name in enumerate(layout.names)}
    whole = "[" + ", ".join(f"c{i}" for i in range(width)) + "]"
    if careful:
        reader = pa.RecordBatchReader.from_batches(
            tokens.csv_schema(width), tokens.csv_batches(received.stream, contract, layout, tally)
        )
        engine.connection.register("cells", reader)
        return Source("cells", layout.positions, extras, shown, layout, True, "_line", whole), tally
    columns = "{" + ", ".join(f"'c{i}': 'VARCHAR'" for i in range(width)) + "}"
    relation = (
        f"(select row_number() over () as _rec, * from read_csv({literal(received.path)}, columns = {columns}, "
        f"auto_detect = false, header = false, skip = {layout.header_line}, delim = {literal(contract.delimiter)}, "
        "quote = '\"', escape = '\"', nullstr = '', strict_mode = true, max_line_size = 2100000, "
        "parallel = true))"
    )
    line = f"_rec + {layout.header_line}"
    return Source(relation, layout.positions, extras, shown, layout, False, line, whole), tally


_VALID = f"json_valid(j) and (not regexp_matches(j, {literal(LAX_JSON)}) or json_reads(j, true))"
_JSON_ROWS = (
    "create or replace temp table json_rows as select _rec, _line, "
    "case when _err is null and not valid then 'malformed_json' else _err end as _err, "
    "coalesce(_raw, case when not valid then left(j, 4000) end) as _raw, case when valid then j end as j from "
)


def _json_table(engine: Engine, batches: Iterator[pa.RecordBatch], tally: tokens.Tally) -> None:
    reader = pa.RecordBatchReader.from_batches(tokens.JSON_SCHEMA, batches)
    engine.connection.register("texts", reader)
    try:
        engine.run(_JSON_ROWS + f"(select *, coalesce({_VALID}, false) as valid from texts)")
    except duckdb.InvalidInputException as error:
        raise inner_error(error, tally) from None
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
    whole = f"coalesce({_VALID} and starts_with(j, chr(123)) and ends_with(j, chr(125)), false)"
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


def json_source(engine: Engine, received: Received, task: Task) -> tuple[Source, tokens.Tally]:
    """Cells of a JSON document: each key of an object, and each key of an object directly inside it."""
    contract, tally, facts, run = task.contract, tokens.Tally(), received.facts, engine.run
    start = facts.head.lstrip()[:1]
    if start == b"<":
        raise Refused("error_page", "markup instead of rows")
    if start not in (b"{", b"["):
        raise Refused("malformed_json", "not a JSON document")
    if contract.format == "ndjson" and start == b"{":
        if not (facts.plain and received.path and _plain_ndjson(engine, received, tally)):
            _json_table(engine, tokens.ndjson_batches(received.stream, tally), tally)
    else:
        _json_table(engine, tokens.array_batches(received.stream, tally), tally)
    paths, nested = _json_paths(engine)
    names = list(paths)
    positions, extras, required, optional = match(contract, names)
    if tally.records and required:
        if not positions:
            raise Refused(
                "error_page" if tally.records == 1 else "unknown_header", "no declared name in any object"
            )
        raise Refused("missing_column", "required: " + ", ".join(required))
    escapes = b"\\u" in facts.head or facts.size > len(facts.head)
    if escapes and run("select count(*) from json_rows where contains(j, '\\u')").first()[0]:
        facts.ascii = False  # escaped, but there
    used_prefixes = {names[i].split(".")[0] for i in positions.values() if names[i] in nested}
    undeclared = [i for i in extras if names[i] not in nested and names[i] not in used_prefixes]
    listed = ", ".join(literal(paths[name]) for name in names) or "'/none'"
    cells = "".join(f", _x[{i + 1}] as c{i}" for i in sorted({*positions.values(), *undeclared}))
    relation = (
        f"(select _rec, _line, _err, _raw, _x{cells} from "
        f"(select _rec, _line, _err, _raw, json_extract_string(j, [{listed}]) as _x from json_rows))"
    )
    extra = {names[i]: i for i in undeclared}
    shown = {name: i for i, name in enumerate(names) if name not in nested}
    layout = Layout(names, positions, undeclared, optional)
    return Source(relation, positions, extra, shown, layout, True, "_line", "_x"), tally


def _json_paths(engine: Engine) -> tuple[dict[str, str], set[str]]:
    """Path of each key (an inner one is named after its outer one, with a point), and which of them are inner."""
    run = engine.run
    keys = run("select distinct unnest(json_keys(j)) as k from json_rows order by k").fetchall()
    if len(keys) > MAX_KEYS:
        raise Refused("too_many_columns", f"more than {MAX_KEYS}")
    paths = {str(key): _pointer(str(key)) for (key,) in keys}
    nested: dict[str, str] = {}
    for (text,) in run("select j from json_rows where j is not null limit 500").fetchall():
        try:
            document = json.loads(text)
        except RecursionError:  # so deep that only the engine reads it; its inner names come from other rows
            continue
        for key, value in document.items():
            if isinstance(value, dict):
                nested.update({f"{key}.{inner}": _pointer(key) + _pointer(inner) for inner in value})
    inner_names = sorted(set(nested) - set(paths))
    return {**paths, **{name: nested[name] for name in inner_names}}, set(inner_names)


def _pointer(key: str) -> str:
    """A step of a JSON pointer (RFC 6901): unlike the engine's paths it can say any key, the empty one included."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
