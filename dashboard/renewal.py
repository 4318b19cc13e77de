"""When figures count as old, and how an open page comes to show a newly published version.

``DASHBOARD_STALE_HOURS``: hours after which a missing publish is announced (default 192). ``DASHBOARD_REFRESH_SECONDS``:
how often an open page looks whether a new version has been published (default 300; 0: only when the reader acts).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from settings import SettingsError

_SHOWN = "served_file"


def stale_hours(env: Mapping[str, str] | None = None) -> int:
    """Hours without a publish that are normal.

    Raises:
        SettingsError: not a whole number from 1 to 87600 (ten years).
    """
    return _whole("DASHBOARD_STALE_HOURS", 192, 1, 24 * 3650, env)


def refresh_seconds(env: Mapping[str, str] | None = None) -> int:
    """Seconds between two looks of an open page; 0: none.

    Raises:
        SettingsError: neither 0 nor a whole number from 10 to 86400.
    """
    seconds = _whole("DASHBOARD_REFRESH_SECONDS", 300, 0, 86_400, env)
    if 0 < seconds < 10:
        raise SettingsError(
            f"DASHBOARD_REFRESH_SECONDS: {seconds} is not allowed (allowed: 0, or 10 to 86400)"
        )
    return seconds


def _whole(name: str, default: int, low: int, high: int, env: Mapping[str, str] | None) -> int:
    text = (os.environ if env is None else env).get(name) or str(default)
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise SettingsError(f"{name}: {text!r} is not allowed (allowed: a whole number from {low} to {high})")
    return int(text)


def served_file(path: Path) -> tuple[int, ...]:
    """What changes when a publish replaces the file; nothing is opened."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def remember(path: Path) -> None:
    """Note which file this page run starts from."""
    st.session_state[_SHOWN] = served_file(path)


def renew(path: Path) -> None:
    """Draw the whole page again if another file is served than the one it was drawn from."""
    if st.session_state.get(_SHOWN) != served_file(path):
        st.rerun()
