"""Questions to the media, sales and shop marts. Shared by pages, API and report, so a figure has one definition.

A fact is summed over the reader's view by any of its columns; names come with the ids. Rates are ratios of sums
and are null on a zero denominator.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from dashboard.filters import Filters
from dashboard.metrics import summed
from dashboard.reader import Snapshot


@dataclass(frozen=True)
class Fact:
    """A daily mart: its table, the filters that narrow it, and its sums and rates as select expressions."""

    table: str
    narrows: tuple[str, ...]
    sums: tuple[str, ...]
    rates: tuple[str, ...]

    def select(self) -> str:
        return ", ".join([*(f"sum({column})::double as {column}" for column in self.sums), *self.rates])


MEDIA = Fact(
    "fct_media_daily",
    ("channel_id", "dma_id"),
    ("spend_usd", "impressions", "clicks", "platform_conversions", "platform_value_usd"),
    (
        f"{summed('roas')} as platform_roas",
        "sum(spend_usd) / nullif(sum(platform_conversions), 0) as platform_cpa_usd",
        f"{summed('ctr')} as ctr",
        f"{summed('cpm')} as cpm_usd",
    ),
)
SALES = Fact(
    "fct_pos_daily",
    ("retailer_id", "dma_id"),
    ("units", "revenue_usd"),
    ("sum(revenue_usd) / nullif(sum(units), 0) as price_usd",),
)
SHOP = Fact(
    "fct_business_daily",
    (),
    ("orders", "new_orders", "new_customers", "revenue_usd", "gross_profit_usd"),
    (
        f"{summed('aov')} as order_value_usd",
        f"{summed('margin')} as margin",
        f"{summed('acquisition_rate')} as acquisition_rate",
        "count(*) filter (new_customers > new_orders) as impossible_days",
    ),
)
WEEK = "week_start_date"
#: Keys that are not plain columns.
EXPRESSIONS = {WEEK: "date_day - (extract(isodow from date_day)::int % 7)"}
#: What a key brings with it: columns, and the dimension that holds them.
NAMES = {
    "channel_id": ("d0.channel_name, d0.channel_group", "dim_channel"),
    "dma_id": ("coalesce(d1.dma_name, dma_id) as place", "dim_dma"),
    "retailer_id": ("coalesce(d2.retailer_name, retailer_id) as retailer", "dim_retailer"),
}
DRILLS = {
    "channel": ("channel_id",),
    "tactic": ("channel_id", "tactic"),
    "campaign": ("channel_id", "tactic", "campaign_name"),
    "place": ("channel_id", "dma_id"),
}


def named(keys: tuple[str, ...]) -> tuple[str, str]:
    """Select list and joins that put names beside ids; the joined rows are called ``s``."""
    columns, joins = [], []
    for number, (key, (names, dimension)) in enumerate(NAMES.items()):
        if key in keys:
            columns.append(names)
            joins.append(f"left join marts.{dimension} d{number} using ({key})")
    return "".join(f"{c}, " for c in columns) + "s.*", " ".join(joins)


def totals(snap: Snapshot, fact: Fact, f: Filters) -> pd.Series[Any]:
    """Sums and rates of the whole view; null where nothing was reported."""
    where, values = f.where(*fact.narrows)
    return snap.frame(f"select {fact.select()} from marts.{fact.table} where {where}", values).iloc[0]


def by(snap: Snapshot, fact: Fact, f: Filters, *keys: str, order: str = "", also: str = "") -> pd.DataFrame:
    """Sums and rates by these columns (or ``week_start_date``), with names beside ids; rows in the order of the keys.

    ``also`` names further columns of the joined dimensions, each with a comma behind it.
    """
    where, values = f.where(*fact.narrows)
    shown = ", ".join(f"{EXPRESSIONS.get(k, k)} as {k}" for k in keys)
    columns, joins = named(keys)
    return snap.frame(
        f"with s as (select {shown}, {fact.select()} from marts.{fact.table} where {where} group by all) "
        f"select {also}{columns} from s {joins} order by {order or ', '.join(keys)}",
        values,
    )


def drill(snap: Snapshot, f: Filters, level: str) -> pd.DataFrame:
    """Media at one level: channel, tactic, campaign or place; largest spend first. A level adds up to the one above.

    Raises:
        KeyError: an unknown level.
    """
    keys = DRILLS[level]
    order = f"spend_usd desc, {', '.join(keys)}"
    return by(snap, MEDIA, f, *keys, order=order, also="d0.attribution_window, ")


def channels(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Media by channel with its name, group and the attribution window its platform claims are counted in."""
    return drill(snap, f, "channel")


