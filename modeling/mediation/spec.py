"""The mediation job: social, brand search, revenue."""

JOB = "mediation"
REQUIRES: tuple[str, ...] = ()
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_mmm_week": (
        "brand_id",
        "week_start_date",
        "dma_id",
        "tv_homes",
        "revenue_usd",
        "price_index",
        "promo_index",
        "in_stock_rate",
        "search_interest",
        "holiday_days",
    ),
    "feat_mmm_media_week": (
        "brand_id",
        "week_start_date",
        "dma_id",
        "channel_id",
        "spend_usd",
        "impressions",
    ),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "mediation": {
        "mediator": "varchar(32)",
        "channel_id": "varchar(32)",
        "direct_effect": "double precision",
        "direct_p05": "double precision",
        "direct_p95": "double precision",
        "indirect_effect": "double precision",
        "indirect_p05": "double precision",
        "indirect_p95": "double precision",
        "share_mediated": "double precision",
        "share_p05": "double precision",
        "share_p95": "double precision",
        "verdict": "varchar(32)",
        "robustness_value": "double precision",
        "instrument_f": "double precision",
    },
}
