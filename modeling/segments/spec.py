"""What the segmentation job reads and writes."""

from __future__ import annotations

JOB = "segments"
REQUIRES: tuple[str, ...] = ()
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_customer_month": (
        "brand_id",
        "customer_key",
        "month_start_date",
        "tenure_days",
        "recency_days",
        "purchases",
        "value_usd",
        "discount_usd",
        "amazon_purchases",
        "walmart_purchases",
    ),
    "feat_customer_week": ("brand_id", "customer_key", "week_start_date", "purchases", "value_usd"),
    "feat_geo_cluster_week": (
        "brand_id",
        "week_start_date",
        "dma_id",
        "tv_homes",
        "revenue_usd",
        "amazon_share",
        "walmart_share",
        "price_index",
        "promo_index",
        "video_usd_per_home",
        "social_usd_per_home",
        "search_usd_per_home",
        "rmn_usd_per_home",
        "search_interest",
        "temperature_f",
        "is_complete",
    ),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "segment": {
        "segment_id": "integer",
        "segment_name": "varchar(256)",
        "description": "varchar(1024)",
        "customers": "bigint",
        "share": "double precision",
        "expected_purchases_52w": "double precision",
        "expected_value_52w_usd": "double precision",
        "probability_active": "double precision",
        "is_value_supported": "boolean",
        "value_note": "varchar(512)",
    },
    "segment_profile": {
        "segment_id": "integer",
        "feature": "varchar(64)",
        "centroid": "double precision",
        "overall_mean": "double precision",
    },
    "segment_selection": {
        "k": "integer",
        "inertia": "double precision",
        "silhouette": "double precision",
        "stability": "double precision",
        "elbow_distance": "double precision",
        "mixture_bic": "double precision",
        "mixture_silhouette": "double precision",
        "mixture_agreement": "double precision",
        "is_chosen": "boolean",
    },
    "customer_segment": {"customer_key": "varchar(64)", "month_start_date": "date", "segment_id": "integer"},
    "segment_migration": {
        "month_start_date": "date",
        "from_segment_id": "integer",
        "to_segment_id": "integer",
        "customers": "bigint",
    },
    "segment_drift": {
        "month_start_date": "date",
        "segment_id": "integer",
        "customers": "bigint",
        "share": "double precision",
        "stability_index": "double precision",
    },
    "geo_cluster": {
        "dma_id": "varchar(3)",
        "cluster_id": "integer",
        "cluster_name": "varchar(256)",
        "description": "varchar(1024)",
    },
    "geo_cluster_score": {
        "model": "varchar(16)",
        "cutoff_date": "date",
        "wape": "double precision",
        "is_best": "boolean",
    },
}
