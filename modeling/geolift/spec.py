"""What the geo lift job reads and writes."""

from __future__ import annotations

JOB = "geolift"
REQUIRES: tuple[str, ...] = ()
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_geo_lift_panel": (
        "brand_id",
        "experiment_id",
        "channel_id",
        "kind",
        "start_date",
        "end_date",
        "dma_id",
        "arm",
        "planned_spend_usd",
        "week_start_date",
        "revenue_usd",
        "spend_usd",
    ),
    "feat_geo_history": ("brand_id", "week_start_date", "dma_id", "revenue_usd"),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "geo_lift": {
        "experiment_id": "varchar(64)",
        "channel_id": "varchar(32)",
        "kind": "varchar(32)",
        "method": "varchar(64)",
        "is_primary": "boolean",
        "window_start": "date",
        "window_end": "date",
        "treated_dmas": "varchar(2000)",
        "att": "double precision",
        "incremental_revenue_usd": "double precision",
        "std_error_usd": "double precision",
        "incremental_p025_usd": "double precision",
        "incremental_p975_usd": "double precision",
        "lift_pct": "double precision",
        "lift_ci_low": "double precision",
        "lift_ci_high": "double precision",
        "p_value": "double precision",
        "spend_usd": "double precision",
        "iroas": "double precision",
        "iroas_ci_low": "double precision",
        "iroas_ci_high": "double precision",
        "pre_period_fit": "double precision",
        "note": "varchar(2000)",
    },
    "geo_lift_series": {
        "experiment_id": "varchar(64)",
        "date_day": "date",
        "observed": "double precision",
        "counterfactual": "double precision",
        "low": "double precision",
        "high": "double precision",
    },
    "geo_lift_aa": {
        "method": "varchar(64)",
        "duration_weeks": "bigint",
        "tests": "bigint",
        "significant": "bigint",
        "false_positive_rate": "double precision",
        "rate_low": "double precision",
        "rate_high": "double precision",
        "mean_abs_lift_pct": "double precision",
        "window_start": "date",
        "window_end": "date",
    },
}
