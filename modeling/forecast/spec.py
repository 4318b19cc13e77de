"""What the forecast job reads and writes."""

from __future__ import annotations

JOB = "forecast"
REQUIRES: tuple[str, ...] = ()

INPUTS: dict[str, tuple[str, ...]] = {
    "feat_forecast_product_week": (
        "brand_id",
        "retailer_id",
        "dma_id",
        "product_id",
        "week_start_date",
        "units_sold",
        "is_censored",
    ),
    "feat_forecast_promotion_week": (
        "brand_id",
        "retailer_id",
        "product_id",
        "week_start_date",
        "discount_pct",
        "promo_days",
    ),
    "feat_forecast_media_week": (
        "brand_id",
        "dma_id",
        "week_start_date",
        "is_future",
        "video_usd",
        "social_usd",
        "search_usd",
        "rmn_amazon_usd",
        "rmn_walmart_usd",
        "rmn_target_usd",
        "crm_usd",
    ),
    "feat_forecast_stock": (
        "brand_id",
        "retailer_id",
        "dma_id",
        "product_id",
        "week_start_date",
        "on_hand_units",
        "open_po_units",
        "price_usd",
    ),
}

OUTPUTS: dict[str, dict[str, str]] = {
    "demand_forecast_week": {
        "dma_id": "varchar(8)",
        "retailer_id": "varchar(32)",
        "product_id": "varchar(64)",
        "level": "varchar(32)",
        "week_start_date": "date",
        "horizon_week": "integer",
        "model": "varchar(64)",
        "p10_units": "double precision",
        "p50_units": "double precision",
        "p90_units": "double precision",
        "mean_units": "double precision",
        "is_reconciled": "boolean",
        "forecast_flag": "varchar(64)",
    },
    "forecast_backtest": {
        "dma_id": "varchar(8)",
        "retailer_id": "varchar(32)",
        "product_id": "varchar(64)",
        "model": "varchar(64)",
        "cutoff_date": "date",
        "wape": "double precision",
        "mase": "double precision",
        "pinball": "double precision",
        "coverage80": "double precision",
        "is_champion": "boolean",
    },
    "stock_risk_week": {
        "dma_id": "varchar(8)",
        "retailer_id": "varchar(32)",
        "product_id": "varchar(64)",
        "week_start_date": "date",
        "on_hand_units": "double precision",
        "weeks_of_supply": "double precision",
        "probability_stockout": "double precision",
        "probability_overstock": "double precision",
        "lost_units": "double precision",
        "lost_sales_usd": "double precision",
        "suggested_order_units": "double precision",
        "suggestion": "varchar(256)",
    },
}
