"""Rules over tables of daily figures: pure functions, no SQL, no clock.

Every rule looks at the last ``window`` days (or the newest delivery) and returns findings with what was observed,
what was expected, and the money at stake in USD where that can be said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from alerts.detector import Floats, Scores, score


@dataclass(frozen=True)
class Finding:
    """One incident: rule, what it is about, the figures, the days, and what it is worth."""

    rule: str
    entity: str
    metric: str
    observed: float | None
    expected: float | None
    low: float | None
    high: float | None
    period_start: date
    period_end: date
    worth_usd: float | None
    message: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """Limits on observed over expected: a finding needs the ratio below ``under`` or above ``over``."""

    under: float = 0.0
    over: float = float("inf")


LIMITS = {
    "spend_spike": Ratio(over=1.7),
    "spend_stop": Ratio(under=0.08),
    "spend_drop": Ratio(under=0.58),
    "unit_error": Ratio(under=0.4, over=2.5),
    "clicks_lost": Ratio(under=0.35),
    "conversions_lost": Ratio(under=0.35),
    "sales_drop": Ratio(under=0.56),
    "price_shift": Ratio(under=0.8, over=1.25),
    "places_missing": Ratio(under=0.85),
    "double_count": Ratio(over=1.7),
}
PROMOTION_ENDED = 1.03  # average price over its usual level
MONEY_FLOOR_USD = 200.0  # a channel that spends less a day is watched by the week's totals, not by the day
CONVERSIONS_FLOOR = 20.0
CLICKS_FLOOR = 50.0


def panel(
    frame: pd.DataFrame, key: str, columns: list[str]
) -> Iterator[tuple[str, pd.DatetimeIndex, dict[str, Floats]]]:
    """Each entity's gap-free daily series; a day without a row inside the span counts as zero."""
    if frame.empty:
        return
    end = pd.Timestamp(frame["date_day"].max())
    for entity, part in frame.groupby(key, sort=True):
        days = pd.date_range(pd.Timestamp(part["date_day"].min()), end)
        table = (
            part.assign(date_day=pd.to_datetime(part["date_day"]))
            .groupby("date_day")[columns]
            .sum()
            .reindex(days, fill_value=0.0)
        )
        yield str(entity), days, {c: table[c].to_numpy(dtype=float) for c in columns}


def _hits(scores: Scores, limit: Ratio, days: range) -> list[int]:
    """Days of the window that pass the detector's gates and the rule's own limit."""
    return scores.incidents(limit.under, limit.over, days)


def _finding(
    rule: str,
    entity: str,
    metric: str,
    index: pd.DatetimeIndex,
    values: Floats,
    scores: Scores,
    hits: list[int],
    worth: float | None,
    message: str,
) -> Finding:
    worst = max(hits, key=lambda d: abs(scores.log_ratio[d]))
    return Finding(
        rule,
        entity,
        metric,
        float(values[worst]),
        float(scores.expected[worst]),
        float(scores.low[worst]),
        float(scores.high[worst]),
        index[hits[0]].date(),
        index[hits[-1]].date(),
        worth,
        message,
    )


def media(frame: pd.DataFrame, window: int = 7) -> list[Finding]:
    """Incidents per channel.

    Args:
        frame: date_day, channel_id, spend_usd, impressions, clicks, platform_conversions, rows (of the daily mart); one row
            a channel and day.
        window: how many of the newest days this run answers for.
    """
    found: list[Finding] = []
    for channel, index, s in panel(
        frame, "channel_id", ["spend_usd", "impressions", "clicks", "platform_conversions", "rows"]
    ):
        last = range(max(0, len(index) - window), len(index))
        spend = score(s["spend_usd"])
        if not np.nanmedian(s["spend_usd"][-63:]) >= MONEY_FLOOR_USD:
            continue
        found += _media_spend(channel, index, s, spend, last)
        found += _media_rates(channel, index, s, spend, last)
    return found


def _media_spend(
    channel: str, index: pd.DatetimeIndex, s: dict[str, Floats], spend: Scores, last: range
) -> list[Finding]:
    found: list[Finding] = []
    y = s["spend_usd"]
    high = _hits(spend, LIMITS["spend_spike"], last)
    # Days loaded twice double the rows behind them; a real overspend spends more through the rows that are there.
    twice = [d for d in _hits(score(s["rows"]), LIMITS["double_count"], last) if 1.3 < spend.ratio(d) < 3.0]
    if twice:
        excess = float(sum(y[d] - spend.expected[d] for d in twice))
        found.append(
            _finding(
                "double_count",
                channel,
                "spend_usd",
                index,
                y,
                spend,
                twice,
                excess,
                "Rows and spend doubled together: the same days look loaded twice.",
            )
        )
    unit = score(over(s["spend_usd"], s["impressions"]))
    mispriced = set(_hits(unit, LIMITS["unit_error"], last))
    spikes = [d for d in high if d not in twice and d not in mispriced]
    if spikes:
        excess = float(sum(y[d] - spend.expected[d] for d in spikes))
        found.append(
            _finding(
                "spend_spike",
                channel,
                "spend_usd",
                index,
                y,
                spend,
                spikes,
                excess,
                f"Spend was {max(spend.ratio(d) for d in spikes):.1f} times its usual level.",
            )
        )
    stops = _hits(spend, LIMITS["spend_stop"], last)
    if stops:
        found.append(
            _finding(
                "spend_stop",
                channel,
                "spend_usd",
                index,
                y,
                spend,
                stops,
                float(sum(spend.expected[d] - y[d] for d in stops)),
                f"Spend stopped on {len(stops)} day{'s' if len(stops) > 1 else ''}; {spend.expected[stops[-1]]:,.0f} USD a day was usual.",
            )
        )
    drops = [d for d in _hits(spend, LIMITS["spend_drop"], last) if d not in stops and d not in mispriced]
    if drops:
        found.append(
            _finding(
                "spend_drop",
                channel,
                "spend_usd",
                index,
                y,
                spend,
                drops,
                float(sum(spend.expected[d] - y[d] for d in drops)),
                f"Spend fell to {100 * min(spend.ratio(d) for d in drops):.0f} % of its usual level.",
            )
        )
    return found


