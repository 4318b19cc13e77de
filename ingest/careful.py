"""The careful query: the value of every cell it is given, and for each bad row its first reason.

It runs over the rows that :mod:`ingest.canonical` did not understand, which in a good file are few or none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingest.contracts import Contract, Field
from ingest.schema import quoted
from ingest.values import LONGEST_TEXT, Rules, expression, literal, masked

if TYPE_CHECKING:
    from ingest.engine import Task
    from ingest.sources import Source

_NOTHING = "cast(null as varchar)"
FOOTERS = {
    "standard": r"^\s*(grand |sub-?)?totals?\b|^\s*report (time|fields|run|generated|date)|^\s*date range\s*:"
    r"|^\s*generated (on|at|by)\b|^\s*rows? (count|total)|^\s*filter by"
}
_PERSONAL = re.compile(
    r"mail|phone|first_?name|last_?name|address|subscriber_key|latitude|longitude|birth|^ip$", re.IGNORECASE
)


def cell_text(item: Field, source: Source, task: Task) -> str:
    """SQL of the text of one field."""
    if item.role == "file_stem":
        return literal(task.stem)
    if item.parts:
        found = [f"c{source.positions[part]}" for part in item.parts if part in source.positions]
        return f"nullif(concat_ws(' ', {', '.join(found)}), '')" if found else "cast(null as varchar)"
    return f"c{source.positions[item.name]}" if item.name in source.positions else "cast(null as varchar)"


def query(source: Source, task: Task, rules: Rules, rows: str) -> str:
    """The query that types every row of ``rows`` (cells in ``_x``) and gives each bad one its first reason."""
    contract = task.contract
    text: list[str] = []  # x_<field>: the cell's text
    originals: dict[str, str] = {}
    for item in contract.fields.values():
        cell = cell_text(item, source, task)
        if not rules.ascii and normalised(item) and item.name in source.positions:
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
    shown = [(name, f"c{index}") for name, index in source.shown.items()]
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
    cells = ", ".join(f"_x[{index + 1}] as c{index}" for index in range(len(source.layout.names)))
    return (
        f"select {columns}, _line, {undeclared(source, originals, contract, rules)} as _extra, {reason} as _reason, "
        f"case when _bad > 0 then {field_name} end as _field, case when _bad <> 0 then {row} end as _row "
        f"from (select *, {first_bad} as _bad from (select *, {', '.join(reasons)} from (select *, {', '.join(values)} "
        f"from (select *, {', '.join(text)} from (select *{', ' + cells if cells else ''} from {rows})))))"
    )


def normalised(item: Field) -> bool:
    """Whether full-width and invisible characters of a field are normalised (free text keeps what it says)."""
    return not item.free_text and not item.pii and item.type != "json"


def _object(pairs: Mapping[str, str]) -> str:
    inner = ", ".join(f"{literal(name)}, {expr}" for name, expr in pairs.items())
    return f"json_object({inner})"


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
            parts = item.parts or (item.name,)
            hidden.update(f"c{source.positions[part]}" for part in parts if part in source.positions)
    pairs = {
        name: (f"case when {e} is null then null else '[pii]' end" if e in hidden else e) for name, e in shown
    }
    row = f"left(mask_text(cast({_object(pairs)} as varchar)), 4000)"
    if not source.structural:
        return row
    broken = "'[redacted]'" if contract.has_pii else "left(mask_text(_raw), 4000)"
    return f"case when _raw is not null or _err is not null then {broken} else {row} end"


def undeclared(source: Source, originals: Mapping[str, str], contract: Contract, rules: Rules) -> str:
    """SQL of the JSON of undeclared columns; what no column takes is not kept, and the row says so."""
    kept = _undeclared(source, originals, contract)
    if not rules.long_rows or kept == _NOTHING:
        return kept
    fits = f"coalesce(strlen({kept}) <= {LONGEST_TEXT}, true)"
    return f'case when {fits} then {kept} else \'{{"_extra": "too long to be kept"}}\' end'


def _undeclared(source: Source, originals: Mapping[str, str], contract: Contract) -> str:
    """In a feed about people nobody declared what undeclared columns hold: they are not kept."""
    if not source.extras and not originals:
        return _NOTHING
    pairs = {}
    for name, index in source.extras.items():
        if contract.has_pii and (not contract.open_columns or _PERSONAL.search(name)):
            pairs[name] = f"case when c{index} is null then null else '[pii]' end"
        else:
            pairs[name] = masked(f"c{index}")
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
