"""What the frequency job reads and writes."""

from __future__ import annotations

JOB = "frequency"
REQUIRES: tuple[str, ...] = ()
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_frequency": (
        "brand_id",
        "channel_id",
        "dma_id",
        "grain",
        "window_start",
        "window_end",
        "frequency_group",
        "reach_persons",
        "impressions",
        "clickouts",
    ),
    "feat_frequency_spend": ("brand_id", "channel_id", "dma_id", "window_start", "window_end", "spend_usd"),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "frequency_response": {
        "channel_id": "varchar(32)",
        "shape": "varchar(16)",
        "knee_frequency": "double precision",
        "knee_p05": "double precision",
        "knee_p95": "double precision",
        "slope_before": "double precision",
        "slope_after": "double precision",
        "dispersion": "double precision",
        "clickouts": "double precision",
        "note": "varchar(400)",
    },
    "frequency_waste": {
        "channel_id": "varchar(32)",
        "dma_id": "varchar(3)",
        "window_start": "date",
        "window_end": "date",
        "knee_frequency": "double precision",
        "knee_p05": "double precision",
        "knee_p95": "double precision",
        "spend_usd": "decimal(18,4)",
        "waste_usd": "decimal(18,4)",
        "waste_p05_usd": "decimal(18,4)",
        "waste_p95_usd": "decimal(18,4)",
        "is_assumed": "boolean",
    },
}
