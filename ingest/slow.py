"""The careful reading of one cell: null tokens, currencies, thousands marks, brackets, exponents, odd dates.

These functions run only for cells that the engine's own cast cannot be trusted with. A *kind* names what the
contract declares: ``integer|us|USD``, ``decimal|us|USD``, ``date|%m/%d/%Y``, ``timestamp|<format>|<zone>``,
``boolean``, ``json``, ``text``.
"""

from __future__ import annotations

import functools
import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

NULL_TOKENS = frozenset(
    [
        "",
        "-",
        "--",
        "n/a",
        "na",
        "#n/a",
        "null",
        "(null)",
        "none",
        "nil",
        "\\n",
        "(not set)",
        "#value!",
        "#div/0!",
        "#ref!",
    ]
)
TEXT_NULLS = frozenset(["", "n/a", "#n/a", "null", "(null)", "\\n"])
TRUE, FALSE = frozenset(["y", "yes", "true", "t", "1"]), frozenset(["n", "no", "false", "f", "0"])
_SIGNS = {"USD": r"US\$|USD|\$", "EUR": r"EUR|€", "GBP": r"GBP|£", "INR": r"INR|Rs\.?|₹"}
_ANY_SIGN = r"US\$|C\$|A\$|[A-Z]{3}|\$|€|£|¥|₹|Rs\.?"
_NUMBER = {
    "us": r"(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?",
    "in": r"(?:\d{1,2}(?:,\d{2})*,\d{3}|\d+)?(?:\.\d*)?",
    "eu": r"(?:\d{1,3}(?:\.\d{3})+|\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d+)?(?:,\d*)?",
    "plain": r"\d*(?:\.\d*)?",
}
_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_SERIAL = re.compile(r"\d{5}(\.\d+)?")
_ISO_DAY = re.compile(r"(\d{4}-\d\d-\d\d)([T ]00:00(:00(\.0+)?)?)?( ?(Z|UTC|[+-]00:?00))?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ISO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d{1,2}:\d\d)(:\d\d)?([.,]\d+)?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?", re.ASCII
)


@functools.lru_cache(maxsize=64)
def _grammar(locale: str, currency: str) -> re.Pattern[str]:
    signs = _ANY_SIGN if currency == "*" else _SIGNS.get(currency, re.escape(currency))
    number = _NUMBER[locale] + r"(?:[eE][+-]?\d{1,3})?"
    return re.compile(
        rf"(?P<open>\()?\s*(?P<s1>[-+−])?\s*(?:{signs})?\s*(?P<s2>[-+−])?\s*(?P<n>{number})\s*(?:{signs})?\s*(?P<s3>-)?\s*(?P<close>\))?",
        re.ASCII,
    )


def number(locale: str, currency: str, text: str) -> Decimal | None:
    """Exact value of a number in the declared locale and currency; None when the text is no such number."""
    match = _grammar(locale, currency).fullmatch(text.strip())
    if match is None or not re.search(r"[0-9]", match["n"]):
        return None
    marks = [match[g] for g in ("s1", "s2", "s3") if match[g]]
    if len(marks) > 1 or bool(match["open"]) != bool(match["close"]):
        return None
    plain = re.sub(r"[.\s]" if locale == "eu" else r"[,\s]", "", match["n"])
    if locale == "eu":
        plain = plain.replace(",", ".")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        return None
    negative = bool(match["open"]) != (bool(marks) and marks[0] in "-−")
    return -value if negative and value else value


def _is_null(kind: str, text: str) -> bool:
    return text.strip().lower() in (TEXT_NULLS if kind.startswith(("text", "json")) else NULL_TOKENS)


def date_shape(fmt: str) -> re.Pattern[str]:
    """Texts that a date format can mean, real days or not."""
    parts = {
        "%Y": r"\d{4}",
        "%y": r"\d{2}",
        "%m": r"\d{1,2}",
        "%d": r"\d{1,2}",
        "%b": r"[A-Za-z]{3}",
        "%H": r"\d\d",
    }
    escaped = "".join(re.escape(c) if c != "%" else c for c in fmt)
    return re.compile(re.sub(r"%[A-Za-z]", lambda m: parts.get(str(m[0]), r".{1,9}"), escaped), re.ASCII)


