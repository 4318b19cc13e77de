"""From a figure back to its run, code version and source files, out of the published marts alone."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dashboard.reader import Snapshot

MEDIA = (
    "google_ads_campaign",
    "google_ads_geo",
    "meta_ads",
    "amazon_ads_sp",
    "amazon_dsp_geo",
    "dv360_dma",
    "walmart_connect",
    "roundel",
    "email_events",
    "coupon_events",
)
SALES = ("amazon_vendor_sales", "walmart_store_sales", "target_sales", "store_locations", "product_master")
STOCK = ("amazon_vendor_inventory", "walmart_store_inventory", "target_inventory", "amazon_vendor_forecast")
CONTROLS = ("search_interest", "weather", "trade_promotions")
PATHS = ("clickstream", "coupon_events", "email_events")
FEEDS: dict[str, tuple[str, ...]] = {
    "fct_media_daily": MEDIA,
    "fct_media_week": MEDIA,
    "fct_pos_daily": SALES,
    "fct_pos_week": (*SALES, *STOCK, "trade_promotions"),
    "fct_business_daily": ("business_daily",),
    "fct_channel_roi": (*MEDIA, *SALES, *CONTROLS, "experiments"),
    "fct_mmm_contribution_week": (*MEDIA, *SALES, *CONTROLS, "experiments"),
    "fct_budget_scenario": (*MEDIA, *SALES, *CONTROLS, "experiments"),
    "fct_wasted_spend": (*MEDIA, *SALES, *CONTROLS),
    "fct_channel_evidence": (*MEDIA, *SALES, *CONTROLS, *PATHS, "experiments"),
    "fct_hypothesis": (*MEDIA, *SALES, *CONTROLS, *PATHS, "experiments"),
    "fct_geo_lift": (*SALES, "experiments", "amazon_dsp_geo"),
    "fct_attribution_credit_week": PATHS,
    "fct_demand_forecast_week": (*SALES, *CONTROLS),
    "fct_stock_risk_week": (*SALES, *STOCK, *CONTROLS),
    "fct_frequency_waste": ("reach_frequency", *MEDIA),
    "fct_segment_response": ("crm_customers", "email_events", "coupon_events"),
    "fct_price_elasticity": (*SALES, "trade_promotions"),
}
NAMES = {
    "fct_media_daily": "Media by day",
    "fct_media_week": "Media by week",
    "fct_pos_daily": "Sales by day",
    "fct_pos_week": "Sales by week",
    "fct_business_daily": "Own shop",
    "fct_channel_roi": "Channel ROI",
    "fct_mmm_contribution_week": "What caused sales",
    "fct_budget_scenario": "Plans",
    "fct_wasted_spend": "Wasted spend",
    "fct_channel_evidence": "Evidence by channel",
    "fct_hypothesis": "Hypotheses",
    "fct_geo_lift": "Lift tests",
    "fct_attribution_credit_week": "Attribution",
    "fct_demand_forecast_week": "Forecast",
    "fct_stock_risk_week": "Stock at risk",
    "fct_frequency_waste": "Frequency",
    "fct_segment_response": "Segment response",
    "fct_price_elasticity": "Price elasticity",
}


@dataclass(frozen=True)
class Trail:
    """``run``: the model runs that wrote the mart (``None`` for marts made by SQL alone); ``files``: source files."""

    run: pd.DataFrame | None
    files: pd.DataFrame


def marts(snap: Snapshot) -> list[str]:
    """Marts of this version that can be traced."""
    return [m for m in FEEDS if snap.has(m)]


def trace(snap: Snapshot, brand_id: str, mart: str) -> Trail:
    """Runs and accepted files behind a mart.

    Raises:
        KeyError: a mart that cannot be traced.
    """
    feeds = FEEDS[mart]
    run = None
    if snap.has(mart, "run_id") and snap.has("dim_model_run", "run_id"):
        run = snap.frame(
            f"select * from marts.dim_model_run where brand_id = ? and run_id in (select distinct run_id from marts.{mart} where brand_id = ?) "
            "order by recorded_seq desc limit 10",
            [brand_id, brand_id],
        )
    if not snap.has("fct_feed_load", "feed", "file_name", "sha256"):
        return Trail(run, pd.DataFrame())
    files = snap.frame(
        f"select * from marts.fct_feed_load where brand_id = ? and feed in ({', '.join('?' * len(feeds))}) "
        "and outcome not in ('QF', 'ABORT', 'NOOP', 'WAIT') order by delivered_at desc, feed, file_name",
        [brand_id, *feeds],
    )
    return Trail(run, files)
