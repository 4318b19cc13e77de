"""A small serving file with every mart that the readers use, for tests and benchmarks only.

Numbers are drawn from a seeded generator and are internally consistent where a page relies on it (scenarios
sum to their budget, forecasts have ordered quantiles). The application never imports this module.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from zlib import crc32

import duckdb
import numpy as np
import pandas as pd

END = date(2026, 10, 24)
GEO = {
    "youtube": 42_000,
    "hulu": 30_000,
    "ctv_other": 36_000,
    "instagram_reels": 24_000,
    "meta_retargeting": 33_000,
    "search_nonbrand": 18_000,
    "search_brand": 15_000,
}
NATIONAL = {"amazon_ads": 28_000, "walmart_connect": 17_000, "roundel": 11_000}
CRM = {"email": 900, "coupon": 2_600}
GROUP = {
    "youtube": "video",
    "hulu": "video",
    "ctv_other": "video",
    "instagram_reels": "social",
    "meta_retargeting": "social",
    "search_brand": "search",
    "search_nonbrand": "search",
    "amazon_ads": "rmn",
    "walmart_connect": "rmn",
    "roundel": "rmn",
    "email": "crm",
    "coupon": "crm",
}
NAMES = {
    "youtube": "YouTube",
    "hulu": "Hulu",
    "ctv_other": "Other CTV",
    "instagram_reels": "Instagram Reels",
    "meta_retargeting": "Meta retargeting",
    "search_brand": "Search, brand",
    "search_nonbrand": "Search, non-brand",
    "amazon_ads": "Amazon Ads",
    "walmart_connect": "Walmart Connect",
    "roundel": "Roundel",
    "email": "Email",
    "coupon": "Digital coupons",
}
ROI = {
    "youtube": 2.4,
    "hulu": 1.9,
    "ctv_other": 2.7,
    "instagram_reels": 1.6,
    "meta_retargeting": 0.5,
    "search_brand": 0.7,
    "search_nonbrand": 1.5,
    "amazon_ads": 1.2,
    "walmart_connect": 1.1,
    "roundel": 0.9,
    "email": 5.2,
    "coupon": 1.8,
}
CLAIM = {
    "youtube": 1.1,
    "hulu": 0.8,
    "ctv_other": 1.0,
    "instagram_reels": 2.1,
    "meta_retargeting": 7.9,
    "search_brand": 8.4,
    "search_nonbrand": 3.1,
    "amazon_ads": 4.0,
    "walmart_connect": 3.2,
    "roundel": 2.6,
    "email": 9.5,
    "coupon": 3.0,
}
WINDOW = {
    "meta_retargeting": "7d click / 1d view",
    "instagram_reels": "7d click / 1d view",
    "amazon_ads": "14d click",
    "walmart_connect": "14d click",
    "roundel": "14d click",
    "youtube": "30d click / 3d view",
    "search_brand": "30d click",
    "search_nonbrand": "30d click",
    "hulu": "none",
    "ctv_other": "14d click",
    "email": "none",
    "coupon": "redemption",
}
DMAS = [
    "501",
    "803",
    "602",
    "504",
    "623",
    "807",
    "506",
    "524",
    "618",
    "511",
    "753",
    "819",
    "539",
    "505",
    "613",
    "528",
    "751",
    "534",
    "510",
    "862",
    "609",
    "820",
    "517",
    "508",
    "560",
    "512",
    "527",
    "825",
    "659",
    "533",
    "616",
    "535",
    "770",
    "617",
    "515",
    "641",
    "563",
    "567",
    "548",
    "839",
    "544",
    "630",
    "635",
    "518",
    "650",
    "790",
    "566",
    "640",
    "521",
    "561",
    "693",
    "571",
    "671",
    "556",
    "557",
    "529",
    "514",
    "501",
][:57]
RETAILERS = {"amazon": "Amazon", "walmart": "Walmart", "target": "Target"}
SERIES = "brand_id varchar, run_id varchar, as_of_date date"


class Builder:
    """Writes frames into schema ``marts`` of one DuckDB file."""

    def __init__(self, path: Path) -> None:
        self.con = duckdb.connect(str(path))
        self.con.execute("set threads=2; create schema if not exists marts")

    def table(self, name: str, frame: pd.DataFrame) -> None:
        for column in frame.columns:  # calendar days are dates in the marts, not timestamps
            if column.endswith(("_date", "_day", "_start", "_end")) and frame[column].dtype.kind == "M":
                frame = frame.assign(**{column: frame[column].dt.date})
        self.con.register("frame", frame)
        self.con.execute(f"create or replace table marts.{name} as select * from frame")
        self.con.unregister("frame")


def build(
    path: Path,
    *,
    weeks: int = 26,
    dmas: int = 8,
    products: int = 4,
    campaigns: int = 2,
    seed: int = 7,
    version: int = 1,
    brands: tuple[str, ...] = ("swiftpod", "otherbrand"),
    stale_days: int = 0,
    failed_jobs: tuple[str, ...] = (),
    scale: float = 1.0,
) -> Path:
    """Write a serving file (atomically, as a publish does) and return its path.

    ``version`` is both the published version and a factor on media spend, so that a reader which mixes two
    versions shows totals that belong to neither.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    out = Builder(temporary)
    places = DMAS[:dmas]
    start = END - timedelta(days=7 * weeks - 1)
    frames: dict[str, list[pd.DataFrame]] = {}
    for index, brand in enumerate(brands):
        rng = np.random.default_rng(seed + index)
        size = (scale if index == 0 else scale * 0.1) * version
        here = places if index == 0 else places[:2]
        for name, frame in _brand(
            rng, brand, start, weeks, here, products, campaigns, size, failed_jobs, version
        ).items():
            frames.setdefault(name, []).append(frame)
    for name, parts in frames.items():
        out.table(name, pd.concat(parts, ignore_index=True))
    _dimensions(out, start, places)
    published = pd.Timestamp(END) + pd.Timedelta(days=1, hours=6)
    out.table(
        "fct_published_version",
        pd.DataFrame(
            {
                "version": np.arange(1, version + 1, dtype="int64"),
                "content_hash": [f"{v:064x}" for v in range(1, version + 1)],
                "published_at": [published] * version,
                "as_of_date": [END - timedelta(days=stale_days)] * version,
                "marts_rows": [sum(len(f) for parts in frames.values() for f in parts)] * version,
                "code_version": ["0.1.0+fixture"] * version,
            }
        ),
    )
    out.con.close()
    os.replace(temporary, path)
    return path


