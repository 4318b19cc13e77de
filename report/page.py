"""The report's page: what collects its parts, and how they become one HTML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from dashboard import format as fmt
from dashboard.filters import Filters
from dashboard.reader import Snapshot

STYLE = (Path(__file__).parent / "style.css").read_text()


class Report:
    """Collects the page; every section says where its numbers come from, or why they are missing."""

    def __init__(self, snap: Snapshot, brand_id: str, truth: Path | None) -> None:
        self.snap, self.brand, self.truth = snap, brand_id, truth
        self.parts: list[str] = []
        self.everything = Filters(brand_id, date.min, date.max)

    def add(self, *html: str) -> None:
        self.parts.extend(html)

    def has(self, *tables: str) -> bool:
        """Whether all marts hold rows of this brand; notes the gap in the page otherwise."""
        for table in tables:
            keyed = self.snap.has(table, "brand_id")
            where, values = ("where brand_id = ?", [self.brand]) if keyed else ("", [])
            if not self.snap.has(table) or not self.snap.value(
                f"select count(*) from marts.{table} {where}", values
            ):
                self.add(
                    f'<p class="note">{escape(table)} holds no rows in this version, so this part has no answer yet.</p>'
                )
                return False
        return True

    def table(
        self, caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], numeric: Sequence[int] = ()
    ) -> None:
        def cell(i: int, value: Any, tag: str = "td") -> str:
            kind = " class=n" if i in numeric else " class=i" if heads[i] == "Interval" else ""
            return f"<{tag}{kind}>{escape(str(value))}</{tag}>"

        head = "".join(cell(i, h, "th") for i, h in enumerate(heads))
        body = "".join(f"<tr>{''.join(cell(i, v) for i, v in enumerate(row))}</tr>" for row in rows)
        self.add(
            f'<div class="wrap"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )


def document(report: Report) -> str:
    """The whole HTML document; it may load nothing and run nothing."""
    version = report.snap.version
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Leadership report, {escape(fmt.day(version.as_of_date))}</title><style>{STYLE}</style></head><body><main>"
        f"{''.join(report.parts)}</main></body></html>\n"
    )


def plain(text: str, names: dict[str, str]) -> str:
    """An answer as people read it: names for ids, no false certainty, a capital to begin with."""
    for channel in sorted(names, key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(channel)}\b", names[channel], text)
    text = re.sub(r"\bp 1\.00\b", "probability over 0.99", text)
    text = text.replace("probability of a gain 1.00", "probability of a gain over 0.99").replace(
        "p 0.000", "p under 0.001"
    )
    return text[:1].upper() + text[1:]
