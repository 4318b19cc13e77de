"""Media and sales of the fixture, by day and by week."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.dashboard.fixture_world import CLAIM, CRM, GEO, GROUP, NAMES, NATIONAL, RETAILERS, WINDOW


def media_daily_of(
    rng: np.random.Generator,
    brand: str,
    days: pd.DatetimeIndex,
    places: list[str],
    share: np.ndarray,
    campaigns: int,
    size: float,
) -> pd.DataFrame:
    parts = []
    season = 1 + 0.15 * np.sin(2 * np.pi * days.day_of_year.to_numpy() / 365)
    for channel, daily in {**GEO, **NATIONAL, **CRM}.items():
        where = places if channel in GEO or channel in CRM else ["000"]
        split = share if len(where) > 1 or len(places) == 1 else np.ones(1)
        for place, part in zip(where, split, strict=True):
            for number in range(campaigns):
                n = len(days)
                spend = np.round(daily * size * part / campaigns * season * rng.lognormal(0, 0.12, n), 4)
                impressions = (spend / (9 + 4 * rng.random()) * 1000 * rng.lognormal(0, 0.05, n)).astype(
                    "int64"
                )
                clicks = (impressions * 0.011 * rng.lognormal(0, 0.1, n)).astype("int64")
                value = np.round(spend * CLAIM[channel] * rng.lognormal(0, 0.15, n), 4)
                parts.append(
                    pd.DataFrame(
                        {
                            "media_key": [f"{brand}-{channel}-{place}-{number}-{d:%Y%m%d}" for d in days],
                            "brand_id": brand,
                            "date_day": days,
                            "platform": channel,
                            "channel_id": channel,
                            "campaign_id": f"{channel}-{number + 1}",
                            "campaign_name": f"{NAMES[channel]} | {'Always on' if number == 0 else 'Launch burst'}",
                            "tactic": "Prospecting" if number == 0 else "Launch",
                            "state": None,
                            "dma_id": place,
                            "retailer_id": {
                                "amazon_ads": "amazon",
                                "walmart_connect": "walmart",
                                "roundel": "target",
                            }.get(channel),
                            "impressions": impressions,
                            "viewable_impressions": (impressions * 0.7).astype("int64"),
                            "clicks": clicks,
                            "video_completes": (impressions * 0.4).astype("int64")
                            if GROUP[channel] == "video"
                            else 0,
                            "spend_usd": spend,
                            "platform_conversions": np.round(value / 28.0, 2),
                            "platform_value_usd": value,
                            "attribution_window": WINDOW[channel],
                            "is_modelled_geo": False,
                            "source_feed": {
                                "youtube": "google_ads_geo",
                                "hulu": "dv360_dma",
                                "ctv_other": "amazon_dsp_geo",
                            }.get(channel, f"{channel}_feed"),
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)


def sales_of(
    rng: np.random.Generator,
    brand: str,
    days: pd.DatetimeIndex,
    places: list[str],
    share: np.ndarray,
    products: int,
    size: float,
) -> dict[str, pd.DataFrame]:
    parts = []
    weekday = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.25, 1.2])[days.day_of_week]
    for retailer, weight in zip(RETAILERS, (0.5, 0.3, 0.2), strict=True):
        for place, part in zip(places, share, strict=True):
            for product in range(products):
                units = rng.poisson(30_000 * min(size, 3) * weight * part / products * weekday)
                parts.append(
                    pd.DataFrame(
                        {
                            "brand_id": brand,
                            "date_day": days,
                            "retailer_id": retailer,
                            "dma_id": place,
                            "product_id": f"P{product + 1}",
                            "units": units,
                            "revenue_usd": np.round(units * (24.0 + 2 * product), 4),
                            "is_spread": retailer != "walmart",
                        }
                    )
                )
    daily = pd.concat(parts, ignore_index=True)
    sunday = daily.date_day - pd.to_timedelta((daily.date_day.dt.day_of_week + 1) % 7, unit="D")
    weekly = (
        daily.assign(week_start_date=sunday)
        .groupby(["brand_id", "week_start_date", "dma_id", "retailer_id", "product_id"], as_index=False)
        .agg(units_sold=("units", "sum"), revenue_usd=("revenue_usd", "sum"))
    )
    weekly = weekly.assign(
        week_id=weekly.week_start_date.dt.year * 100
        + weekly.week_start_date.dt.isocalendar().week.astype("int64"),
        avg_price_usd=weekly.revenue_usd / weekly.units_sold.where(weekly.units_sold > 0),
        list_price_usd=26.0,
        promo_flag=False,
        discount_pct=0.0,
        inventory_on_hand=weekly.units_sold * 3,
        in_stock_rate=0.96,
        is_stockout=False,
        is_complete=True,
    )
    revenue = daily.groupby("date_day").revenue_usd.sum().to_numpy()
    orders = (revenue / 31).astype("int64")
    business = pd.DataFrame(
        {
            "brand_id": brand,
            "date_day": days,
            "orders": orders,
            "new_orders": (orders * 0.4).astype("int64"),
            "new_customers": (orders * 0.36).astype("int64"),
            "revenue_usd": np.round(revenue, 4),
            "gross_profit_usd": np.round(revenue * 0.55, 4),
            "cogs_usd": np.round(revenue * 0.45, 4),
        }
    )
    crm = pd.DataFrame(
        [
            {
                "brand_id": brand,
                "date_day": d,
                "dma_id": p,
                "channel_id": c,
                "sends": 4000,
                "opens": 1300,
                "machine_opens": 420,
                "clicks": 90,
                "unsubscribes": 4,
                "clips": 210,
                "redemptions": 64,
                "redemption_value_usd": 1500.0,
                "discount_usd": 190.0,
            }
            for d in days[-56:]
            for p in places[:3]
            for c in ("email", "coupon")
        ]
    )
    return {
        "fct_pos_daily": daily,
        "fct_pos_week": weekly,
        "fct_business_daily": business,
        "fct_crm_daily": crm,
    }
