"""Reads the marts and keeps the alert events, through the models' door to the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from alerts.ledger import Event
from modeling.io import RUN_TABLES, Warehouse

EVENTS = list(RUN_TABLES["alert"])


class Store:
    """One brand's view of the warehouse."""

    def __init__(self, warehouse: Warehouse, brand_id: str) -> None:
        self.warehouse, self.brand_id = warehouse, brand_id

    def frame(self, columns: Sequence[str], sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """A query as a frame with plain numbers. The SQL runs on both engines."""
        rows = self.warehouse.query(sql, parameters)
        frame = pd.DataFrame(rows, columns=list(columns))
        for column in columns:
            if column.endswith(
                (
                    "_usd",
                    "_rate",
                    "units",
                    "impressions",
                    "clicks",
                    "conversions",
                    "places",
                    "unmapped",
                    "total",
                    "probability",
                    "probability_stockout",
                    "claim",
                    "caused",
                )
            ) or column.startswith(("rows_", "money_")):
                frame[column] = pd.to_numeric(frame[column], errors="coerce").astype(float)
        return frame

    def has(self, *tables: str) -> bool:
        return all(self.warehouse.has_table(f"marts.{t}") for t in tables)

    def as_of(self) -> date | None:
        """Last day that has both media and sales."""
        if not self.has("fct_media_daily", "fct_pos_daily"):
            return None
        ends = [
            self.warehouse.query(f"select max(date_day) from marts.{t} where brand_id = ?", [self.brand_id])[
                0
            ][0]
            for t in ("fct_media_daily", "fct_pos_daily")
        ]
        return min(pd.Timestamp(e).date() for e in ends) if all(e is not None for e in ends) else None

    def media(self, since: date, until: date) -> pd.DataFrame:
        return self.frame(
            ("date_day", "channel_id", "spend_usd", "impressions", "clicks", "platform_conversions", "rows"),
            "select date_day, channel_id, sum(spend_usd), sum(impressions), sum(clicks), sum(platform_conversions), count(*) "
            "from marts.fct_media_daily where brand_id = ? and date_day between ? and ? group by date_day, channel_id",
            [self.brand_id, since, until],
        )

    def sales(self, since: date, until: date) -> pd.DataFrame:
        return self.frame(
            ("date_day", "retailer_id", "units", "revenue_usd", "places"),
            "select date_day, retailer_id, sum(units), sum(revenue_usd), count(distinct case when units > 0 then dma_id end) from marts.fct_pos_daily "
            "where brand_id = ? and date_day between ? and ? group by date_day, retailer_id",
            [self.brand_id, since, until],
        )

    def unmapped(self, since: date, until: date) -> pd.DataFrame:
        """Money on the unmapped place, of media by channel and of sales by retailer."""
        return self.frame(
            ("date_day", "entity", "unmapped", "total"),
            "select date_day, channel_id, sum(case when dma_id = '999' then spend_usd else 0 end), sum(spend_usd) from marts.fct_media_daily "
            "where brand_id = ? and date_day between ? and ? and dma_id <> '000' group by date_day, channel_id union all "
            "select date_day, retailer_id, sum(case when dma_id = '999' then revenue_usd else 0 end), sum(revenue_usd) from marts.fct_pos_daily "
            "where brand_id = ? and date_day between ? and ? and dma_id <> '000' group by date_day, retailer_id",
            [self.brand_id, since, until, self.brand_id, since, until],
        )

    def holidays(self, since: date, until: date) -> frozenset[date]:
        if not self.has("dim_calendar"):
            return frozenset()
        rows = self.warehouse.query(
            "select date_day from marts.dim_calendar where is_holiday and date_day between ? and ?",
            [since, until],
        )
        return frozenset(pd.Timestamp(r[0]).date() for r in rows)

    def deliveries(self) -> pd.DataFrame:
        columns = (
            "feed",
            "outcome",
            "rows_file",
            "rows_quarantined",
            "money_quarantined",
            "delivered_at",
            "last_date",
        )
        return self.frame(
            columns,
            f"select {', '.join(columns)} from marts.fct_feed_load where brand_id = ?",
            [self.brand_id],
        )

    def stock(self) -> pd.DataFrame:
        return self.frame(
            ("week_start_date", "retailer_id", "in_stock_rate"),
            "select week_start_date, retailer_id, avg(in_stock_rate) from marts.fct_inventory_week where brand_id = ? "
            "group by week_start_date, retailer_id",
            [self.brand_id],
        )

    def failed_runs(self) -> pd.DataFrame:
        """The newest run of each job and unit, where it failed."""
        return self.frame(
            ("job", "status", "message", "as_of_date"),
            "select job, status, message, as_of_date from (select job, unit, status, message, as_of_date, row_number() over "
            "(partition by job, unit order by recorded_seq desc) as n from runs.model_run where brand_id = ?) r "
            "where n = 1 and status = 'failed'",
            [self.brand_id],
        )

    def stock_risk(self) -> pd.DataFrame:
        """Items over the next four weeks: the chance to run out is cumulative over weeks, lost sales add up."""
        first = self.warehouse.query(
            "select min(week_start_date) from marts.fct_stock_risk_week where brand_id = ?", [self.brand_id]
        )[0][0]
        columns = ("entity", "probability_stockout", "lost_sales_usd", "suggested_order_units")
        if first is None:
            return pd.DataFrame(columns=list(columns))
        until = pd.Timestamp(first).date() + timedelta(days=27)
        return self.frame(
            columns,
            "select r.product_id || ' at ' || r.retailer_id || ', ' || coalesce(d.dma_name, r.dma_id), max(r.probability_stockout), "
            "sum(r.lost_sales_usd), max(r.suggested_order_units) from marts.fct_stock_risk_week r "
            "left join marts.dim_dma d on d.dma_id = r.dma_id where r.brand_id = ? and r.week_start_date <= ? group by 1",
            [self.brand_id, until],
        )

    def wasted(self, certain: float) -> pd.DataFrame:
        return self.frame(
            ("channel_id", "places", "wasted_spend_usd"),
            "select channel_id, count(*), sum(wasted_spend_usd) from marts.fct_wasted_spend where brand_id = ? and probability_wasted >= ? "
            "group by channel_id",
            [self.brand_id, certain],
        )

    def over_credited(self) -> pd.DataFrame:
        return self.frame(
            ("channel_id", "claim", "caused", "spend_usd", "verdict_probability"),
            "select m.channel_id, c.roas, m.roas, m.spend_usd, m.verdict_probability from marts.fct_channel_evidence m "
            "join marts.fct_channel_evidence c on c.brand_id = m.brand_id and c.channel_id = m.channel_id and c.source = 'platform_claim' "
            "where m.brand_id = ? and m.source = 'mmm' and m.verdict = 'over_credited'",
            [self.brand_id],
        )

    def better_plan(self) -> tuple[float | None, float | None]:
        rows = self.warehouse.query(
            "select incremental_revenue_usd, probability_of_gain from marts.fct_budget_scenario "
            "where brand_id = ? and scenario = 'optimal' and channel_id = 'all'",
            [self.brand_id],
        )
        if not rows or rows[0][0] is None or rows[0][1] is None:
            return None, None
        return float(rows[0][0]), float(rows[0][1])

    def events(self) -> list[Event]:
        rows = self.warehouse.query(
            f"select {', '.join(EVENTS)} from runs.alert where brand_id = ? order by event_seq",
            [self.brand_id],
        )
        events = [dict(zip(EVENTS, row, strict=True)) for row in rows]
        for event in events:
            for name in ("as_of_date", "period_start", "period_end", "opened_on"):
                if event[name] is not None:
                    event[name] = pd.Timestamp(event[name]).date()
        return events

    def append(self, events: Sequence[Event]) -> None:
        """Add events in order; the same event twice is one event."""
        if not events:
            return
        top = self.warehouse.query("select coalesce(max(event_seq), 0) from runs.alert")[0][0]
        numbered = [{**event, "event_seq": int(top) + i} for i, event in enumerate(events, start=1)]
        self.warehouse.append("alert", numbered, ["event_id"])