def _date(fmt: str, text: str) -> str | None:
    text = text.strip()
    try:
        if fmt:
            if not date_shape(fmt).fullmatch(text):
                return None
            return datetime.strptime(text, fmt).date().isoformat()
        match = _ISO_DAY.fullmatch(text)
        return datetime.strptime(match[1], "%Y-%m-%d").date().isoformat() if match else None
    except ValueError:
        return None


def _timestamp(fmt: str, zone: str, text: str, day_allowed: bool = False) -> str | None:
    text = text.strip()
    if day_allowed and not fmt and _DAY.fullmatch(text):
        text += " 00:00:00"
    try:
        if fmt:
            moment = datetime.strptime(text, fmt)
        else:
            match = _ISO_TIME.fullmatch(text)
            if match is None:
                return None
            fraction = (match[4] or ".0").replace(",", ".")[:7]
            offset = (match[5] or "").replace("UTC", "Z").replace("Z", "+00:00")
            if re.fullmatch(r"[+-]\d\d", offset):
                offset += ":00"
            moment = datetime.fromisoformat(f"{match[1]}T{match[2]:0>5}{match[3] or ':00'}{fraction}{offset}")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    except (ValueError, OverflowError):
        return None


def slow_value(kind: str, text: str | None) -> str | None:
    """Text that the engine casts without loss to the declared type, or None."""
    if text is None:
        return None
    what, *rest = kind.split("|")
    if what in ("integer", "decimal"):
        value = number(rest[0], rest[1], text)
        if value is None or (what == "integer" and value != value.to_integral_value()):
            return None
        if not value:
            return "0"
        return f"{value:f}" if abs(value.adjusted()) < 40 else None
    if what == "date":
        return _date(rest[0], text)
    if what == "timestamp":
        return _timestamp(rest[0], rest[1], text, rest[2:] == ["day"])
    if what == "boolean":
        word = text.strip().lower()
        return "true" if word in TRUE else "false" if word in FALSE else None
    return None


def _why_number(what: str, locale: str, currency: str, text: str) -> str:
    stripped = text.strip()
    if _FINITE.fullmatch(stripped):
        return "not_finite"
    value = number(locale, currency, stripped)
    if value is None:
        return "currency_mismatch" if number(locale, "*", stripped) is not None else "bad_number"
    if what == "integer" and value != value.to_integral_value():
        return "not_an_integer"
    return "out_of_range"


def why(kind: str, text: str | None) -> str | None:
    """Reason for which a cell without a value is refused; None when it says that there is no value."""
    what, *rest = kind.split("|")
    if text is None or _is_null(kind, text):
        return None
    if what in ("integer", "decimal"):
        return _why_number(what, rest[0], rest[1], text)
    stripped = text.strip()
    if what == "date":
        if not rest[0].startswith("%Y%") and _SERIAL.fullmatch(stripped):
            return "excel_serial_date"
        shape = date_shape(rest[0]) if rest[0] else _ISO_DAY
        return "impossible_date" if shape.fullmatch(stripped) else "bad_date_format"
    if what == "timestamp":
        return "impossible_date" if not rest[0] and _ISO_TIME.fullmatch(stripped) else "bad_timestamp"
    if what == "boolean":
        return "bad_boolean"
    if what == "json":
        return "bad_json"
    return "bad_text"


def json_reads(text: str, constants: bool) -> bool:
    """Whether a strict reader takes a JSON text that the engine takes; with ``constants`` also NaN and Infinity.

    The engine allows a comma before a closing bracket, and constants that RFC 8259 does not know; what reads the
    text after it (Redshift, a partner's tool) does not.
    """
    try:
        json.loads(text, parse_constant=None if constants else _no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(word: str) -> None:
    raise ValueError(word)
