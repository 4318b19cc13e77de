"""The budget job: plans from the mix model's outlook."""

JOB = "budget"
REQUIRES: tuple[str, ...] = ("mmm",)
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_mmm_media_week": ("brand_id", "week_start_date", "channel_id", "spend_usd"),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "budget_scenario": {
        "scenario": "varchar(64)",
        "channel_id": "varchar(32)",
        "spend_usd": "double precision",
        "spend_change_usd": "double precision",
        "incremental_revenue_usd": "double precision",
        "p05_usd": "double precision",
        "p95_usd": "double precision",
        "probability_of_gain": "double precision",
        "is_extrapolated": "boolean",
        "horizon_weeks": "integer",
    },
}
