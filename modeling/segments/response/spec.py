"""What the segment response job reads and writes."""

from __future__ import annotations

JOB = "segment_response"
REQUIRES: tuple[str, ...] = ("segments",)
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_customer_month": ("brand_id", "customer_key", "month_start_date", "dma_id"),
    "feat_customer_week": ("brand_id", "customer_key", "week_start_date", "purchases", "mails"),
    "feat_segment_pressure_week": (
        "brand_id",
        "week_start_date",
        "dma_id",
        "channel_id",
        "is_demand_chasing",
        "is_modelled_geo",
        "tv_homes",
        "pressure_usd_per_home",
        "search_interest",
    ),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "segment_response": {
        "segment_id": "integer",
        "channel_id": "varchar(32)",
        "effect": "double precision",
        "effect_p05": "double precision",
        "effect_p95": "double precision",
        "std_error": "double precision",
        "is_supported": "boolean",
        "note": "varchar(256)",
    },
    "segment_share_week": {
        "week_start_date": "date",
        "dma_id": "varchar(3)",
        "segment_id": "integer",
        "customers": "bigint",
        "share": "double precision",
    },
}
