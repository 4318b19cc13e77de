"""Building blocks of a page: cards, tables, charts with alt text, and the states that are not data.

All text goes through :func:`html.escape`. Colours come from ``currentColor`` so that one markup serves both
themes. A figure is a ``<data>`` element that carries its exact value, which is what the tests compare with SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import format as fmt
from dashboard.export import to_csv

STYLE = """
<style>
.ml-cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,168px),1fr));gap:.75rem;margin:.25rem 0 .75rem!important;padding:0!important;list-style:none}
.ml-card{margin:0!important;border:1px solid color-mix(in srgb,currentColor 16%,transparent);border-radius:10px;padding:.7rem .85rem .6rem;min-width:0;background:color-mix(in srgb,currentColor 2.5%,transparent)}
.ml-card .k{font-size:.8rem;opacity:.8;line-height:1.25}
.ml-card .v{font-size:1.55rem;font-weight:650;line-height:1.35;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.ml-card .n{font-size:.76rem;opacity:.82;line-height:1.4}
.ml-card .t{display:flex;flex-wrap:wrap;gap:0 .7rem;font-size:.78rem;font-variant-numeric:tabular-nums;margin-top:.15rem}
.ml-card img{display:block;width:100%;height:30px;margin-top:.3rem}
.ml-scroll{overflow-x:auto;max-width:100%;margin:.25rem 0 .5rem}
.ml-scroll:focus-visible{outline:2px solid currentColor;outline-offset:2px}
.ml-table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
.ml-table caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.ml-cap{font-size:.8rem;opacity:.82;margin:.2rem 0 .1rem}
.ml-table th{font-weight:600;text-align:left;vertical-align:bottom;padding:.35rem .6rem;border-bottom:2px solid color-mix(in srgb,currentColor 30%,transparent);white-space:nowrap}
.ml-table td,.ml-table tbody th{white-space:nowrap;padding:.32rem .6rem;border-bottom:1px solid color-mix(in srgb,currentColor 12%,transparent);vertical-align:top}
.ml-table tbody th{font-weight:500}
.ml-table .num{text-align:right;white-space:nowrap}
.ml-table .wide{min-width:15rem;white-space:normal}
.ml-state{border-left:4px solid currentColor;border-radius:6px;padding:.7rem .95rem;margin:.3rem 0 .9rem;background:color-mix(in srgb,currentColor 6%,transparent)}
.ml-state b{display:block}
.ml-state.stale{border-color:#B36B00}.ml-state.failed{border-color:#C44A00}.ml-state.empty{border-color:#5A7A99}.ml-state.good{border-color:#0072B2}
.ml-badge{display:inline-block;border:1px solid currentColor;border-radius:999px;padding:0 .55rem;font-size:.76rem;line-height:1.5;white-space:nowrap}
.ml-note{font-size:.84rem;opacity:.86;max-width:100ch}
.ml-alert{border:1px solid color-mix(in srgb,currentColor 16%,transparent);border-left:5px solid #5A7A99;border-radius:8px;padding:.6rem .85rem;margin:.4rem 0}
.ml-alert.critical{border-left-color:#C44A00}.ml-alert.warning{border-left-color:#B36B00}
.ml-alert p{margin:.15rem 0;font-size:.88rem}
/* The grid's own CSV button does not escape formulas; the page's download button does. */
[data-testid="stElementToolbarButton"]:has([aria-label*="ownload"]),[data-testid="stDataFrame"] [aria-label="Download as CSV"]{display:none!important}
[data-testid="stMainBlockContainer"]{padding:3.25rem 2.5rem 3rem;max-width:1400px}
h1{font-size:1.75rem!important}h2{font-size:1.25rem!important}h3{font-size:1.05rem!important}
@media (max-width:640px){.ml-card .v{font-size:1.3rem}.ml-cards{grid-template-columns:repeat(2,minmax(0,1fr));gap:.5rem}[data-testid="stMainBlockContainer"]{padding:3.25rem 1rem 2rem}}
</style>
"""


@dataclass(frozen=True)
class Column:
    """One column of a table: source column, heading, how a cell reads, and whether it is a number."""

    name: str
    heading: str
    show: Callable[[Any], str] = fmt.text
    numeric: bool = True
    wide: bool = False


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
    """A grid of key figures that reflows to two columns on a phone."""
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
    st.html(f'<ul class="ml-cards">{"".join(body)}</ul>')


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
    rows = []
    for number, record in enumerate(frame[[c.name for c in columns]].itertuples(index=False, name=None)):
        cells = []
        for position, (column, value) in enumerate(zip(columns, record, strict=True)):
            shown = (
                figure(f"{key}.{number}.{column.name}", value, column.show)
                if key and column.numeric
                else escape(column.show(value))
            )
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
    """A Vega-Lite chart drawn by the page itself (no outside request), with alt text and a caption."""
    st.vega_lite_chart(frame, spec, width="stretch", alt=alt)
    st.caption(caption or alt)


def download(frame: pd.DataFrame, name: str, label: str = "Download as CSV") -> None:
    """A CSV whose text cells cannot run as formulas. Made when it is asked for, not with the page."""
    safe = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-")
    st.download_button(
        label,
        data=lambda: to_csv(frame),
        file_name=f"{safe}.csv",
        mime="text/csv",
        key=f"download-{safe}",
        icon=":material/download:",
        on_click="ignore",
    )
