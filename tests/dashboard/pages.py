"""Runs the real app in-process and reads its figures off the page."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

APP = str(Path(__file__).resolve().parents[2] / "dashboard" / "app.py")
PAGES = (
    "executive",
    "channels",
    "incrementality",
    "budget",
    "demand",
    "impact",
    "segments",
    "quality",
    "gifting",
)
_FIGURE = re.compile(r'<data value="([^"]*)" data-figure="([^"]*)">(.*?)</data>', re.S)


class Page:
    """One rendered page: its HTML blocks, its figures and its states."""

    def __init__(self, app: AppTest) -> None:
        self.app = app
        self.html = "".join(str(e.value) for e in app.get("html"))
        self.figures: dict[str, float | None] = {}
        self.shown: dict[str, str] = {}
        for value, key, text in _FIGURE.findall(self.html):
            self.figures[key] = float(value) if re.fullmatch(r"[-+0-9.eE]+", value) else _decimal(value)
            self.shown[key] = unescape(text)

    def states(self, kind: str) -> list[str]:
        return [
            unescape(t)
            for t in re.findall(rf'<div class="ml-state {kind}" role="status"><b>(.*?)</b>', self.html)
        ]


def _decimal(value: str) -> float | None:
    found = re.search(r"Decimal\(&#x27;([-0-9.E+]+)&#x27;\)|Decimal\(([-0-9.E+]+)", value)
    return float(found.group(1) or found.group(2)) if found else None


def open_page(name: str, session: dict[str, Any] | None = None, query: dict[str, Any] | None = None) -> Page:
    """Open a page, with widget values by their key and values in the address."""
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params.update(query or {})
    app.run()
    if name != "executive":
        app._page_hash = calc_hash(name)
        app.run()
    if session:
        for key, value in session.items():
            app.session_state[key] = value
        app.run()
    assert not app.exception, app.exception
    return Page(app)
