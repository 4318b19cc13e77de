"""Questions to the media and sales marts. Shared by pages, API and report, so a figure has one definition.

Rates are ratios of sums and are null on a zero denominator. Sums run over the reader's filters only.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd

from dashboard.filters import Filters
from dashboard.reader import Snapshot

MEDIA_SUMS = """
    sum(spend_usd) as spend_usd, sum(impressions) as impressions, sum(clicks) as clicks,
    sum(platform_conversions) as platform_conversions, sum(platform_value_usd) as platform_value_usd,
    sum(platform_value_usd) / nullif(sum(spend_usd), 0) as platform_roas,
    sum(spend_usd) / nullif(sum(platform_conversions), 0) as platform_cpa_usd,
    sum(clicks) / nullif(sum(impressions), 0) as ctr,
    1000 * sum(spend_usd) / nullif(sum(impressions), 0) as cpm_usd
"""
DRILLS = {
    "channel": ("channel_id",),
    "tactic": ("channel_id", "tactic"),
    "campaign": ("channel_id", "tactic", "campaign_name"),
    "place": ("channel_id", "dma_id"),
}


def span(snap: Snapshot, brand_id: str) -> tuple[date, date] | None:
    """First and last day with media or sales, from the marts themselves."""
    parts = [
        f"select min(date_day) as a, max(date_day) as b from marts.{table} where brand_id = ?"
        for table in ("fct_media_daily", "fct_pos_daily")
        if snap.has(table, "brand_id", "date_day")
    ]
    if not parts:
        return None
    # Both kinds of fact must be there for a day to be complete, so the span ends where the first of them ends.
    row = snap.frame(
        f"select min(a) as first, min(b) as last from ({' union all '.join(parts)})", [brand_id] * len(parts)
    )
    if pd.isna(row.iat[0, 0]) or pd.isna(row.iat[0, 1]):
        return None
    return pd.Timestamp(row.iat[0, 0]).date(), pd.Timestamp(row.iat[0, 1]).date()


def options(snap: Snapshot, brand_id: str) -> dict[str, pd.DataFrame]:
    """What the filters may offer: ids and names that occur in this version."""
    empty = pd.DataFrame({"id": [], "name": []})
    channels = empty
    if snap.has("fct_media_week", "channel_id") and snap.has("dim_channel", "channel_id", "channel_name"):
        channels = snap.frame(
            "select channel_id as id, coalesce(channel_name, channel_id) as name, channel_group from "
            "(select distinct channel_id from marts.fct_media_week where brand_id = ?) "
            "left join marts.dim_channel using (channel_id) order by channel_group, name",
            [brand_id],
        )
    retailers = empty
    if snap.has("fct_pos_week", "retailer_id") and snap.has("dim_retailer", "retailer_id", "retailer_name"):
        retailers = snap.frame(
            "select retailer_id as id, coalesce(retailer_name, retailer_id) as name from "
            "(select distinct retailer_id from marts.fct_pos_week where brand_id = ?) "
            "left join marts.dim_retailer using (retailer_id) order by name",
            [brand_id],
        )
    places = empty
    if snap.has("fct_pos_week", "dma_id") and snap.has("dim_dma", "dma_id", "dma_name"):
        places = snap.frame(
            "select dma_id as id, coalesce(dma_name, dma_id) as name from "
            "(select distinct dma_id from marts.fct_pos_week where brand_id = ?) "
            "left join marts.dim_dma using (dma_id) order by name",
            [brand_id],
        )
    return {"channel": channels, "retailer": retailers, "dma": places}


def media_totals(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """One row: sums and rates of all media in the view."""
    where, values = f.where("channel_id", "dma_id")
    return snap.frame(f"select {MEDIA_SUMS} from marts.fct_media_daily where {where}", values)


def sales_totals(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """One row: units and revenue at the retailers in the view."""
    where, values = f.where("retailer_id", "dma_id")
    return snap.frame(
        f"select sum(units) as units, sum(revenue_usd) as revenue_usd, "
        f"sum(revenue_usd) / nullif(sum(units), 0) as price_usd from marts.fct_pos_daily where {where}",
        values,
    )


def business_totals(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """One row: the brand's own shop (orders, customers, margin) in the period."""
    where, values = f.where()
    return snap.frame(
        "select sum(orders) as orders, sum(new_orders) as new_orders, sum(new_customers) as new_customers, "
        "sum(revenue_usd) as revenue_usd, sum(gross_profit_usd) as gross_profit_usd, "
        "sum(revenue_usd) / nullif(sum(orders), 0) as order_value_usd, "
        "sum(gross_profit_usd) / nullif(sum(revenue_usd), 0) as margin, "
        "sum(new_customers) / nullif(sum(orders), 0) as acquisition_rate, "
        "count(*) filter (new_customers > new_orders) as impossible_days "
        f"from marts.fct_business_daily where {where}",
        values,
    )


