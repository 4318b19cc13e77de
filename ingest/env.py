"""The intake's own variables, checked once at start: a bad one is a line with its name, not a traceback at import.

The modules read them where they are used; this table says what each may be. .env.example says what each is for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from settings import SettingsError

#: name -> (whole numbers only, lowest, highest)
NUMBERS: dict[str, tuple[bool, float, float]] = {
    "INGEST_FILE_SECONDS": (False, 1, 86_400),
    "INGEST_FILE_CPU_SECONDS": (True, 1, 86_400),
    "INGEST_LOCK_SECONDS": (False, 0, 86_400),
    "INGEST_STABLE_SECONDS": (False, 0, 3_600),
    "INGEST_MAX_DECODED_BYTES": (True, 1, 1 << 50),
    "INGEST_PARSER_LIMIT_BYTES": (True, 16 << 20, 1 << 50),
    "INGEST_S3_ATTEMPTS": (True, 1, 100),
    "INGEST_S3_BACKOFF_SECONDS": (False, 0, 3_600),
}
#: name -> (form, what is allowed in words)
_SIZE = (re.compile(r"\d+(\.\d+)? ?[KMGT]i?B"), "a size such as 512MB or 2GB")
TEXTS = {"INGEST_PARSER_MEMORY": _SIZE, "INGEST_WRITER_MEMORY": _SIZE}


def check(env: Mapping[str, str] | None = None) -> None:
    """Check the intake's variables.

    Raises:
        SettingsError: one line that names the variable and what is allowed.
    """
    env = os.environ if env is None else env
    for name, (whole, low, high) in NUMBERS.items():
        text = env.get(name)
        if text is None:
            continue
        form = r"\d+" if whole else r"\d+(\.\d+)?"
        if not re.fullmatch(form, text, re.ASCII) or not low <= float(text) <= high:
            kind = "a whole number" if whole else "a number"
            raise SettingsError(
                f"{name}: {text!r} is not allowed (allowed: {kind} from {low:.0f} to {high:.0f})"
            )
    for name, (pattern, words) in TEXTS.items():
        if name in env and not pattern.fullmatch(env[name]):
            raise SettingsError(f"{name}: {env[name]!r} is not allowed (allowed: {words})")