def group_weeks(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Media spend by week and channel group."""
    where, values = f.where(*MEDIA.narrows)
    return snap.frame(
        f"select {EXPRESSIONS[WEEK]} as {WEEK}, c.channel_group, sum(spend_usd)::double as spend_usd "
        f"from marts.fct_media_daily left join marts.dim_channel c using (channel_id) where {where} group by 1, 2 order by 1, 2",
        values,
    )


def claims(snap: Snapshot, f: Filters) -> pd.DataFrame:
    """Revenue the platforms claim by day and channel group, beside what they cost."""
    where, values = f.where(*MEDIA.narrows)
    return snap.frame(
        "select date_day, c.channel_group, sum(platform_value_usd)::double as claimed_usd, sum(spend_usd)::double as spend_usd "
        f"from marts.fct_media_daily left join marts.dim_channel c using (channel_id) where {where} group by 1, 2 order by 1, 2",
        values,
    )


def moves(
    snap: Snapshot, fact: Fact, f: Filters, last: date
) -> dict[str, tuple[tuple[str, float | None], ...]]:
    """Relative change of the last 7 and 30 complete days against as many days before, for each sum of a fact.

    A change is null when either of its two windows lacks a day.
    """
    windows = (7, 30)
    where, values = f.between(last - timedelta(days=2 * max(windows) - 1), last).where(*fact.narrows)
    parts = []
    for days in windows:
        for name, back in (("now", 0), ("before", days)):
            end = last - timedelta(days=back)
            inside = f"filter (date_day between date '{end - timedelta(days=days - 1)}' and date '{end}')"
            parts += [f"sum({c}) {inside} as {c}_{name}_{days}" for c in fact.sums]
            parts.append(f"count(distinct date_day) {inside} as days_{name}_{days}")
    row = snap.frame(f"select {', '.join(parts)} from marts.{fact.table} where {where}", values).iloc[0]

    def change(column: str, days: int) -> float | None:
        if (
            min(row[f"days_now_{days}"], row[f"days_before_{days}"]) < days
            or not row[f"{column}_before_{days}"]
        ):
            return None
        return float(row[f"{column}_now_{days}"]) / float(row[f"{column}_before_{days}"]) - 1

    return {c: tuple((f"{days} d", change(c, days)) for days in windows) for c in fact.sums}


def span(snap: Snapshot, brand_id: str) -> tuple[date, date] | None:
    """First and last day with media or sales, from the marts themselves."""
    parts = [
        f"select min(date_day) as a, max(date_day) as b from marts.{fact.table} where brand_id = ?"
        for fact in (MEDIA, SALES)
        if snap.has(fact.table, "brand_id", "date_day")
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


#: Filter -> the mart whose members it offers, its key, the dimension with the names, and how members are sorted.
OFFERED = {
    "channel": ("fct_media_week", "channel_id", "dim_channel", "channel_name", "channel_group, name"),
    "retailer": ("fct_pos_week", "retailer_id", "dim_retailer", "retailer_name", "name"),
    "dma": ("fct_pos_week", "dma_id", "dim_dma", "dma_name", "name"),
}


def options(snap: Snapshot, brand_id: str) -> dict[str, dict[str, str]]:
    """What the filters may offer: the names, by id, that occur in this version. Kept with the version."""
    if ("options", brand_id) in snap.derived:
        return snap.derived["options", brand_id]
    found: dict[str, dict[str, str]] = {}
    for kind, (fact, key, dimension, name, order) in OFFERED.items():
        found[kind] = {}
        if snap.has(fact, key) and snap.has(dimension, key, name):
            rows = snap.frame(
                f"select {key} as id, coalesce({name}, {key}) as name from "
                f"(select distinct {key} from marts.{fact} where brand_id = ?) left join marts.{dimension} using ({key}) "
                f"order by {order}",
                [brand_id],
            )
            found[kind] = dict(zip(rows.id.astype(str), rows.name.astype(str), strict=True))
    snap.derived["options", brand_id] = found
    return found
