"""What the attribution job reads and writes."""

from __future__ import annotations

JOB = "attribution"
REQUIRES: tuple[str, ...] = ()
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_attribution_transition": (
        "brand_id",
        "window_name",
        "channel_from",
        "channel_to",
        "journeys",
        "value_usd",
    ),
    "feat_attribution_path": (
        "brand_id",
        "window_name",
        "path",
        "first_week",
        "last_week",
        "conversions",
        "nulls",
        "value_usd",
    ),
    "feat_attribution_path_week": (
        "brand_id",
        "week_start_date",
        "dma_id",
        "path",
        "conversions",
        "value_usd",
    ),
    "feat_attribution_path_decay": ("brand_id", "path", "channel_id", "credit"),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "attribution_credit_week": {
        "model": "varchar(32)",
        "model_version": "varchar(64)",
        "week_start_date": "date",
        "dma_id": "varchar(3)",
        "channel_id": "varchar(32)",
        "credited_conversions": "double precision",
        "credited_value_usd": "double precision",
    },
    "attribution_interval": {
        "window_name": "varchar(16)",
        "window_start": "date",
        "window_end": "date",
        "model": "varchar(32)",
        "channel_id": "varchar(32)",
        "share": "double precision",
        "share_low": "double precision",
        "share_high": "double precision",
        "conversions": "double precision",
    },
    "attribution_removal": {
        "window_name": "varchar(16)",
        "markov_order": "bigint",
        "channel_id": "varchar(32)",
        "removal_effect": "double precision",
        "removal_effect_value": "double precision",
        "share": "double precision",
    },
}
