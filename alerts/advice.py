"""Findings that are not incidents but advice, from the marts that hold model answers."""

from __future__ import annotations

from datetime import date

import pandas as pd

from alerts.checks import Finding

CERTAIN = 0.95
AT_MOST = 5
#: Advice on smaller sums is noise.
WORTH_USD = 1_000.0


def percent(probability: float) -> str:
    """A probability in whole percent; never a false certainty."""
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def stock_risk(frame: pd.DataFrame, as_of: date) -> list[Finding]:
    """The costliest items that will probably run out: entity, probability_stockout, lost_sales_usd, suggested_order_units."""
    rows = frame[(frame["probability_stockout"] >= 0.8) & (frame["lost_sales_usd"] > 0)].nlargest(
        AT_MOST, "lost_sales_usd"
    )
    return [
        Finding(
            "stock_risk",
            str(r.entity),
            "probability_stockout",
            float(r.probability_stockout),
            None,
            None,
            0.8,
            as_of,
            as_of,
            float(r.lost_sales_usd),
            f"{percent(r.probability_stockout)} chance to run out within four weeks.",
            {"units": f"{max(0.0, float(r.suggested_order_units or 0)):,.0f}"},
        )
        for r in rows.itertuples()
    ]


def wasted_spend(frame: pd.DataFrame, as_of: date) -> list[Finding]:
    """Channels with places whose next dollar surely does not pay: channel_id, places, wasted_spend_usd."""
    return [
        Finding(
            "wasted_spend",
            str(r.channel_id),
            "wasted_spend_usd",
            float(r.wasted_spend_usd),
            0.0,
            None,
            None,
            as_of,
            as_of,
            float(r.wasted_spend_usd),
            f"In {int(r.places)} place{'s' if r.places != 1 else ''} the next dollar returns less than it costs, with at least {CERTAIN:.0%} probability.",
        )
        for r in frame[frame["wasted_spend_usd"] >= WORTH_USD].itertuples()
    ]


def over_credited(frame: pd.DataFrame, as_of: date) -> list[Finding]:
    """Channels whose claims exceed what they cause: channel_id, claim, caused, spend_usd, verdict_probability.

    Worth: the part of the spend that did not come back as caused sales, where less than a dollar came per dollar.
    """
    rows = frame[frame["verdict_probability"] >= CERTAIN]
    return [
        Finding(
            "over_credited",
            str(r.channel_id),
            "roas",
            float(r.claim),
            float(r.caused),
            None,
            None,
            as_of,
            as_of,
            float((1 - r.caused) * r.spend_usd) if r.caused < 1 else None,
            f"Claims {r.claim:.2f} per dollar, causes {r.caused:.2f}.",
        )
        for r in rows.dropna(subset=["claim", "caused"]).itertuples()
    ]


def better_plan(gain_usd: float | None, probability: float | None, as_of: date) -> list[Finding]:
    """The optimal plan when it beats today's with high probability."""
    if gain_usd is None or probability is None or gain_usd <= 0 or probability < 0.9:
        return []
    return [
        Finding(
            "better_plan",
            "optimal",
            "probability_of_gain",
            probability,
            0.5,
            None,
            None,
            as_of,
            as_of,
            gain_usd,
            f"The same budget, spent otherwise, brings more: {percent(probability)} probability.",
        )
    ]
