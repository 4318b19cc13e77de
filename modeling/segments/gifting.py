"""What the B2B gifting tables can answer about response and lifetime value, and what they cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from modeling.errors import Refusal
from modeling.segments.value import (
    TRUSTED_ERROR,
    expected_basket,
    expected_purchases,
    fit_value,
    hold_out_error,
    summarise,
)

COLUMNS = ("measure", "entity", "observations", "estimate", "ci_low", "ci_high", "is_supported", "note")
AHEAD_MONTHS = 12
HOLD_OUT_MONTHS = 6
MIN_ANSWERS = 30


def wilson(successes: int, trials: int, level: float = 0.90) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927)."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return float(centre - half), float(centre + half)


def conversions(expenditure: pd.DataFrame) -> list[dict[str, object]]:
    """Share of answered gifts that converted, for all and by gift; open answers are left out, not counted as no.

    Args:
        expenditure: gift_id and is_converted (true, false or null).
    """
    answered = expenditure[expenditure["is_converted"].notna()]
    if answered.empty:
        return [_no("conversion_rate", "all", 0, "no gift has an answer")]
    rows = []
    groups = [("all", answered), *((str(g), part) for g, part in answered.groupby("gift_id"))]
    table = pd.crosstab(answered["gift_id"], answered["is_converted"].astype(bool))
    differs = (
        float(stats.chi2_contingency(table.to_numpy()).pvalue)
        if table.shape[0] > 1 and table.shape[1] == 2
        else 1.0
    )
    words = f"gifts {'differ' if differs < 0.05 else 'do not differ detectably'} (chi-square p={differs:.2f}); a rate, not an uplift"
    for entity, part in groups:
        won, count = int(part["is_converted"].astype(bool).sum()), len(part)
        low, high = wilson(won, count)
        enough = count >= MIN_ANSWERS
        note = words if enough else f"fewer than {MIN_ANSWERS} answers"
        rows.append(
            dict(
                zip(
                    COLUMNS,
                    ("conversion_rate", entity, count, won / count, low, high, enough, note),
                    strict=True,
                )
            )
        )
    return rows


def client_value(orders: pd.DataFrame) -> dict[str, object]:
    """Expected revenue of a client in the next twelve months, where a hold-out of six months bears it out.

    Args:
        orders: client_id, month_start_date, total_revenue_usd.
    """
    measure = "client_value_12m_usd"
    dated = orders[orders["month_start_date"].notna() & (orders["total_revenue_usd"] > 0)].copy()
    if dated.empty:
        return _no(measure, "client", 0, "no order has a month and a revenue")
    month = pd.to_datetime(dated["month_start_date"])
    dated["week"] = month.dt.year * 12 + month.dt.month
    dated["week"] -= dated["week"].min()
    events = dated.groupby(["client_id", "week"])["total_revenue_usd"].agg(["size", "sum"]).reset_index()
    events.columns = pd.Index(["customer_key", "week", "purchases", "value_usd"])
    end = int(events["week"].max())
    if end < 2 * HOLD_OUT_MONTHS:
        return _no(
            measure,
            "client",
            len(events),
            f"{end + 1} months of orders are too few for a hold-out of {HOLD_OUT_MONTHS}",
        )
    try:
        history = summarise(events, end)
        model = fit_value(history)
        error = hold_out_error(events, end, HOLD_OUT_MONTHS)
    except Refusal as refusal:
        return _no(measure, "client", len(events), str(refusal))
    value = expected_purchases(model, history, AHEAD_MONTHS) * expected_basket(model, history)
    words = f"months with orders in the last {HOLD_OUT_MONTHS} predicted with {error:+.1%} error"
    if not np.isfinite(value).all() or abs(error) > TRUSTED_ERROR:
        return _no(measure, "client", len(history), words)
    half = float(stats.norm.ppf(0.95) * value.std(ddof=1) / np.sqrt(len(value)))
    mean = float(value.mean())
    return dict(
        zip(
            COLUMNS,
            (measure, "client", len(history), mean, mean - half, mean + half, True, words),
            strict=True,
        )
    )


def gift_response(expenditure: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """All answers and refusals, one row each: measure, entity, observations, estimate, interval, is_supported, note."""
    rows = conversions(expenditure)
    rows.append(client_value(orders))
    reason = (
        "every recipient got a gift, so that there is nobody to compare with"
        if len(expenditure)
        else "no gift was delivered"
    )
    rows.append(_no("gift_uplift", "all", len(expenditure), reason))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _no(measure: str, entity: str, observations: int, reason: str) -> dict[str, object]:
    missing = float("nan")
    return dict(
        zip(
            COLUMNS,
            (measure, entity, observations, missing, missing, missing, False, f"not supported: {reason}"),
            strict=True,
        )
    )