def _dimensions(out: Builder, start: date, places: list[str]) -> None:
    seed = pd.read_csv(Path(__file__).parents[2] / "dbt" / "seeds" / "dma.csv", dtype={"dma_id": str})
    out.table("dim_dma", seed)
    channels = list(NAMES)
    out.table(
        "dim_channel",
        pd.DataFrame(
            {
                "channel_id": channels,
                "channel_name": [NAMES[c] for c in channels],
                "channel_group": [GROUP[c] for c in channels],
                "is_rmn": [GROUP[c] == "rmn" for c in channels],
                "is_demand_chasing": [c in ("meta_retargeting", "search_brand") for c in channels],
                "platform": channels,
                "retailer_id": [
                    {"amazon_ads": "amazon", "walmart_connect": "walmart", "roundel": "target"}.get(c)
                    for c in channels
                ],
                "attribution_window": [WINDOW[c] for c in channels],
                "adstock_kind": "geometric",
                "adstock_decay": 0.5,
                "adstock_length": 8,
            }
        ),
    )
    out.table(
        "dim_retailer",
        pd.DataFrame(
            {
                "retailer_id": list(RETAILERS),
                "retailer_name": list(RETAILERS.values()),
                "is_rmn_provider": True,
                "week_convention": ["sunday"] * 3,
            }
        ),
    )
    days = pd.date_range(start - timedelta(days=14), END + timedelta(days=120))
    sunday = days - pd.to_timedelta((days.day_of_week + 1) % 7, unit="D")
    out.table(
        "dim_calendar",
        pd.DataFrame(
            {
                "date_day": days,
                "date_id": days.strftime("%Y%m%d").astype(int),
                "week_start_date": sunday,
                "week_end_date": sunday + pd.Timedelta(days=6),
                "week_id": (sunday.year * 100 + sunday.isocalendar().week.to_numpy()),
                "is_holiday": False,
                "holiday_name": None,
            }
        ),
    )
    out.table(
        "dim_segment",
        pd.DataFrame(
            {
                "brand_id": "swiftpod",
                "run_id": "run-segments",
                "as_of_date": END,
                "segment_id": ["s1", "s2", "s3", "s4"],
                "segment_name": ["Loyal families", "Deal seekers", "New tryers", "Lapsed"],
                "description": [
                    "Two orders a month, full price",
                    "Buy on coupon",
                    "First order in 60 days",
                    "No order in 120 days",
                ],
                "customers": [4200, 5100, 2600, 3300],
                "share": [0.2763, 0.3355, 0.1711, 0.2171],
            }
        ),
    )


def _common(frame: pd.DataFrame, brand: str, job: str) -> pd.DataFrame:
    frame.insert(0, "brand_id", brand)
    return frame.assign(run_id=f"run-{job}-{brand}", as_of_date=END)


