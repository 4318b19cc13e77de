"""What a reader may narrow a page to, as bound SQL predicates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

PERIODS = {
    "launch": ("Launch, last 12 weeks", 12),
    "4w": ("Last 4 weeks", 4),
    "13w": ("Last 13 weeks", 13),
    "52w": ("Last 52 weeks", 52),
    "all": ("All weeks", None),
}
DEFAULT_PERIOD = "launch"


@dataclass(frozen=True)
class Filters:
    """One reader's view: a brand, whole published weeks (Sunday to Saturday), and optional lists (empty = all)."""

    brand_id: str
    start: date
    end: date
    channels: tuple[str, ...] = ()
    retailers: tuple[str, ...] = ()
    dmas: tuple[str, ...] = ()

    def where(
        self, *columns: str, time: str | None = "date_day", brand: bool = True
    ) -> tuple[str, list[Any]]:
        """Predicate over the given columns (``channel_id``, ``retailer_id``, ``dma_id``) and its bound values.

        ``time`` names the date column to keep within the period; ``None`` keeps all dates.
        """
        parts: list[str] = []
        values: list[Any] = []
        if brand:
            parts.append("brand_id = ?")
            values.append(self.brand_id)
        if time is not None:
            parts.append(f"{time} between ? and ?")
            values += [self.start, self.end]
        chosen = {"channel_id": self.channels, "retailer_id": self.retailers, "dma_id": self.dmas}
        for column in columns:
            if chosen[column]:
                parts.append(f"{column} in ({', '.join('?' * len(chosen[column]))})")
                values += chosen[column]
        return " and ".join(parts) or "true", values

    def between(self, start: date, end: date) -> Filters:
        """The same view over other dates."""
        return replace(self, start=start, end=end)


def last_complete_saturday(as_of: date) -> date:
    """End of the last whole published week on or before the as-of date."""
    return as_of - timedelta(days=(as_of.weekday() - 5) % 7)


def period(name: str, first: date, as_of: date) -> tuple[date, date]:
    """First and last day of a named period: whole weeks only, none before the first published week."""
    end = last_complete_saturday(as_of)
    _, weeks = PERIODS.get(name, PERIODS[DEFAULT_PERIOD])
    start = first if weeks is None else max(first, end - timedelta(days=7 * weeks - 1))
    return min(start, end), end


def known(values: Iterable[str], allowed: Iterable[str]) -> tuple[str, ...]:
    """The values that exist in this version, in a fixed order: an address cannot smuggle in others."""
    return tuple(sorted(set(values) & set(allowed)))
