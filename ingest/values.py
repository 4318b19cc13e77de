"""SQL that turns a cell's text into a value of the declared type, or says why it cannot.

The engine's own casts are not enough: '5.5' becomes the integer 6, '1_000' and '0x1F' are accepted as numbers,
'2026/01/05' and 'epoch' as dates. So each type has a guarded fast expression for canonical text, and everything
else goes to the careful functions of :mod:`ingest.slow`, called only where the fast expression gave null.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ingest.contracts import Contract, Field
from ingest.pii import SUSPICIOUS
from ingest.slow import TEXT_NULLS

OLDEST = "1990-01-01"
LONGEST_TEXT = 65_535  # a longer text does not fit a VARCHAR of Redshift
# Marks of a JSON text that the engine takes and a strict reader may not: a comma before a closing bracket, bare NaN or inf.
LAX_JSON = r",\s*[\]}]|(^|[:,\[])\s*-?(?i:nan|inf)"
# Reasons that say that a column changed its type; too many of them refuse the whole file.
TYPE_REASONS = frozenset({"bad_number", "not_an_integer", "bad_date_format", "bad_timestamp", "bad_boolean"})


@dataclass(frozen=True)
class Rules:
    """What the expressions of one file depend on besides the contract."""

    delivered: str  # ISO timestamp of the delivery
    ascii: bool = True
    nul: bool = False
    widths: Mapping[str, int] = dataclasses.field(default_factory=dict)  # bytes that a text column takes

    long_rows: bool = False  # a row's undeclared cells may be more than a column takes

    def width(self, item: Field) -> int:
        """Bytes that fit the column in either warehouse."""
        return self.widths.get(item.name, LONGEST_TEXT)


def literal(text: str) -> str:
    """SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def kind_of(field: Field, contract: Contract) -> str:
    """The kind that the careful functions understand."""
    if field.type in ("integer", "decimal"):
        return f"{field.type}|{contract.locale}|{contract.currency}"
    if field.type == "date":
        return f"date|{field.format}"
    if field.type == "timestamp":
        return f"timestamp|{field.format}|{contract.timezone}|{'day' if field.day_allowed else ''}"
    return field.type


def scale_fits(field: Field, x: str) -> str:
    """Condition under which the engine's cast of a decimal neither rounds nor skips marks ('1_0', '0E0.')."""
    point = f"strpos({x}, '.')"
    odd = " or ".join(f"contains({x}, '{mark}')" for mark in "_eE")
    return f"({point} = 0 or length({x}) - {point} <= {field.scale}) and not ({odd})"


def masked(x: str) -> str:
    """SQL of free text without identifiers; the masks run only where the engine sees that they might apply."""
    return f"case when regexp_matches({x}, {literal(SUSPICIOUS)}) then mask_text({x}) else {x} end"


def _fast(field: Field, contract: Contract, x: str) -> str:
    """Value of canonical text, null for everything else."""
    if field.type in ("integer", "decimal") and contract.locale == "eu":
        return "null"  # a point means thousands there; the plain cast would misread it
    if field.type == "integer":
        cast = f"try_cast({x} as bigint)"
        # A cast that rounds, skips marks or reads another base does not give the same text back.
        return f"case when {cast}::varchar = {x} then {cast} end"
    if field.type == "decimal":
        return f"case when {scale_fits(field, x)} then try_cast({x} as {field.sql_type}) end"
    if field.type == "date" and not field.format:
        return f"case when length({x}) = 10 and {x}[5] = '-' and {x}[8] = '-' then try_cast({x} as date) end"
    if field.type == "date":
        canonical = len(
            field.format.replace("%Y", "2026").replace("%y", "26").replace("%m", "01").replace("%d", "02")
        )
        return f"case when length({x}) = {canonical} then try_cast(try_strptime({x}, {literal(field.format)}) as date) end"
    if field.type == "timestamp" and not field.format:
        iso = f"length({x}) >= 19 and {x}[5] = '-' and {x}[8] = '-' and {x}[14] = ':' and {x}[17] = ':'"
        return f"timezone('UTC', case when {iso} then try_cast({x} as timestamptz) end)"
    if field.type == "boolean":
        return f"case when {x} in ('true', 'Y', '1') then true when {x} in ('false', 'N', '0') then false end"
    return "null"


def expression(field: Field, contract: Contract, x: str, v: str, rules: Rules) -> tuple[str, str]:
    """SQL of the value of text ``x``, and SQL of the reason over ``x`` and the value ``v`` ('' = cannot fail)."""
    kind = literal(kind_of(field, contract))
    later: list[tuple[str, str]] = []
    if rules.nul:
        later.append((f"contains({x}, chr(0))", "nul_byte"))
    if field.type == "json":
        value = f"case when json_valid({x}) and json_reads({x}, false) then {x} end"
        later.append((f"strlen({v}) > {rules.width(field)}", "text_too_long"))
    elif field.type == "text":
        value = _text(field, contract, x, v, rules, later)
    else:
        value = f"coalesce({_fast(field, contract, x)}, case when {x} is not null then try_cast(slow_value({kind}, {x}) as {field.sql_type}) end)"
    if field.type in ("date", "timestamp"):
        later.append((f"{v} < timestamp '{OLDEST}'", "date_out_of_range"))
        if field.future:
            later.append((f"{v} > timestamp '2199-12-31'", "date_out_of_range"))
        else:
            later.append((f"{v} > timestamp '{rules.delivered}' + interval 1 day", "future_date"))
    empty = f"when {v} is null and {x} is not null then why({kind}, {x}) "
    if field.required and field.default is None:
        empty = f"when {v} is null then coalesce(why({kind}, {x}), 'required_empty') "
    elif field.type == "text":
        empty = ""  # every text is a value, or none at all
    cases = "".join(f"when {condition} then '{word}' " for condition, word in later)
    reason = f"case {cases}{empty}end" if cases or empty else ""
    if field.default is not None:
        value = f"coalesce({value}, {literal(field.default)})"
    return value, reason


def _text(
    field: Field, contract: Contract, x: str, v: str, rules: Rules, later: list[tuple[str, str]]
) -> str:
    words = ", ".join(map(literal, sorted(TEXT_NULLS - {""})))
    if field.pii:
        return f"keyed_hash({literal(field.pii)}, {x})"
    if field.free_text:
        value = f"nullif({masked(x)}, '')"
    elif field.required:
        value = f"case when length(trim({x})) < 8 and lower(trim({x})) in ('', {words}) then null else trim({x}) end"
    else:
        value = f"nullif(trim({x}), '')"
    if field.whole_number:
        value = f"case when ends_with({x}, '.0') then regexp_replace({value}, '^([0-9]+)[.]0$', '\\1') else {value} end"
    if field.role == "currency":
        later.append((f"upper({v}) <> {literal(contract.currency)}", "currency_mismatch"))
    later.append((f"strlen({v}) > {rules.width(field)}", "text_too_long"))
    return value
