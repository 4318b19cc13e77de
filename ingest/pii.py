"""Personal data at the door: keyed hashes of identifiers, and masks for identifiers in free text.

Hashes are HMAC-SHA256 in hex under a secret key, so that equal people join and nobody can be looked up without
the key. Masks are deliberately wide: a campaign name that loses a number is better than a leaked phone number.
"""

from __future__ import annotations

import functools
import hmac
import html
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote

_INVISIBLE = dict.fromkeys(
    [0x00AD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF]
)
_PLAIN_EMAIL = re.compile(r"[a-z0-9._+-]+@[a-z0-9.-]+")
LONGEST = 70_000  # more than any text column takes; a longer cell is refused whatever it says
# An address begins where its run of letters begins: without that, a long run is tried from each of its letters.
_EMAIL = re.compile(
    r"(?<![\w.+'-])[\w.+'-]+(?:\s*[\[({]dot[\])}]\s*[\w.+'-]+){0,8}\s*(?:@|\(at\)|\[at\]|\{at\}|<at>|\sat\s|%40|&#0*64;|&#x0*40;|&commat;|=40)\s*[\w-]+"
    r"(?:\s*(?:\.|\(dot\)|\[dot\]|\{dot\}|\sdot\s|%2e)\s*[\w-]+)+",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?<![\w.])(?:\+|00)?(?:1[\s.()-]*)?\(?[2-9]\d{2}\)?[\s.()/-]*[2-9]\d{2}[\s./-]*\d{4}(?![\w])"
)
_INTL = re.compile(r"(?<!\w)\+\d{1,3}(?:[\s.()/-]*\d){7,12}(?!\w)")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
# One cheap test in the engine's regular expressions: only cells that match are masked in Python.
SUSPICIOUS = (
    r"(?i)@|%40|&#0*64|&#x0*40|&commat|=40|\(at\)|\[at\]|\{at\}|<at>| at .* dot |[^\x00-\x7F]"
    r"|[2-9][0-9]{2}\)?[ .()/-]*[2-9][0-9]{2}[ ./-]*[0-9]{4}|\+[0-9]|[0-9][0-9 -]{11,}[0-9]"
)


def normal_text(text: str) -> str:
    """NFKC, without invisible characters, without blanks at either end."""
    return unicodedata.normalize("NFKC", text).translate(_INVISIBLE).strip()


def normal_email(text: str) -> str:
    """Address in the form that is hashed: NFKC, decoded, lower case, no display name and no ``mailto:``."""
    if _PLAIN_EMAIL.fullmatch(text):
        return text
    text = normal_text(unquote(text)).lower()
    match = re.search(r"<([^<>]+@[^<>]+)>", text)
    if match:
        text = match[1]
    return re.sub(r"\s+", "", text.removeprefix("mailto:"))


def normal_phone(text: str) -> str:
    """Digits with country code; a bare ten-digit number is taken as North American (the feeds' declared market)."""
    text = normal_text(text)
    digits = "".join(str(unicodedata.digit(c)) for c in text if c.isdigit())
    if digits.startswith("00"):
        digits = digits[2:]
    elif digits.startswith("011"):
        digits = digits[3:]
    return "1" + digits if len(digits) == 10 and not text.startswith("+") else digits


def normal_name(text: str) -> str:
    """Letters only, lower case, single blanks."""
    return " ".join(re.findall(r"\w+", normal_text(text).lower()))


NORMAL: dict[str, Callable[[str], str]] = {
    "id": normal_text,
    "email": normal_email,
    "phone": normal_phone,
    "name": normal_name,
}


class Hasher:
    """Keyed hash of an identifier of one kind. The key stays inside; it is never shown."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._digest = functools.lru_cache(maxsize=200_000)(self._fresh)

    def __call__(self, kind: str, text: str | None) -> str | None:
        """Hex digest of the normalised value, or None when nothing is left of it."""
        return None if text is None else self._digest(kind, text)

    def _fresh(self, kind: str, text: str) -> str | None:
        normal = NORMAL[kind](text)
        if not normal:
            return None
        return hmac.digest(self._key, normal.encode("utf-8", "surrogatepass"), "sha256").hex()


def _luhn(digits: str) -> bool:
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = int(char) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _mask_card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    return "[card]" if 13 <= len(digits) <= 19 and _luhn(digits) else match[0]


def mask_text(text: str | None) -> str | None:
    """The text with e-mail addresses, telephone numbers and card numbers replaced by their kind."""
    if text is None:
        return None
    text = text[:LONGEST]
    plain = text
    if not text.isascii():
        folded = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
        if _EMAIL.search(folded) or _PHONE.search(folded) or _CARD.search(folded):
            plain = folded
    if "&" in plain and _EMAIL.search(html.unescape(plain)):
        plain = html.unescape(plain)
    plain = _EMAIL.sub("[email]", plain)
    plain = _CARD.sub(_mask_card, plain)
    plain = _INTL.sub("[phone]", plain)
    return _PHONE.sub("[phone]", plain)