def _media_rates(
    channel: str, index: pd.DatetimeIndex, s: dict[str, Floats], spend: Scores, last: range
) -> list[Finding]:
    found: list[Finding] = []
    for rule, metric, top, bottom, floor, words in (
        (
            "unit_error",
            "cpm_usd",
            s["spend_usd"],
            s["impressions"] / 1000,
            1.0,
            "Cost per thousand impressions is {ratio:.2g} times its usual level.",
        ),
        (
            "clicks_lost",
            "ctr",
            s["clicks"],
            s["impressions"],
            CLICKS_FLOOR,
            "Clicks per impression fell to {ratio:.0%} of the usual rate.",
        ),
        (
            "conversions_lost",
            "conversions_per_click",
            s["platform_conversions"],
            s["clicks"],
            CONVERSIONS_FLOOR,
            "Conversions per click fell to {ratio:.0%} of the usual rate.",
        ),
    ):
        if np.nanmedian(top[-63:]) < floor and rule != "unit_error":
            continue
        rate = over(top, bottom)
        scores = score(rate)
        # A rate means nothing on a day without its denominator: that is the spend rules' business.
        usual = np.nanmedian(bottom[-63:])
        hits = [d for d in _hits(scores, LIMITS[rule], last) if bottom[d] > 0.2 * usual]
        if hits:
            worst = max(hits, key=lambda d: abs(scores.log_ratio[d]))
            worth = (
                abs(float(sum(s["spend_usd"][d] - spend.expected[d] for d in hits)))
                if rule == "unit_error"
                else float(sum(s["spend_usd"][d] for d in hits))
            )
            found.append(
                _finding(
                    rule,
                    channel,
                    metric,
                    index,
                    rate,
                    scores,
                    hits,
                    worth,
                    words.format(ratio=scores.ratio(worst)),
                )
            )
    return found


def over(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def sales(frame: pd.DataFrame, window: int = 7, holidays: frozenset[date] = frozenset()) -> list[Finding]:
    """Incidents per retailer.

    Args:
        frame: date_day, retailer_id, units, revenue_usd, places (distinct places with sales that day).
        holidays: days on which a shop may rightly be closed; sales are not judged there.
    """
    found: list[Finding] = []
    for retailer, index, s in panel(frame, "retailer_id", ["units", "revenue_usd", "places"]):
        last = range(max(0, len(index) - window), len(index))
        judged = [d for d in last if index[d].date() not in holidays]
        units, places = score(s["units"]), score(s["places"])
        price = over(s["revenue_usd"], s["units"])
        priced = score(price)
        drops = [d for d in _hits(units, LIMITS["sales_drop"], last) if d in judged]
        # Prices that go back up say that a promotion has ended: sales then fall as they should, unless they all but stop.
        drops = [d for d in drops if not (priced.ratio(d) > PROMOTION_ENDED and units.ratio(d) > 0.4)]
        gone = [d for d in _hits(places, LIMITS["places_missing"], last) if d in judged]
        if drops:
            usual = score(s["revenue_usd"])
            worth = float(sum(max(0.0, usual.expected[d] - s["revenue_usd"][d]) for d in drops))
            found.append(
                _finding(
                    "sales_drop",
                    retailer,
                    "units",
                    index,
                    s["units"],
                    units,
                    drops,
                    worth,
                    f"Units fell to {100 * min(units.ratio(d) for d in drops):.0f} % of the usual level.",
                )
            )
        if gone:
            found.append(
                _finding(
                    "places_missing",
                    retailer,
                    "places",
                    index,
                    s["places"],
                    places,
                    gone,
                    None,
                    f"{s['places'][gone[-1]]:.0f} places report; {places.expected[gone[-1]]:.0f} are usual.",
                )
            )
        moved = _hits(priced, LIMITS["price_shift"], last)
        if moved:
            worst = max(moved, key=lambda d: abs(priced.log_ratio[d]))
            worth = abs(float(sum((price[d] - priced.expected[d]) * s["units"][d] for d in moved)))
            found.append(
                _finding(
                    "price_shift",
                    retailer,
                    "price_usd",
                    index,
                    price,
                    priced,
                    moved,
                    worth,
                    f"Average price is {price[worst]:.2f} USD; {priced.expected[worst]:.2f} is usual.",
                )
            )
    return found