def _brand(
    rng: np.random.Generator,
    brand: str,
    start: date,
    weeks: int,
    places: list[str],
    products: int,
    campaigns: int,
    size: float,
    failed: tuple[str, ...],
    version: int,
) -> dict[str, pd.DataFrame]:
    days = pd.date_range(start, END)
    share = 1 / np.arange(1, len(places) + 1) ** 0.6
    share /= share.sum()
    media = _media_daily(rng, brand, days, places, share, campaigns, size)
    frames = {"fct_media_daily": media}
    week = media.assign(
        week_start_date=media.date_day - pd.to_timedelta((media.date_day.dt.day_of_week + 1) % 7, unit="D")
    )
    keys = [
        "brand_id",
        "week_start_date",
        "channel_id",
        "retailer_id",
        "dma_id",
        "attribution_window",
        "is_modelled_geo",
    ]
    sums = [
        "impressions",
        "viewable_impressions",
        "clicks",
        "video_completes",
        "spend_usd",
        "platform_conversions",
        "platform_value_usd",
    ]
    weekly = week.groupby(keys, dropna=False, as_index=False)[sums].sum()
    weekly = weekly.assign(
        week_id=weekly.week_start_date.dt.year * 100
        + weekly.week_start_date.dt.isocalendar().week.astype("int64"),
        viewability_rate=weekly.viewable_impressions / weekly.impressions.where(weekly.impressions > 0),
        reach_persons=(weekly.impressions * 0.31).astype("int64"),
        frequency=3.2,
        is_complete=True,
    )
    frames["fct_media_week"] = weekly
    frames.update(_sales(rng, brand, days, places, share, products, size))
    frames.update(_outputs(rng, brand, start, weeks, places, share, weekly, size))
    frames.update(_operations(rng, brand, failed, version, days))
    frames.update(_gifting(rng, brand))
    return frames


