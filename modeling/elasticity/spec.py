"""What the elasticity job reads and writes."""

from __future__ import annotations

JOB = "elasticity"
REQUIRES: tuple[str, ...] = ()
INPUTS: dict[str, tuple[str, ...]] = {
    "feat_price_week": (
        "brand_id",
        "week_start_date",
        "retailer_id",
        "product_id",
        "units",
        "price_usd",
        "promo_share",
        "stockout_share",
    ),
}
OUTPUTS: dict[str, dict[str, str]] = {
    "price_elasticity": {
        "scope": "varchar(16)",
        "scope_id": "varchar(64)",
        "estimate": "double precision",
        "ci_low": "double precision",
        "ci_high": "double precision",
        "promo_lift_pct": "double precision",
        "promo_lift_ci_low": "double precision",
        "promo_lift_ci_high": "double precision",
        "promo_lift_net_pct": "double precision",
        "promo_lift_net_ci_low": "double precision",
        "promo_lift_net_ci_high": "double precision",
        "interaction": "double precision",
        "interaction_ci_low": "double precision",
        "interaction_ci_high": "double precision",
        "std_error_kind": "varchar(128)",
        "method": "varchar(128)",
        "observations": "bigint",
        "window_start": "date",
        "window_end": "date",
        "note": "varchar(1000)",
    }
}
