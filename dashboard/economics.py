"""Readings of sales and returns beside media: correlation, profit by channel under a stated rule, chances of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from dashboard import queries
from dashboard.filters import Filters
from dashboard.reader import Snapshot

#: The rule of profit_by_channel, in the words of the page.
RULE = (
    "Every dollar of sales bears the same cost of goods: the own shop's in this period. A channel has the sales that its platform "
    "claims, what no platform claims is a row of its own, and the rows add up to the gross profit of all sales."
)


def _sales(snap: Snapshot, f: Filters) -> queries.Fact:
    """Where this brand's sales are: at retailers, or in its own shop when no retailer reports any."""
    if snap.has("fct_pos_daily") and not _none(queries.totals(snap, queries.SALES, f).revenue_usd):
        return queries.SALES
    return queries.SHOP


def _none(value: Any) -> bool:
    return bool(pd.isna(value))


def correlations(snap: Snapshot, f: Filters, lags: tuple[int, ...]) -> pd.DataFrame:
    """Correlation of daily spend with sales some days later: one row a lag, with its number of days and p.

    p is two-sided for no correlation, from Student's t. Days resemble their neighbours, so they count as
    n (1 - ab) / (1 + ab) independent ones, a and b being the two series' correlations with their day before.
    """
    fact = _sales(snap, f)
    spend_where, spend = f.where(*queries.MEDIA.narrows)
    sales_where, sales = f.where(*fact.narrows)
    rows = snap.frame(
        f"with m as (select date_day, sum(spend_usd)::double as x from marts.fct_media_daily where {spend_where} group by 1), "
        f"s as (select date_day, sum(revenue_usd)::double as y from marts.{fact.table} where {sales_where} group by 1), "
        "pairs as (select lag_days, x, y, lag(x) over days as x_before, lag(y) over days as y_before "
        "from (select unnest(?::int[]) as lag_days) l cross join m join s on s.date_day = m.date_day + lag_days "
        "window days as (partition by lag_days order by m.date_day)) "
        "select lag_days, corr(x, y) as r, count(*) as n, corr(x, x_before) as a, corr(y, y_before) as b "
        "from pairs group by 1 order by 1",
        [*spend, *sales, list(lags)],
    )
    alike = (rows.a * rows.b).fillna(0.0)
    free = np.minimum(rows.n * (1 - alike) / (1 + alike), rows.n) - 2
    t = rows.r.abs() * np.sqrt(free.clip(lower=0) / (1 - rows.r**2).clip(lower=1e-300))
    rows["p"] = np.where((free > 0) & rows.r.notna(), 2 * special.stdtr(free.clip(lower=1), -t), np.nan)
    return rows.drop(columns=["a", "b"])


def profit_by_channel(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Claimed sales, cost of goods, gross profit, media and what is left by channel, under :data:`RULE`; USD.

    The last row is what no platform claims (negative where they claim more than was sold). Empty without a margin.
    """
    shop = queries.totals(snap, queries.SHOP, f)
    sold = queries.totals(snap, _sales(snap, f), f).revenue_usd
    if _none(shop.gross_profit_usd) or _none(sold) or not float(shop.revenue_usd or 0):
        return pd.DataFrame()
    rows = queries.channels(snap, f)[["channel_name", "platform_value_usd", "spend_usd"]]
    rows = rows.rename(columns={"platform_value_usd": "sales_usd"})
    rows[["sales_usd", "spend_usd"]] = rows[["sales_usd", "spend_usd"]].astype(float).fillna(0.0)
    rest = {
        "channel_name": "Claimed by no platform",
        "sales_usd": float(sold) - rows.sales_usd.sum(),
        "spend_usd": 0.0,
    }
    rows = pd.concat([rows, pd.DataFrame([rest])], ignore_index=True)
    margin = float(shop.gross_profit_usd) / float(shop.revenue_usd)
    rows["gross_profit_usd"] = rows.sales_usd * margin
    rows["cogs_usd"] = rows.sales_usd - rows.gross_profit_usd
    rows["profit_usd"] = rows.gross_profit_usd - rows.spend_usd
    return rows


def rank_probabilities(mean: Sequence[float], low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    """Probability of each rank from the highest down, (N, N): one row an estimate, columns ranks; rows and columns sum to 1.

    Estimates with 90 % intervals are taken as independent and normal, as the what-if does. Exact up to the grid: at each
    value of one estimate the number of others above it has a Poisson-binomial distribution.
    """
    centre = np.asarray(mean, dtype=float)
    error = np.maximum((np.asarray(high, dtype=float) - np.asarray(low, dtype=float)) / 3.29, 1e-9)
    count = len(centre)
    steps = np.linspace(-5, 5, 801)
    weight = np.exp(-(steps**2) / 2)
    weight /= weight.sum()
    out = np.zeros((count, count))
    for i in range(count):
        values = centre[i] + error[i] * steps
        above = np.zeros((count, len(steps)))
        above[0] = 1.0
        for j in range(count):
            if j != i:
                p = special.ndtr((centre[j] - values) / error[j])
                above[1:] = above[1:] * (1 - p) + above[:-1] * p
                above[0] *= 1 - p
        out[i] = above @ weight
    return out