def _media_daily(
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


def _sales(
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


def _outputs(
    rng: np.random.Generator,
    brand: str,
    start: date,
    weeks: int,
    places: list[str],
    share: np.ndarray,
    media: pd.DataFrame,
    size: float,
) -> dict[str, pd.DataFrame]:
    out: dict[str, pd.DataFrame] = {}
    sundays = pd.date_range(start, periods=weeks, freq="7D")
    national = media.groupby(["week_start_date", "channel_id"], as_index=False).spend_usd.sum()
    national["revenue_usd"] = national.spend_usd * national.channel_id.map(ROI)
    contribution = national.rename(columns={"channel_id": "component"}).assign(
        component_kind="channel", dma_id="000"
    )
    baseline = pd.DataFrame(
        {
            "week_start_date": sundays,
            "component": "baseline",
            "component_kind": "baseline",
            "dma_id": "000",
            "revenue_usd": 2_800_000 * min(size, 3) * (1 + 0.1 * rng.standard_normal(weeks)),
        }
    )
    both = pd.concat([contribution.drop(columns="spend_usd"), baseline], ignore_index=True)
    both["revenue_p05_usd"], both["revenue_p95_usd"] = both.revenue_usd * 0.75, both.revenue_usd * 1.3
    out["fct_mmm_contribution_week"] = _common(both, brand, "mmm")
    launch = pd.Timestamp(END - timedelta(days=83))
    rows = []
    for name, frame in (("history", national), ("launch", national[national.week_start_date >= launch])):
        for channel, spend in frame.groupby("channel_id").spend_usd.sum().items():
            roi = ROI[channel]
            rows.append(
                {
                    "channel_id": channel,
                    "window_name": name,
                    "window_start": frame.week_start_date.min(),
                    "window_end": END,
                    "spend_usd": spend,
                    "contribution_usd": spend * roi,
                    "contribution_p05_usd": spend * roi * 0.7,
                    "contribution_p95_usd": spend * roi * 1.35,
                    "roi": roi,
                    "roi_p05": roi * 0.7,
                    "roi_p95": roi * 1.35,
                    "marginal_roi": roi * 0.7,
                    "marginal_roi_p05": roi * 0.4,
                    "marginal_roi_p95": roi * 1.1,
                    "is_supported": channel != "roundel",
                    "note": "interval includes zero" if channel == "roundel" else "",
                }
            )
    roi = pd.DataFrame(rows)
    out["fct_channel_roi"] = _common(roi, brand, "mmm")
    recent = national.groupby("channel_id").spend_usd.mean()
    curve, scenario = [], []
    for channel, spend in recent.items():
        for step in np.linspace(0, 2, 21):
            level = spend * step
            gain = ROI[channel] * spend * 1.6 * level / (level + 0.6 * spend) if level else 0.0
            curve.append(
                {
                    "channel_id": channel,
                    "spend_per_week_usd": level,
                    "incremental_revenue_usd": gain,
                    "p05_usd": gain * 0.7,
                    "p95_usd": gain * 1.35,
                    "is_observed": bool(step <= 1.4),
                }
            )
    budget = recent * 13
    total = budget.sum()
    better = budget * (0.6 + 0.25 * pd.Series(ROI))
    better *= total / better.sum()
    moved = budget.copy()
    moved["meta_retargeting"] -= 500_000 * size
    moved["ctv_other"] += 500_000 * size
    for name, plan in (
        ("current", budget),
        ("optimal", better),
        ("plus_10pct", budget * 1.1),
        ("minus_10pct", budget * 0.9),
        ("move_5m", moved),
    ):
        caused = {channel: spend * ROI[channel] * 0.9 for channel, spend in plan.items()}
        if name != "current":  # the mart holds the change against today's plan
            caused = {c: value - budget[c] * ROI[c] * 0.9 for c, value in caused.items()}
        plan_rows = [*plan.items(), ("all", plan.sum())]
        caused["all"] = sum(caused.values())
        for channel, spend in plan_rows:
            gain = caused[channel]
            now = budget.sum() if channel == "all" else budget[channel]
            scenario.append(
                {
                    "scenario": name,
                    "channel_id": channel,
                    "spend_usd": round(spend, 4),
                    "spend_change_usd": round(spend - now, 4),
                    "incremental_revenue_usd": gain,
                    "p05_usd": gain - 0.25 * abs(gain),
                    "p95_usd": gain + 0.3 * abs(gain),
                    "probability_of_gain": {
                        "current": 0.5,
                        "optimal": 0.97,
                        "plus_10pct": 0.99,
                        "minus_10pct": 0.02,
                        "move_5m": 0.94,
                    }[name],
                    "is_extrapolated": bool(spend > now * 1.4),
                    "horizon_weeks": 13,
                }
            )
    out["fct_response_curve"] = _common(pd.DataFrame(curve), brand, "mmm")
    out["fct_budget_scenario"] = _common(pd.DataFrame(scenario), brand, "budget")
    out["fct_wasted_spend"] = _common(
        pd.DataFrame(
            [
                {
                    "channel_id": c,
                    "dma_id": p,
                    "spend_usd": 60_000.0 * size * w,
                    "marginal_roi": m,
                    "marginal_roi_p05": m * 0.5,
                    "marginal_roi_p95": m * 1.6,
                    "probability_wasted": 0.96 if m < 0.5 else 0.7,
                    "wasted_spend_usd": 60_000.0 * size * w * (1 - m),
                }
                for c, m in (("meta_retargeting", 0.3), ("search_brand", 0.6))
                for p, w in zip(places, share, strict=True)
            ]
        ),
        brand,
        "budget",
    )
    out["fct_price_elasticity"] = _common(
        pd.DataFrame(
            [
                {
                    "scope": "brand",
                    "scope_id": brand,
                    "estimate": -1.71,
                    "ci_low": -1.95,
                    "ci_high": -1.47,
                    "promo_lift_pct": 14.2,
                    "promo_lift_ci_low": 10.1,
                    "promo_lift_ci_high": 18.4,
                    "interaction": -0.2,
                    "interaction_ci_low": -0.4,
                    "interaction_ci_high": 0.01,
                    "std_error_kind": "cluster",
                    "observations": 4000,
                }
            ]
        ),
        brand,
        "elasticity",
    )
    out["fct_mediation"] = _common(
        pd.DataFrame(
            [
                {
                    "mediator": "search_brand",
                    "channel_id": "instagram_reels",
                    "direct_effect": 1.2,
                    "direct_p05": 0.8,
                    "direct_p95": 1.6,
                    "indirect_effect": 0.4,
                    "indirect_p05": 0.1,
                    "indirect_p95": 0.7,
                    "share_mediated": 0.25,
                    "share_p05": 0.08,
                    "share_p95": 0.42,
                    "verdict": "supported",
                }
            ]
        ),
        brand,
        "mediation",
    )
    out["fct_model_diagnostic"] = _common(
        pd.DataFrame(
            [
                {"metric": "durbin_watson", "value": 1.91, "threshold": 1.5, "is_flagged": False},
                {"metric": "holdout_wape", "value": 0.081, "threshold": 0.15, "is_flagged": False},
                {"metric": "max_vif", "value": 12.4, "threshold": 10.0, "is_flagged": True},
            ]
        ),
        brand,
        "mmm",
    )
    evidence = []
    launch_spend = roi[roi.window_name == "launch"].set_index("channel_id").spend_usd
    for channel, spend in launch_spend.items():
        verdict = (
            "over_credited"
            if CLAIM[channel] > 2.2 * ROI[channel]
            else "under_credited"
            if CLAIM[channel] < 0.7 * ROI[channel]
            else "consistent"
        )
        for source, value, low, high, causal in (
            ("platform_claim", CLAIM[channel], None, None, False),
            ("last_touch", CLAIM[channel] * 0.6, None, None, False),
            ("markov", (CLAIM[channel] + ROI[channel]) / 2, None, None, False),
            ("shapley", (CLAIM[channel] + 1.2 * ROI[channel]) / 2.2, None, None, False),
            ("mmm", ROI[channel], ROI[channel] * 0.7, ROI[channel] * 1.35, True),
            *((("lift", 2.5, 1.8, 3.3, True),) if channel == "ctv_other" else ()),
        ):
            evidence.append(
                {
                    "channel_id": channel,
                    "source": source,
                    "value_usd": value * spend,
                    "spend_usd": spend,
                    "roas": value,
                    "roas_low": low,
                    "roas_high": high,
                    "is_incremental": causal,
                    "window_start": launch,
                    "window_end": END,
                    "attribution_window": WINDOW[channel] if source == "platform_claim" else None,
                    "verdict": verdict,
                    "verdict_probability": 0.97 if verdict != "consistent" else 0.8,
                }
            )
    out["fct_channel_evidence"] = _common(pd.DataFrame(evidence), brand, "mmm")
    credit = []
    for model in ("first_touch", "last_touch", "linear", "markov", "shapley"):
        for channel, spend in launch_spend.items():
            factor = {"last_touch": CLAIM[channel] * 0.6, "first_touch": ROI[channel] * 0.8}.get(
                model, ROI[channel]
            )
            for week in sundays[-12:]:
                credit.append(
                    {
                        "model": model,
                        "week_start_date": week,
                        "week_id": week.year * 100 + week.week,
                        "dma_id": "000",
                        "channel_id": channel,
                        "credited_conversions": spend * factor / 12 / 28,
                        "credited_value_usd": spend * factor / 12,
                        "model_version": "v1",
                        "first_touch_share": 0.3,
                        "last_touch_share": 0.4,
                        "assist_share": 0.3,
                        "vt_eligible": True,
                    }
                )
    out["fct_attribution_credit_week"] = _common(pd.DataFrame(credit), brand, "attribution")
    out["fct_geo_lift"] = _common(
        pd.DataFrame(
            [
                {
                    "experiment_id": "ctv-2026-q3",
                    "channel_id": "ctv_other",
                    "kind": "heavy_up",
                    "method": m,
                    "is_primary": f == 1.0,
                    "window_start": date(2026, 8, 30),
                    "window_end": date(2026, 9, 26),
                    "att": 152.0 * f,
                    "incremental_revenue_usd": 410_000.0 * f,
                    "incremental_p025_usd": 290_000.0 * f,
                    "incremental_p975_usd": 540_000.0 * f,
                    "lift_pct": 5.6 * f,
                    "lift_ci_low": 3.9 * f,
                    "lift_ci_high": 7.2 * f,
                    "p_value": 0.004,
                    "spend_usd": 164_000.0,
                    "iroas": 2.5 * f,
                    "iroas_ci_low": 1.77 * f,
                    "iroas_ci_high": 3.29 * f,
                    "pre_period_fit": 0.987,
                    "note": "",
                }
                for m, f in (("synthetic_control", 1.0), ("did", 0.94))
            ]
        ),
        brand,
        "geolift",
    )
    test_days = pd.date_range(END - timedelta(days=83), END - timedelta(days=28))
    counter = 90_000 + 4000 * np.sin(np.arange(len(test_days)) * 2 * np.pi / 7)
    lift = np.where(test_days >= pd.Timestamp(2026, 8, 30), 1.056, 1.0)
    out["fct_geo_lift_series"] = _common(
        pd.DataFrame(
            {
                "experiment_id": "ctv-2026-q3",
                "date_day": test_days,
                "observed": counter * lift * rng.normal(1, 0.01, len(test_days)),
                "counterfactual": counter,
                "low": counter * 0.97,
                "high": counter * 1.03,
            }
        ),
        brand,
        "geolift",
    )
    out["fct_frequency_waste"] = _common(
        pd.DataFrame(
            [
                {
                    "channel_id": c,
                    "dma_id": p,
                    "knee_frequency": 5.5,
                    "knee_p05": 4.6,
                    "knee_p95": 6.4,
                    "spend_usd": 50_000.0 * w,
                    "waste_usd": 7_000.0 * w,
                    "waste_p05_usd": 4_000.0 * w,
                    "waste_p95_usd": 9_500.0 * w,
                }
                for c in ("youtube", "meta_retargeting")
                for p, w in zip(places, share, strict=True)
            ]
        ),
        brand,
        "frequency",
    )
    statements = [
        "CTV and YouTube are under-credited by last touch",
        "Retargeting is over-credited by the platform",
        "Social works partly through brand search",
        "Spend above the frequency knee is wasted",
        "Retail media is mostly demand capture",
    ]
    out["fct_hypothesis"] = _common(
        pd.DataFrame(
            [
                {
                    "hypothesis_id": i + 1,
                    "statement": s,
                    "estimate": e,
                    "ci_low": lo,
                    "ci_high": hi,
                    "unit": u,
                    "verdict": v,
                    "probability": p,
                    "evidence": "fct_channel_evidence",
                    "query_sql": "select 1",
                }
                for i, (s, e, lo, hi, u, v, p) in enumerate(
                    zip(
                        statements,
                        (1.6, 4.1, 0.25, 0.14, 0.4),
                        (0.9, 2.7, 0.08, 0.08, -0.2),
                        (2.3, 5.9, 0.42, 0.19, 1.1),
                        ("ROAS difference", "ROAS difference", "share", "share", "ROAS difference"),
                        ("supported", "supported", "supported", "supported", "undetermined"),
                        (0.98, 0.99, 0.97, 0.99, 0.71),
                        strict=True,
                    )
                )
            ]
        ),
        brand,
        "hypothesis",
    )
    out.update(_forecast(rng, brand, places, share, products=4, size=size))
    segments = ["s1", "s2", "s3", "s4"]
    out["fct_segment_response"] = _common(
        pd.DataFrame(
            [
                {
                    "segment_id": s,
                    "channel_id": c,
                    "effect": 0.02 * (i + 1) * ROI[c],
                    "effect_p05": 0.01 * (i + 1) * ROI[c],
                    "effect_p95": 0.035 * (i + 1) * ROI[c],
                    "is_supported": not (s == "s4" and c == "coupon"),
                    "note": "",
                }
                for i, s in enumerate(segments)
                for c in ("email", "coupon", "instagram_reels")
            ]
        ),
        brand,
        "segments",
    )
    out["fct_segment_migration"] = _common(
        pd.DataFrame(
            [
                {
                    "month_start_date": date(2026, 9, 1),
                    "from_segment_id": a,
                    "to_segment_id": b,
                    "customers": 900 if a == b else 60,
                }
                for a in segments
                for b in segments
            ]
        ),
        brand,
        "segments",
    )
    return out


def _forecast(
    rng: np.random.Generator, brand: str, places: list[str], share: np.ndarray, products: int, size: float
) -> dict[str, pd.DataFrame]:
    future = pd.date_range(END + timedelta(days=1), periods=13, freq="7D")
    rows, risk, tests = [], [], []
    for place, part in zip(places, share, strict=True):
        for retailer, weight in zip(RETAILERS, (0.5, 0.3, 0.2), strict=True):
            base = 210_000 * min(size, 3) * part * weight
            for horizon, week in enumerate(future, start=1):
                p50 = base * (1 + 0.02 * horizon) * rng.lognormal(0, 0.03)
                spread = 0.08 + 0.01 * horizon
                rows.append(
                    {
                        "dma_id": place,
                        "retailer_id": retailer,
                        "product_id": "all",
                        "level": "dma_retailer",
                        "week_start_date": week,
                        "horizon_week": horizon,
                        "model": "champion",
                        "p10_units": p50 * (1 - spread),
                        "p50_units": p50,
                        "p90_units": p50 * (1 + spread),
                        "mean_units": p50 * 1.01,
                        "is_reconciled": True,
                        "forecast_flag": "",
                    }
                )
            tests.append(
                {
                    "dma_id": place,
                    "retailer_id": retailer,
                    "product_id": "all",
                    "model": "champion",
                    "cutoff_date": END - timedelta(days=91),
                    "wape": 0.09 + 0.05 * rng.random(),
                    "mase": 0.7,
                    "pinball": 0.04,
                    "coverage80": 0.8,
                    "is_champion": True,
                }
            )
            tests.append(
                {**tests[-1], "model": "seasonal_naive", "wape": 0.19, "mase": 1.0, "is_champion": False}
            )
            for product in range(products):
                probability = float(rng.beta(0.5, 3))
                risk.append(
                    {
                        "dma_id": "000" if retailer == "amazon" else place,
                        "retailer_id": retailer,
                        "product_id": f"P{product + 1}",
                        "week_start_date": future[0],
                        "on_hand_units": base / products * 2,
                        "weeks_of_supply": 6 * (1 - probability),
                        "probability_stockout": probability,
                        "probability_overstock": max(0.0, 0.3 - probability),
                        "lost_units": base / products * probability * 0.2,
                        "lost_sales_usd": base / products * probability * 0.2 * 25,
                        "suggested_order_units": base / products * probability if probability > 0.4 else 0.0,
                        "suggestion": "order" if probability > 0.4 else "hold",
                    }
                )
    leaf = pd.DataFrame(rows)
    number = {"p10_units": "sum", "p50_units": "sum", "p90_units": "sum", "mean_units": "sum"}
    fixed = {"product_id": "all", "model": "champion", "is_reconciled": True, "forecast_flag": ""}
    by = ["week_start_date", "horizon_week"]
    retailer = (
        leaf.groupby(["retailer_id", *by], as_index=False)
        .agg(number)
        .assign(dma_id="000", level="retailer", **fixed)
    )
    nation = (
        leaf.groupby(by, as_index=False)
        .agg(number)
        .assign(dma_id="000", retailer_id="all", level="nation", **fixed)
    )
    for total in (retailer, nation):  # the band of a sum is narrower than the sum of the bands
        total["p10_units"] = (total.p10_units + total.p50_units) / 2
        total["p90_units"] = (total.p90_units + total.p50_units) / 2
    rows = [*rows, *retailer.to_dict("records"), *nation.to_dict("records")]
    risk_frame = pd.DataFrame(risk).drop_duplicates(
        ["dma_id", "retailer_id", "product_id", "week_start_date"]
    )
    return {
        "fct_demand_forecast_week": _common(pd.DataFrame(rows), brand, "forecast"),
        "fct_forecast_backtest": _common(pd.DataFrame(tests), brand, "forecast"),
        "fct_stock_risk_week": _common(risk_frame, brand, "forecast"),
    }


def _operations(
    rng: np.random.Generator, brand: str, failed: tuple[str, ...], version: int, days: pd.DatetimeIndex
) -> dict[str, pd.DataFrame]:
    finished = pd.Timestamp(END) + pd.Timedelta(days=1, hours=5)
    jobs = (
        "mmm",
        "budget",
        "elasticity",
        "mediation",
        "attribution",
        "geolift",
        "frequency",
        "forecast",
        "segments",
    )
    runs = [
        {
            "run_id": f"run-{job}-{brand}",
            "job": job,
            "unit": "all",
            "brand_id": brand,
            "status": "succeeded",
            "message": "",
            "as_of_date": END,
            "window_start": days[0],
            "window_end": END,
            "code_version": "0.1.0+fixture",
            "feature_hash": f"{i:064x}",
            "seed": 7,
            "started_at": finished - pd.Timedelta(seconds=40),
            "finished_at": finished,
            "cpu_seconds": 12.5,
            "peak_mb": 210.0,
            "metrics_json": "{}",
            "recorded_seq": i,
        }
        for i, job in enumerate(jobs)
    ]
    for i, job in enumerate(failed):
        runs.append(
            {
                **runs[0],
                "run_id": f"run-{job}-failed",
                "job": job,
                "status": "failed",
                "message": "solver did not converge",
                "recorded_seq": 100 + i,
                "finished_at": finished + pd.Timedelta(hours=1),
            }
        )
    feeds = (
        "google_ads_geo",
        "meta_ads",
        "amazon_ads_sp",
        "walmart_store_sales",
        "target_sales",
        "email_events",
    )
    loads = []
    for feed in feeds:
        for i in range(6):
            bad = 3 if (feed == "meta_ads" and i == 2) else 0
            loads.append(
                {
                    "ledger_id": f"{brand}-{feed}-{i}",
                    "brand_id": brand,
                    "feed": feed,
                    "file_name": f"{feed}_2026090{i + 1}.csv.gz",
                    "sha256": f"{crc32((feed + str(i)).encode()):064x}",
                    "size_bytes": 12_000,
                    "delivered_at": finished - pd.Timedelta(days=7 * (5 - i), hours=2),
                    "loaded_at": finished - pd.Timedelta(days=7 * (5 - i)),
                    "load_run_id": f"ingest-{i}",
                    "outcome": "QF" if (feed == "target_sales" and i == 1) else "QR" if bad else "LOAD",
                    "reason": "missing_column" if (feed == "target_sales" and i == 1) else "",
                    "rows_file": 1000,
                    "rows_loaded": 0 if (feed == "target_sales" and i == 1) else 1000 - bad,
                    "rows_quarantined": 1000 if (feed == "target_sales" and i == 1) else bad,
                    "rows_declared": 0,
                    "money_file": 5000.0,
                    "money_loaded": 5000.0,
                    "money_quarantined": 0.0,
                    "first_date": END - timedelta(days=7 * (5 - i) + 6),
                    "last_date": END - timedelta(days=7 * (5 - i)),
                    "contract_version": "1",
                    "superseded_rows": 0,
                }
            )
    quarantine = [
        {
            "brand_id": brand,
            "feed": "meta_ads",
            "sha256": "a" * 64,
            "file_name": "meta_ads_20260903.csv.gz",
            "line_number": 10 + i,
            "reason": "bad_number",
            "field_name": "spend",
            "stage": "intake",
            "row_text": '=HYPERLINK("http://example.invalid") <b>x</b>',
            "delivered_at": finished,
            "load_run_id": "ingest-2",
            "released_by": None,
        }
        for i in range(3)
    ]
    alerts = [
        {
            "alert_id": f"{brand}-a1",
            "brand_id": brand,
            "rule": "spend_spike",
            "kind": "statistical",
            "severity": "critical",
            "status": "open",
            "entity": "meta_retargeting",
            "metric": "spend_usd",
            "observed": 98_000.0,
            "expected": 33_000.0,
            "low": 27_000.0,
            "high": 41_000.0,
            "period_start": END,
            "period_end": END,
            "owner": "paid-social",
            "action": "Check the daily cap of Meta retargeting and pause the burst campaign.",
            "expected_value_usd": 65_000.0,
            "message": "Spend was 3.0 times its usual Saturday level.",
            "first_seen_at": finished,
            "last_seen_at": finished,
            "times_seen": 1,
            "acknowledged_by": None,
            "acknowledged_at": None,
            "run_id": "alerts-1",
        },
        {
            "alert_id": f"{brand}-a2",
            "brand_id": brand,
            "rule": "stock_risk",
            "kind": "recommendation",
            "severity": "warning",
            "status": "acknowledged",
            "entity": "walmart 803 P2",
            "metric": "probability_stockout",
            "observed": 0.83,
            "expected": 0.2,
            "low": None,
            "high": 0.6,
            "period_start": END,
            "period_end": END,
            "owner": "supply",
            "action": "Order 4,200 units.",
            "expected_value_usd": 48_000.0,
            "message": "83 % chance to run out next week.",
            "first_seen_at": finished,
            "last_seen_at": finished,
            "times_seen": 2,
            "acknowledged_by": "dana",
            "acknowledged_at": finished,
            "run_id": "alerts-1",
        },
    ]
    quality = [
        {
            "finding_id": f"{brand}-{i}",
            "brand_id": brand,
            "check_name": check,
            "subject": feed,
            "severity": "warning",
            "detail": detail,
            "rows_affected": n,
            "money_affected_usd": money,
            "first_date": days[0],
            "last_date": END,
        }
        for i, (check, feed, n, money, detail) in enumerate(
            (
                (
                    "campaign_tactic_contradiction",
                    "facebook_campaign",
                    480,
                    1200.5,
                    "campaign name names another tactic; the tactic column wins",
                ),
                (
                    "new_customers_exceed_new_orders",
                    "business_daily",
                    22,
                    None,
                    "more new customers than new orders on a day",
                ),
            )
        )
    ]
    return {
        "dim_model_run": pd.DataFrame(runs),
        "fct_feed_load": pd.DataFrame(loads),
        "fct_quarantine": pd.DataFrame(quarantine),
        "fct_alert": pd.DataFrame(alerts),
        "fct_data_quality": pd.DataFrame(quality),
    }


def _gifting(rng: np.random.Generator, brand: str) -> dict[str, pd.DataFrame]:
    clients = [f"{300 + i}" for i in range(12)]
    rows = []
    for i in range(240):
        gifts = int(rng.integers(1, 90))
        rows.append(
            {
                "brand_id": brand,
                "order_id": f"{11110 + i}",
                "month_start_date": date(2018 + i % 3, 1 + i % 12, 1),
                "client_id": clients[i % 12],
                "service_id": str(1 + i % 3),
                "gift_id": str(11 + i % 5),
                "channel_id": "gifting",
                "total_gifts": gifts,
                "gift_cost_usd": 40.0,
                "total_amount_usd": gifts * 40.0,
                "fee_usd": gifts * 8.0,
                "variable_cost_usd": gifts * 12.0,
                "total_revenue_usd": gifts * 48.0,
            }
        )
    return {
        "dim_gift_client": pd.DataFrame(
            {
                "brand_id": brand,
                "client_id": clients,
                "client_name": [f"Client {c}" for c in clients],
                "sector": ["Health Care", "Industrials"] * 6,
                "city": "X",
                "state_code": ["DE", "IL", "NY"] * 4,
            }
        ),
        "dim_gift_service": pd.DataFrame(
            {
                "brand_id": brand,
                "service_id": ["1", "2", "3"],
                "service_name": ["Swag Select", "One to One Gifting", "Measurement and Tracking"],
            }
        ),
        "fct_gift_order": pd.DataFrame(rows),
        "fct_gift_engagement": pd.DataFrame(
            [
                {
                    "engagement_id": f"{brand}-{i}",
                    "brand_id": brand,
                    "client_id": clients[i % 12],
                    "service_id": str(1 + i % 3),
                    "channel_id": "gifting",
                    "total_gifts": 10 + i % 40,
                    "total_amount_usd": 400.0 + i,
                    "successful": None,
                    "unsuccessful": None,
                }
                for i in range(200)
            ]
        ),
        "fct_gift_expenditure": pd.DataFrame(
            [
                {
                    "expenditure_id": f"{brand}-{i}",
                    "brand_id": brand,
                    "recipient_id": str(8000 + i % 40),
                    "client_id": clients[i % 12],
                    "gift_id": str(11 + i % 5),
                    "channel_id": "gifting",
                    "quantity": 1 + i % 9,
                    "price_usd": 20.0 + i % 80,
                    "amount_usd": (1 + i % 9) * (20.0 + i % 80),
                    "status": ("Accepted", "Rejected", "InProgress")[i % 3],
                    "is_converted": (True, False, None)[i % 3],
                }
                for i in range(300)
            ]
        ),
    }


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    for name, default in (("weeks", 26), ("dmas", 8), ("products", 4), ("campaigns", 2), ("version", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    print(build(**vars(parser.parse_args())))
