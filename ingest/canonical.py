"""The canonical query: one pass over all rows, in which most files are understood completely.

A row is taken here only if every cell is the text that its value would be written as (or another form whose value
cannot be mistaken); all other rows keep their cells and go through :mod:`ingest.careful`. So the two queries never
judge the same cell differently: this one has no opinion on what it does not recognise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest import careful
from ingest.contracts import Contract, Field
from ingest.parsed import PENDING
from ingest.pii import SUSPICIOUS
from ingest.schema import quoted
from ingest.slow import TEXT_NULLS
from ingest.values import LAX_JSON, OLDEST, Rules, literal, scale_fits

if TYPE_CHECKING:
    from ingest.engine import Task
    from ingest.sources import Source

_MARKED = r"\$?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]{1,6})?"  # $1,258.54


def query(source: Source, task: Task, rules: Rules) -> str:
    """Typed rows; those with ``_reason`` = 'careful' keep their cells in ``_x`` and wait for the careful query."""
    contract = task.contract
    inner, outer, tests = [], [], []
    for index, item in enumerate(contract.fields.values()):
        value, shape, test = _field(item, contract, careful.cell_text(item, source, task), f"v{index}", rules)
        inner.append(f"{value} as v{index}")
        outer.append(f"{shape} as {quoted(item.name)}")
        tests += test
    if source.structural:
        tests.append("_err is null")
    if contract.format == "csv" and source.layout.header_line:
        index, name = next((i, n) for i, n in enumerate(source.layout.names) if n)
        tests.append(f"c{index} is distinct from {literal(name)}")  # perhaps the header again
    broken = ", case when _ok then null else _err end as _err, case when _ok then null else _raw end as _raw"
    return (
        f"select {', '.join(outer)}, {source.line} as _line, {careful.undeclared(source, {}, contract, rules)} as _extra, "
        f"case when _ok then null else '{PENDING}' end as _reason, cast(null as varchar) as _field, "
        f"cast(null as varchar) as _row, case when _ok then null else {source.whole} end as _x"
        f"{broken if source.structural else ''} "
        f"from (select *, coalesce({' and '.join(tests) or 'true'}, false) as _ok "
        f"from (select *, {', '.join(inner)} from {source.relation}))"
    )


def _field(item: Field, contract: Contract, x: str, v: str, rules: Rules) -> tuple[str, str, list[str]]:
    """SQL of a value over text ``x``, of the column over that value ``v``, and the tests that make it canonical."""
    shape, kind = v, item.type
    tests: list[str]
    if kind == "text":
        value, tests = _text(item, contract, x, v, rules)
    elif kind == "json":
        value, fits = x, f"strlen({x}) <= {rules.width(item)}"
        plain = f"json_valid({x}) and not regexp_matches({x}, {literal(LAX_JSON)})"
        tests = [f"({x} is null or ({plain} and {fits}))"]
    elif kind in ("integer", "decimal") and contract.locale == "eu":
        value, tests = f"try_cast(null as {item.sql_type})", [f"{x} is null"]  # a point means thousands there
    elif (
        kind == "integer"
    ):  # a cast that rounds, skips marks or reads another base does not give the text back
        value, tests = f"try_cast({x} as bigint)", [f"({v}::varchar = {x} or {x} is null)"]
    elif kind == "decimal":
        value = f"try_cast({x} as {item.sql_type})"
        if contract.locale == "us" and contract.currency == "USD":
            plain = f"try_cast(replace(replace({x}, '$', ''), ',', '') as {item.sql_type})"
            value = f"coalesce({value}, case when regexp_full_match({x}, '{_MARKED}') then {plain} end)"
        tests = [f"({x} is null or ({v} is not null and {scale_fits(item, x)}))"]
    elif kind == "date":
        value, tests = _date(item, x, v)
    elif kind == "timestamp" and not item.format:
        value, shape = f"try_cast({x} as timestamptz)", f"timezone('UTC', {v})"
        iso = f"length({x}) >= 19 and {x}[5] = '-' and {x}[8] = '-' and {x}[14] = ':' and {x}[17] = ':'"
        tests = [f"({x} is null or ({v} is not null and {iso}))"]
    elif kind == "boolean":
        value = (
            f"case when {x} in ('true', 'Y', '1') then true when {x} in ('false', 'N', '0') then false end"
        )
        tests = [f"({x} is null or {v} is not null)"]
    else:
        value, tests = f"cast(null as {item.sql_type})", [f"{x} is null"]
    if kind in ("date", "timestamp"):
        last = "timestamp '2199-12-31'" if item.future else f"timestamp '{rules.delivered}' + interval 1 day"
        tests.append(f"({v} is null or {shape} between timestamp '{OLDEST}' and {last})")
    if item.default is not None:
        shape = f"coalesce({shape}, {literal(item.default)})"
    elif item.required:
        tests.append(f"{v} is not null")
    return value, shape, tests


def _date(item: Field, x: str, v: str) -> tuple[str, list[str]]:
    if not item.format:
        return f"try_cast({x} as date)", [f"({v}::varchar = {x} or {x} is null)"]
    form = literal(item.format)
    return f"cast(try_strptime({x}, {form}) as date)", [f"(strftime({v}, {form}) = {x} or {x} is null)"]


def _text(item: Field, contract: Contract, x: str, v: str, rules: Rules) -> tuple[str, list[str]]:
    tests = [f"not contains(coalesce({x}, ''), chr(0))"] if rules.nul else []
    if item.pii:
        return f"keyed_hash({literal(item.pii)}, {x})", tests
    value = f"nullif(trim({x}), '')"
    if item.free_text:
        value = f"nullif({x}, '')"
        tests.append(f"not coalesce(regexp_matches({x}, {literal(SUSPICIOUS)}), false)")
    elif not rules.ascii:
        tests.append(f"({x} is null or strlen({x}) = length({x}))")
    if item.required and not item.free_text:
        words = ", ".join(map(literal, sorted(TEXT_NULLS)))
        value = f"trim({x})"
        tests.append(f"not (length({v}) < 8 and lower({v}) in ({words}))")
    if item.whole_number:
        tests.append(f"not coalesce(ends_with({x}, '.0'), false)")
    if item.role == "currency":
        tests.append(f"({v} is null or upper({v}) = {literal(contract.currency)})")
    tests.append(f"({v} is null or strlen({v}) <= {rules.width(item)})")
    return value, tests
