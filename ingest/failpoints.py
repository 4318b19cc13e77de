"""Named places where a test may kill the process or make it fail, to prove that a rerun heals.

``INGEST_FAILPOINT=name[:n]`` kills the process with SIGKILL when the place is reached for the n-th time;
``INGEST_FAILPOINT=name[:n]=ENOSPC`` (or another error's name) raises that ``OSError`` there instead. Unset, a place costs one comparison.
"""

from __future__ import annotations

import errno
import os
import signal

_SPEC = os.environ.get("INGEST_FAILPOINT", "")
_counts: dict[str, int] = {}


def reach(name: str) -> None:
    """Mark that the place ``name`` was reached."""
    if not _SPEC:
        return
    target, _, action = _SPEC.partition("=")
    place, _, nth = target.partition(":")
    if place != name:
        return
    _counts[name] = _counts.get(name, 0) + 1
    if _counts[name] != int(nth or 1):
        return
    if action:
        code = int(getattr(errno, action))
        raise OSError(code, os.strerror(code))
    os.kill(os.getpid(), signal.SIGKILL)
