"""Building blocks of a page: cards, tables, charts with alt text, and the states that are not data.

All text goes through :func:`html.escape`. Colours come from ``currentColor`` so that one markup serves both
themes. A figure is a ``<data>`` element that carries its exact value, which is what the tests compare with SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import format as fmt
from dashboard.export import to_csv, to_parquet

STYLE = (Path(__file__).parent / "style.css").read_text()


@dataclass(frozen=True)
class Column:
    """One column of a table: source column, heading, how a cell reads, and whether it is a number.

    ``under`` names a column of text that stands in small type below the value (an interval, a name).
    """

    name: str
    heading: str
    show: Callable[[Any], str] = fmt.text
    numeric: bool = True
    wide: bool = False
    under: str = ""


@dataclass(frozen=True)
class Card:
    """One key figure. ``key`` names it for tests; ``trend`` is drawn as a small line when it has two points."""

    key: str
    label: str
    value: Any
    show: Callable[[Any], str]
    note: str = ""
    changes: tuple[tuple[str, Any], ...] = ()
    trend: Sequence[float] = ()


def figure(key: str, value: Any, show: Callable[[Any], str]) -> str:
    """A value people read and a machine can check: ``<data value="1234.5" data-figure="spend">$1.23K</data>``."""
    exact = "" if fmt.missing(value) else repr(value.item() if hasattr(value, "item") else value)
    return f'<data value="{escape(exact.strip(chr(39)), quote=True)}" data-figure="{escape(key, quote=True)}">{escape(show(value))}</data>'


def cards(items: Sequence[Card]) -> None:
    """A grid of key figures in even rows, two to a row on a phone."""
    body = []
    for card in items:
        moves = "".join(
            f"<span>{escape(name)} {figure(f'{card.key}.{name}', value, fmt.change)}</span>"
            for name, value in card.changes
        )
        line = _sparkline(card.trend, card.label) if len(card.trend) > 1 else ""
        body.append(
            f'<li class="ml-card"><div class="k">{escape(card.label)}</div>'
            f'<div class="v">{figure(card.key, card.value, card.show)}</div>'
            + (f'<div class="t">{moves}</div>' if moves else "")
            + (f'<div class="n">{escape(card.note)}</div>' if card.note else "")
            + line
            + "</li>"
        )
    n = len(items)
    across = 4 if n in (1, 2, 3, 4, 7, 8) else 3 if n in (9, 6) else 5
    st.html(f'<ul class="ml-cards" style="--n:{across}">{"".join(body)}</ul>')


def _sparkline(points: Sequence[float], label: str) -> str:
    clean = [float(p) for p in points if not fmt.missing(p)]
    low, high = min(clean, default=0.0), max(clean, default=0.0)
    if len(clean) < 2 or high == low:
        return ""
    step = 100 / (len(clean) - 1)
    path = " ".join(f"{i * step:.1f},{27 - 24 * (p - low) / (high - low):.1f}" for i, p in enumerate(clean))
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 30' preserveAspectRatio='none'>"
        f"<polyline points='{path}' fill='none' stroke='#3A86C8' stroke-width='1.8' vector-effect='non-scaling-stroke'/></svg>"
    )
    source = "data:image/svg+xml," + svg.replace("#", "%23").replace("<", "%3C").replace(">", "%3E").replace(
        '"', "'"
    )
    words = f"{label}: {len(clean)} complete weeks, lowest {fmt.count(low)}, highest {fmt.count(high)}, last {fmt.count(clean[-1])}"
    return f'<img src="{source}" alt="{escape(words, quote=True)}">'


def table(
    frame: pd.DataFrame, columns: Sequence[Column], caption: str, *, key: str = "", head: bool = True
) -> None:
    """A real HTML table: captioned, reachable by keyboard, scrolling inside itself on a narrow screen."""
    heads = "".join(
        f'<th scope="col" class="{"num" if c.numeric else ""}">{escape(c.heading)}</th>' for c in columns
    )
    wanted = list(dict.fromkeys([c.name for c in columns] + [c.under for c in columns if c.under]))
    rows = []
    for number, record in enumerate(zip(*(frame[name].tolist() for name in wanted), strict=True)):
        cells = []
        row = dict(zip(wanted, record, strict=True))
        for position, column in enumerate(columns):
            value = row[column.name]
            shown = (
                figure(f"{key}.{number}.{column.name}", value, column.show)
                if key and column.numeric
                else escape(column.show(value))
            )
            if (
                column.under
                and not fmt.missing(row[column.under])
                and row[column.under] not in ("", fmt.MISSING)
            ):
                shown += f"<small>{escape(str(row[column.under]))}</small>"
            tag = "th scope='row'" if head and position == 0 else "td"
            kind = ("num" if column.numeric else "") + (" wide" if column.wide else "")
            cells.append(f'<{tag} class="{kind.strip()}">{shown}</{tag[:2]}>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    st.html(
        f'<p class="ml-cap" aria-hidden="true">{escape(caption)}</p><div class="ml-scroll" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f'<table class="ml-table"><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def state(kind: str, title: str, words: str) -> None:
    """A designed answer where data cannot be: ``empty``, ``stale``, ``failed`` or ``good``."""
    st.html(f'<div class="ml-state {escape(kind)}" role="status"><b>{escape(title)}</b>{escape(words)}</div>')


def note(words: str) -> None:
    st.html(f'<p class="ml-note">{escape(words)}</p>')


def chart(frame: pd.DataFrame, spec: dict[str, Any], alt: str, caption: str = "") -> None:
    """A Vega-Lite chart drawn by the page itself (no outside request), with alt text and a caption above."""
    st.html(f'<p class="ml-cap ml-over">{escape(caption or alt)}</p>')
    st.vega_lite_chart(frame, spec, width="stretch", alt=alt)


def download(frame: pd.DataFrame, name: str, label: str = "Download as CSV") -> None:
    """CSV and Parquet whose text cells cannot run as formulas. Made when they are asked for, not with the page."""
    safe = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")
    with st.container(horizontal=True):
        st.download_button(
            label,
            data=lambda: to_csv(frame),
            file_name=f"{safe}.csv",
            mime="text/csv",
            key=f"download-{safe}",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Parquet",
            data=lambda: to_parquet(frame),
            file_name=f"{safe}.parquet",
            mime="application/vnd.apache.parquet",
            key=f"download-{safe}-parquet",
            icon=":material/download:",
            on_click="ignore",
        )