def media_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Spend, impressions, clicks and claims by week."""
    where, values = f.where("channel_id", "dma_id")
    return snap.frame(
        "select date_day - (extract(isodow from date_day)::int % 7) as week_start_date, "
        f"{MEDIA_SUMS} from marts.fct_media_daily where {where} group by 1 order by 1",
        values,
    )


def sales_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("retailer_id", "dma_id")
    return snap.frame(
        "select date_day - (extract(isodow from date_day)::int % 7) as week_start_date, sum(units) as units, "
        f"sum(revenue_usd) as revenue_usd from marts.fct_pos_daily where {where} group by 1 order by 1",
        values,
    )


def moves(snap: Snapshot, f: Filters, what: str, last: date, days: int) -> float | None:
    """Relative change of the last ``days`` complete days against the ``days`` before; null when either is partial."""
    columns = {
        "revenue_usd": "fct_pos_daily",
        "units": "fct_pos_daily",
        "spend_usd": "fct_media_daily",
        "platform_value_usd": "fct_media_daily",
        "clicks": "fct_media_daily",
        "impressions": "fct_media_daily",
    }
    table = columns[what]
    keys = ("retailer_id", "dma_id") if table == "fct_pos_daily" else ("channel_id", "dma_id")
    middle, first = last - timedelta(days=days), last - timedelta(days=2 * days)
    where, values = f.between(first + timedelta(days=1), last).where(*keys)
    row = snap.frame(
        f"select sum({what}) filter (date_day > ?) as now, sum({what}) filter (date_day <= ?) as before, "
        "count(distinct date_day) filter (date_day > ?) as now_days, count(distinct date_day) filter (date_day <= ?) as before_days "
        f"from marts.{table} where {where}",
        [middle, middle, middle, middle, *values],
    ).iloc[0]
    if row.now_days < days or row.before_days < days or not row.before:
        return None
    return float(row.now) / float(row.before) - 1


def channels(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Media by channel with its name, group and the attribution window its platform claims are counted in."""
    return drill(snap, f, "channel")


def drill(snap: Snapshot, f: Filters, level: str) -> pd.DataFrame:
    """Media at one drill level: channel, tactic, campaign or place. Rows of a level add up to the level above.

    Raises:
        KeyError: an unknown level.
    """
    keys = DRILLS[level]
    where, values = f.where("channel_id", "dma_id")
    joined = "left join marts.dim_dma p using (dma_id)" if level == "place" else ""
    place = "coalesce(p.dma_name, dma_id) as place," if level == "place" else ""
    return snap.frame(
        f"with m as (select {', '.join(keys)}, {MEDIA_SUMS} from marts.fct_media_daily where {where} group by {', '.join(keys)}) "
        f"select c.channel_name, c.channel_group, c.attribution_window, {place} m.* from m "
        f"left join marts.dim_channel c using (channel_id) {joined} order by spend_usd desc, {', '.join(keys)}",
        values,
    )


def channel_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Media by channel and week."""
    where, values = f.where("channel_id", "dma_id")
    return snap.frame(
        "with m as (select date_day - (extract(isodow from date_day)::int % 7) as week_start_date, channel_id, "
        f"{MEDIA_SUMS} from marts.fct_media_daily where {where} group by 1, 2) "
        "select c.channel_name, c.channel_group, m.* from m left join marts.dim_channel c using (channel_id) "
        "order by week_start_date, channel_id",
        values,
    )


def claimed_by_day(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Revenue the platforms claim by day and channel, beside what the retailers sold that day."""
    where, values = f.where("channel_id", "dma_id")
    return snap.frame(
        "select date_day, c.channel_name, c.channel_group, sum(platform_value_usd) as claimed_usd, sum(spend_usd) as spend_usd "
        f"from marts.fct_media_daily m left join marts.dim_channel c using (channel_id) where {where} "
        "group by all order by 1, 2",
        values,
    )


def sales_days(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("retailer_id", "dma_id")
    return snap.frame(
        f"select date_day, sum(units) as units, sum(revenue_usd) as revenue_usd from marts.fct_pos_daily where {where} "
        "group by 1 order by 1",
        values,
    )


def spend_days(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("channel_id", "dma_id")
    return snap.frame(
        f"select date_day, sum(spend_usd) as spend_usd, sum(platform_value_usd) as claimed_usd from marts.fct_media_daily where {where} "
        "group by 1 order by 1",
        values,
    )


def business_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """The brand's own shop by week: orders, new customers, margin."""
    where, values = f.where()
    return snap.frame(
        "select date_day - (extract(isodow from date_day)::int % 7) as week_start_date, sum(orders) as orders, "
        "sum(new_customers) as new_customers, sum(revenue_usd) as revenue_usd, sum(gross_profit_usd) as gross_profit_usd, "
        "sum(gross_profit_usd) / nullif(sum(revenue_usd), 0) as margin "
        f"from marts.fct_business_daily where {where} group by 1 order by 1",
        values,
    )


def correlation(snap: Snapshot, f: Filters, lag_days: int) -> dict[str, Any]:
    """Correlation of daily spend with retailer revenue ``lag_days`` later: coefficient and number of days."""
    media_where, media = f.where("channel_id", "dma_id")
    sales_where, sales = f.where("retailer_id", "dma_id")
    row = snap.frame(
        f"with m as (select date_day, sum(spend_usd)::double as x from marts.fct_media_daily where {media_where} group by 1), "
        f"s as (select date_day, sum(revenue_usd)::double as y from marts.fct_pos_daily where {sales_where} group by 1) "
        "select corr(x, y) as r, count(*) as n from m join s on s.date_day = m.date_day + ?::int",
        [*media, *sales, lag_days],
    ).iloc[0]
    return {"lag_days": lag_days, "r": None if pd.isna(row.r) else float(row.r), "n": int(row.n)}


def retailer_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    where, values = f.where("retailer_id", "dma_id")
    return snap.frame(
        "select date_day - (extract(isodow from date_day)::int % 7) as week_start_date, "
        "coalesce(r.retailer_name, retailer_id) as retailer, sum(units) as units, sum(revenue_usd) as revenue_usd "
        f"from marts.fct_pos_daily left join marts.dim_retailer r using (retailer_id) where {where} group by 1, 2 order by 1, 2",
        values,
    )
