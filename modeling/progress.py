"""Progress of long work, on standard error so that results can be piped."""

from __future__ import annotations

import sys
import time

_START = time.monotonic()


def progress(message: str) -> None:
    """Print one progress line with the seconds since start; never raises if standard error is closed."""
    try:
        print(f"[{time.monotonic() - _START:6.1f}s] {message}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
