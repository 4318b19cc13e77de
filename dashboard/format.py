"""Numbers as people read them. A missing number is an en dash, never a zero."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pandas as pd

MISSING = "–"


def missing(value: Any) -> bool:
    return value is None or (not isinstance(value, (str, bool)) and bool(pd.isna(value)))


def _short(value: float, digits: int = 3) -> str:
    size = abs(value)
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if size >= limit * 0.9995:
            scaled = value / limit
            decimals = max(0, digits - len(str(int(abs(scaled)))))
            return f"{scaled:.{min(decimals, 2)}f}{unit}"
    return f"{value:,.0f}" if size >= 100 or float(value).is_integer() else f"{value:.2f}"


def money(value: Any) -> str:
    """``$1.23M``; under a thousand to the cent."""
    if missing(value):
        return MISSING
    number = float(value)
    return ("−" if number < 0 else "") + "$" + _short(abs(number))


def money_exact(value: Any) -> str:
    if missing(value):
        return MISSING
    return ("−" if float(value) < 0 else "") + f"${abs(float(value)):,.2f}"


def count(value: Any) -> str:
    if missing(value):
        return MISSING
    number = float(value)
    return ("−" if number < 0 else "") + _short(abs(number))


def whole(value: Any) -> str:
    return MISSING if missing(value) else f"{float(value):,.0f}".replace("-", "−")


def p_value(value: Any) -> str:
    """Three decimals, never nought."""
    if missing(value):
        return MISSING
    return "< 0.001" if float(value) < 0.001 else f"{float(value):.3f}"


def ratio(value: Any) -> str:
    """Three figures at most: ``1.23``, ``20.3``, ``523``."""
    if missing(value):
        return MISSING
    number = float(value)
    decimals = 2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0
    return f"{number:,.{decimals}f}".replace("-", "−")


def percent(value: Any) -> str:
    """A share (0.123) as ``12.3 %``."""
    return MISSING if missing(value) else f"{float(value) * 100:.1f} %".replace("-", "−")


def chance(value: Any) -> str:
    """A probability in whole percent; never a false certainty."""
    if missing(value):
        return MISSING
    number = float(value)
    return "> 99 %" if number > 0.99 else "< 1 %" if number < 0.01 else f"{number * 100:.0f} %"


def small_percent(value: Any) -> str:
    return MISSING if missing(value) else f"{float(value) * 100:.2f} %".replace("-", "−")


def change(value: Any) -> str:
    """A relative change with its sign."""
    if missing(value):
        return MISSING
    sign = "+" if float(value) > 0 else "−" if float(value) < 0 else "±"
    return f"{sign}{abs(float(value)) * 100:.1f} %"


def interval(low: Any, high: Any, how: Any = ratio) -> str:
    """``1.20 to 2.40``; nothing where there is no interval."""
    return MISSING if missing(low) or missing(high) else f"{how(low)} to {how(high)}"


def day(value: Any) -> str:
    if missing(value):
        return MISSING
    stamp = pd.Timestamp(value)
    return f"{stamp.day} {stamp:%b %Y}"


def moment(value: datetime | date | None) -> str:
    return MISSING if missing(value) else f"{day(value)}, {pd.Timestamp(value):%H:%M} UTC"


def text(value: Any) -> str:
    return MISSING if missing(value) or value == "" else str(value)


def between(frame: pd.DataFrame, low: str, high: str, how: Any = ratio) -> list[str]:
    """Each row's interval, from two of its columns."""
    return [interval(a, b, how) for a, b in zip(frame[low], frame[high], strict=True)]


def words(value: Any) -> str:
    """``over_credited`` as ``over credited``."""
    return text(value).replace("_", " ")


def place(value: Any) -> str:
    """A market's name; the two members that are not places by their short names."""
    shown = text(value)
    return "National" if shown.startswith("National") else shown
