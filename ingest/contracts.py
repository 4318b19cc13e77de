"""Contracts: one YAML file per feed, the only place that knows a partner file's shape.

A contract declares names, aliases, types, units, time zone, week convention, keys, cadence, the restatement
window and the footer rule. Nothing about a file's values is guessed from the file.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CONTRACT_DIR = Path(__file__).resolve().parent / "contracts"
TYPES = ("text", "integer", "decimal", "date", "timestamp", "boolean", "json")
FORMATS = ("csv", "ndjson", "json")
PII_KINDS = ("id", "email", "phone", "name")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_ZERO_WIDTH = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF])


class ContractError(ValueError):
    """A contract file cannot be used; the message names the file and the key."""


@dataclass(frozen=True)
class Field:
    """One canonical column. ``sources`` are the headers (with aliases) that may carry it."""

    name: str
    type: str
    sources: tuple[str, ...]
    required: bool = False
    format: str = ""
    pii: str = ""
    parts: tuple[str, ...] = ()  # a keyed hash may join several source columns (first and last name)
    role: str = ""
    free_text: bool = False
    future: bool = False
    default: str | None = None
    scale: int = 6
    day_allowed: bool = False  # a timestamp may be given as a day: its midnight
    whole_number: bool = False  # an id that may arrive as a float: 123.0 is 123

    @property
    def sql_type(self) -> str:
        """DuckDB type of the raw column."""
        return {
            "text": "VARCHAR",
            "integer": "BIGINT",
            "decimal": f"DECIMAL({12 + self.scale},{self.scale})",
            "date": "DATE",
            "timestamp": "TIMESTAMP",
            "boolean": "BOOLEAN",
            "json": "VARCHAR",
        }[self.type]


@dataclass(frozen=True)
class Check:
    """A declared contradiction: rows where ``when`` (SQL over canonical columns) holds are counted, not lost."""

    code: str
    when: str


@dataclass(frozen=True)
class Contract:
    """What one feed's files look like and how their rows become current rows."""

    feed: str
    partner: str
    family: str
    fields: Mapping[str, Field]
    version: int = 1
    format: str = "csv"
    pack: str = ""
    file_names: tuple[str, ...] = ()
    mode: str = "replace"
    partition: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    duplicates: str = "quarantine"
    cadence: str = "daily"
    restatement_days: int = 0
    timezone: str = "UTC"
    week_starts: str = ""
    event_date: str = ""
    money_field: str = ""
    money_unit: str = "1"
    delimiter: str = ","
    encoding: str = "utf-8"
    has_header: bool = True
    skip_lines: int = 0
    open_columns: bool = False
    footer_rule: str = ""
    footer_block: bool = False
    locale: str = "us"
    currency: str = "USD"
    checks: tuple[Check, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)  # normalised header -> source name

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Name and DuckDB type of each column of ``raw.<feed>``, in order."""
        declared = [(f.name, f.sql_type) for f in self.fields.values()]
        return [*declared, *AUDIT_COLUMNS]

    @property
    def source_names(self) -> list[str]:
        """The declared partner headers, in declared order (positions of a headerless file)."""
        names: list[str] = []
        for item in self.fields.values():
            names.extend(item.parts or item.sources[:1])
        return names

    @property
    def has_pii(self) -> bool:
        return any(f.pii for f in self.fields.values())


AUDIT_COLUMNS = [
    ("brand_id", "VARCHAR"),
    ("_file_id", "VARCHAR"),
    ("_line", "BIGINT"),
    ("_delivered_at", "TIMESTAMP"),
    ("_extra", "VARCHAR"),
]


def normal_header(text: str) -> str:
    """Header in the form in which names are compared: NFKC, lower case, words joined by one underscore.

    ``#`` and ``%`` are words of their own, so that "# of orders" and "of orders" stay apart.
    """
    text = unicodedata.normalize("NFKC", text).translate(_ZERO_WIDTH).lower()
    text = text.replace("#", " number ").replace("%", " percent ")
    return "_".join(re.findall(r"[^\W_]+", text))


def _field(name: str, spec: Mapping[str, Any], where: str) -> Field:
    allowed = {
        "type", "header", "aliases", "required", "format", "pii", "from", "role", "free_text", "future",
        "default", "scale", "description", "day_allowed", "whole_number",
    }  # fmt: skip
    unknown = set(spec) - allowed
    if unknown:
        raise ContractError(f"{where}: field {name}: unknown key {sorted(unknown)[0]!r}")
    if not _NAME.match(name):
        raise ContractError(f"{where}: field name {name!r} is not a plain lower-case name")
    kind = spec.get("type")
    if kind not in TYPES:
        raise ContractError(f"{where}: field {name}: type {kind!r} (allowed: {', '.join(TYPES)})")
    pii = spec.get("pii", "")
    if pii and pii not in PII_KINDS:
        raise ContractError(f"{where}: field {name}: pii {pii!r} (allowed: {', '.join(PII_KINDS)})")
    parts = tuple(spec.get("from", ()))
    own_name = [] if pii else [name]  # a column already named like the hash must not be hashed again
    named = [*([spec["header"]] if "header" in spec else []), *own_name, *spec.get("aliases", [])]
    sources = () if parts else tuple(dict.fromkeys(named))
    if not sources and not parts:
        raise ContractError(f"{where}: field {name}: a keyed hash needs a header")
    return Field(
        name=name,
        type=str(kind),
        sources=sources,
        required=bool(spec.get("required", False)),
        format=str(spec.get("format", "")),
        pii=pii,
        parts=parts,
        role=spec.get("role", ""),
        free_text=bool(spec.get("free_text", False)),
        future=bool(spec.get("future", False)),
        default=None if spec.get("default") is None else str(spec["default"]),
        scale=int(spec.get("scale", 6)),
        day_allowed=bool(spec.get("day_allowed", False)),
        whole_number=bool(spec.get("whole_number", False)),
    )


_TOP = {
    "feed", "partner", "family", "pack", "file_names", "version", "format", "mode", "partition", "key", "duplicates",
    "cadence", "restatement_days", "timezone", "week_starts", "event_date", "money", "dialect", "footer", "numbers",
    "fields", "checks", "open_columns",
}  # fmt: skip


def parse_contract(spec: Mapping[str, Any], where: str) -> Contract:
    """Check one contract document and return it.

    Raises:
        ContractError: one line that names the file and what is wrong.
    """
    unknown = set(spec) - _TOP
    if unknown:
        raise ContractError(f"{where}: unknown key {sorted(unknown)[0]!r}")
    for key in ("feed", "partner", "family", "fields"):
        if not spec.get(key):
            raise ContractError(f"{where}: {key} is missing")
    fields = {name: _field(name, item or {}, where) for name, item in spec["fields"].items()}
    dialect, footer, numbers = (spec.get(k) or {} for k in ("dialect", "footer", "numbers"))
    money = spec.get("money") or {}
    headers: dict[str, str] = {}
    for item in fields.values():
        for source in item.parts or item.sources:
            key = normal_header(source)
            target = source if item.parts else item.sources[0]
            if headers.setdefault(key, target) != target:
                raise ContractError(f"{where}: header {source!r} is claimed by two fields")
    contract = Contract(
        feed=spec["feed"],
        partner=spec["partner"],
        family=spec["family"],
        fields=fields,
        version=int(spec.get("version", 1)),
        format=spec.get("format", "csv"),
        pack=spec.get("pack", ""),
        file_names=tuple(spec.get("file_names", ())),
        mode=spec.get("mode", "replace"),
        partition=tuple(spec.get("partition", ())),
        key=tuple(spec.get("key", ())),
        duplicates=spec.get("duplicates", "quarantine"),
        cadence=spec.get("cadence", "daily"),
        restatement_days=int(spec.get("restatement_days", 0)),
        timezone=spec.get("timezone", "UTC"),
        week_starts=spec.get("week_starts", ""),
        event_date=spec.get("event_date", ""),
        money_field=money.get("field", ""),
        money_unit=str(money.get("unit_usd", "1")),
        delimiter=dialect.get("delimiter", ","),
        encoding=dialect.get("encoding", "utf-8"),
        has_header=bool(dialect.get("header", True)),
        skip_lines=int(dialect.get("skip_lines", 0)),
        open_columns=bool(spec.get("open_columns", False)),
        footer_rule=footer.get("rule", ""),
        footer_block=bool(footer.get("block_after_blank_line", False)),
        locale=numbers.get("locale", "us"),
        currency=numbers.get("currency", "USD"),
        checks=tuple(Check(c["code"], c["when"]) for c in spec.get("checks", ())),
        headers=headers,
    )
    _check(contract, where)
    return contract


def _check(contract: Contract, where: str) -> None:
    if not _NAME.match(contract.feed):
        raise ContractError(f"{where}: feed {contract.feed!r} is not a plain lower-case name")
    for label, value, allowed in (
        ("format", contract.format, FORMATS),
        ("mode", contract.mode, ("replace", "upsert")),
        ("duplicates", contract.duplicates, ("quarantine", "keep")),
        ("numbers.locale", contract.locale, ("us", "eu", "in", "plain")),
    ):
        if value not in allowed:
            raise ContractError(f"{where}: {label} {value!r} (allowed: {', '.join(allowed)})")
    named = (*contract.partition, *contract.key, *filter(None, (contract.event_date, contract.money_field)))
    for name in named:
        if name not in contract.fields:
            raise ContractError(f"{where}: {name!r} is not a declared field")
    if contract.mode == "upsert" and not contract.key:
        raise ContractError(f"{where}: an upsert feed needs a key")


@functools.lru_cache(maxsize=8)
def _load(folder: Path) -> dict[str, Contract]:
    contracts: dict[str, Contract] = {}
    for path in sorted(folder.rglob("*.yml")):
        if path.name.startswith("_"):
            continue
        try:
            document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  (a safe loader, in C)
        except yaml.YAMLError as error:
            raise ContractError(f"{path.name}: not readable as YAML: {str(error).splitlines()[0]}") from None
        contract = parse_contract(document or {}, path.name)
        if contract.feed != path.stem:
            raise ContractError(f"{path.name}: feed {contract.feed!r} differs from the file's name")
        if contract.feed in contracts:
            raise ContractError(f"{path.name}: feed {contract.feed!r} is declared twice")
        contracts[contract.feed] = contract
    return contracts


def load_contracts(folder: Path = CONTRACT_DIR) -> dict[str, Contract]:
    """All contracts under ``folder``, by feed name.

    Raises:
        ContractError: one line that names the file and what is wrong.
    """
    return _load(folder)


def families(contracts: Iterable[Contract]) -> dict[str, list[str]]:
    """Feed names by family: the unit that a scheduler maps over."""
    result: dict[str, list[str]] = {}
    for contract in contracts:
        result.setdefault(contract.family, []).append(contract.feed)
    return {family: sorted(feeds) for family, feeds in sorted(result.items())}
