"""Which column of a file is which: by name through the contract's aliases, never by position.

Headerless feeds are the exception that their contract declares; there the declared order is the layout.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingest.contracts import Contract, normal_header
from ingest.outcomes import Refused

MAX_COLUMNS = 1000
FIRST_LINES = 1000  # the header must be one of them
_DELIMITERS = (",", ";", "\t", "|")
_DATA_CELL = re.compile(r"^\s*[-+($]?\s*\d[\d.,/:\-T Z%)]*\s*$")


@dataclass
class Layout:
    """Where each declared source column sits, and what else the file carries."""

    names: list[str]  # the file's headers, cleaned for display
    positions: dict[str, int]  # contract source name -> column index
    extras: list[int] = field(default_factory=list)
    missing_optional: list[str] = field(default_factory=list)
    header_line: int = 0  # physical line of the header; 0 without one


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=False), [])
    except csv.Error:
        return line.split(delimiter)


def sources_of(contract: Contract) -> dict[str, list[str]]:
    """Source names of each field, best first; a joined hash has one entry per part."""
    result: dict[str, list[str]] = {}
    for item in contract.fields.values():
        if item.parts:
            for part in item.parts:
                result[part] = [part]
        elif item.role != "file_stem":
            result[item.name] = list(item.sources)
    return result


def match(contract: Contract, names: Sequence[str]) -> tuple[dict[str, int], list[int], list[str], list[str]]:
    """Positions by field, undeclared columns, and missing required and optional fields."""
    at: dict[str, int] = {}
    for index, name in enumerate(names):
        at.setdefault(normal_header(name), index)
    positions: dict[str, int] = {}
    for label, sources in sources_of(contract).items():
        for source in sources:
            if normal_header(source) in at:
                positions[label] = at[normal_header(source)]
                break
    used = set(positions.values())
    extras = [i for i in range(len(names)) if i not in used]
    required: list[str] = []
    optional: list[str] = []
    for item in contract.fields.values():
        absent = [p for p in (item.parts or (item.name,)) if p not in positions]
        if item.role != "file_stem" and len(absent) == len(item.parts or (item.name,)):
            (required if item.required and item.default is None else optional).append(item.name)
    return positions, extras, required, optional


def better_feed(contract: Contract, names: Sequence[str], contracts: Mapping[str, Contract]) -> str:
    """Another feed whose contract explains every column of this header, when this one's does not."""
    for other in contracts.values():
        if other.feed == contract.feed or not other.has_header or other.open_columns:
            continue
        _, extras, required, _ = match(other, names)
        if not extras and not required:
            return other.feed
    return ""


def _diagnose(
    contract: Contract,
    lines: Sequence[str],
    start: int,
    missing: list[str],
    contracts: Mapping[str, Contract],
) -> Refused:
    names = _split(lines[start], contract.delimiter)
    for delimiter in _DELIMITERS:
        if delimiter != contract.delimiter:
            _, _, required, _ = match(contract, _split(lines[start], delimiter))
            if not required:
                return Refused("wrong_delimiter", f"columns are separated by {delimiter!r}")
    for index, line in enumerate(lines[start + 1 : start + 30], start + 1):
        if not match(contract, _split(line, contract.delimiter))[2]:
            return Refused("preamble", f"{index - start} lines stand before the header")
    positions = match(contract, names)[0]
    other = better_feed(contract, names, contracts)
    if other:
        return Refused("wrong_feed", f"the columns are those of {other}")
    data_cells = sum(bool(_DATA_CELL.match(name)) for name in names)
    if not positions and data_cells:
        return Refused("missing_header", "the first line holds values, not names")
    if not positions:
        return Refused("unknown_header", "no declared column name in the first line")
    return Refused("missing_column", "required: " + ", ".join(missing))


def resolve(
    contract: Contract, head: str, contracts: Mapping[str, Contract], line_end: str | None = None
) -> Layout:
    """Match the header of a delimited file with its contract.

    Args:
        contract: of the folder the file lies in.
        head: first text of the file, with the whole header line in it.
        contracts: all contracts, to name the feed that a stray file belongs to.

    Raises:
        Refused: error page, wrong delimiter, preamble, wrong feed, no header, duplicate or missing columns.
    """
    start_text = head.lstrip("\ufeff \t\r\n")
    if start_text[:1] == "<":
        raise Refused("error_page", "markup instead of rows")
    if start_text[:1] in "{[" and re.match(r'^[\[{]\s*["{\[\]}]', start_text):
        raise Refused("error_page", "JSON instead of rows")
    if not contract.has_header:
        return _headerless(contract, head)
    lines = re.split(r"\r\n|\n|\r", head, maxsplit=FIRST_LINES)
    first = contract.skip_lines
    while first < len(lines) and not lines[first].strip():
        first += 1
    if first >= len(lines):
        raise Refused("empty_file", "only blank lines")
    if lines[first].count(contract.delimiter) >= MAX_COLUMNS:
        raise Refused("too_many_columns", f"more than {MAX_COLUMNS}")
    names = [name.strip().strip("\ufeff") for name in _split(lines[first], contract.delimiter)]
    if len(names) > MAX_COLUMNS:
        raise Refused("too_many_columns", f"more than {MAX_COLUMNS}")
    positions, extras, required, optional = match(contract, names)
    if required:
        raise _diagnose(contract, lines, first, required, contracts)
    if contract.open_columns:
        _open_header(contract, names, positions)
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        normal = normal_header(name)
        if normal and normal in seen:
            raise Refused("duplicate_header", "a column name stands twice in the header")
        seen[normal] = index
    named_extras = [i for i in extras if normal_header(names[i])]
    if named_extras and not contract.open_columns:
        other = better_feed(contract, names, contracts)
        if other:
            raise Refused("wrong_feed", f"the columns are those of {other}")
    return Layout(names, positions, extras, optional, first + 1)


def _open_header(contract: Contract, names: list[str], positions: dict[str, int]) -> None:
    """An open contract requires no column, so its header must at least look like one and know some words."""
    if sum(bool(_DATA_CELL.match(name)) for name in names) > len(names) / 3:
        raise Refused("missing_header", "the first line holds values, not names")
    if len(names) == 1 and any(mark in names[0] for mark in _DELIMITERS):
        raise Refused("wrong_delimiter", "one column whose name holds a separator")
    if not positions:
        raise Refused("unknown_header", "no declared column name in the first line")


def _headerless(contract: Contract, head: str) -> Layout:
    line = re.split(r"\r\n|\n|\r", head.lstrip("\r\n"), maxsplit=1)[0]
    names = contract.source_names
    cells = _split(line, contract.delimiter)
    if len(cells) > MAX_COLUMNS:
        raise Refused("too_many_columns", f"more than {MAX_COLUMNS}")
    if len(cells) != len(names):
        for delimiter in _DELIMITERS:
            if delimiter != contract.delimiter and len(_split(line, delimiter)) == len(names):
                raise Refused("wrong_delimiter", f"columns are separated by {delimiter!r}")
        raise Refused("column_count", f"{len(cells)} columns instead of {len(names)}")
    positions = dict(zip(sources_of(contract), range(len(names)), strict=True))
    if not match(contract, cells)[2]:
        return Layout([c.strip() for c in cells], *match(contract, cells)[:2], [], 1)
    return Layout(names, positions)
