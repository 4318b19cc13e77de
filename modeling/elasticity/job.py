"""Elasticity of the brand, of each retailer and of each product, from weekly retailer x product sales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from modeling.elasticity.estimator import Columns, ElasticityResult, Estimate, PriceElasticity
from modeling.elasticity.spec import OUTPUTS
from modeling.errors import InputError, Refusal
from modeling.runner import JobResult

COLUMNS = Columns(
    units="units",
    price="price_usd",
    promo="promo_share",
    entity="series",
    date="week_start_date",
    controls=("stockout_share",),
)


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: all scopes share one small panel."""
    return ["all"]


def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Fit every scope; a scope that cannot be estimated is a row with the reason and no number.

    Raises:
        Refusal: not even the whole brand supports an estimate.
    """
    panel = features["feat_price_week"]
    panel = panel[(panel["units"] > 0) & (panel["price_usd"] > 0)].copy()
    if panel.empty:
        raise Refusal("no week with sales and a price")
    panel["series"] = panel["retailer_id"] + " " + panel["product_id"]
    window = panel["week_start_date"].min(), panel["week_start_date"].max()
    rows, refused = [], 0
    for scope, scope_id, part in _scopes(panel):
        try:
            result: ElasticityResult | None = PriceElasticity(COLUMNS).fit(part)
            note = "; ".join(result.notes) if result else ""
        except (Refusal, InputError) as reason:
            if scope == "brand":
                raise Refusal(str(reason)) from reason
            result, note, refused = None, f"not supported: {reason}", refused + 1
        rows.append(_row(scope, scope_id, result, len(part), part["week_start_date"], note))
    frame = pd.DataFrame(rows, columns=list(OUTPUTS["price_elasticity"]))
    return JobResult(
        {"price_elasticity": frame},
        {"scopes": len(rows), "refused": refused},
        (window[0].date(), window[1].date()),
    )


def _scopes(panel: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    yield "brand", "all", panel
    for column, scope in (("retailer_id", "retailer"), ("product_id", "product")):
        for name, part in panel.groupby(column, sort=True):
            yield scope, str(name), part


def _row(
    scope: str,
    scope_id: str,
    result: ElasticityResult | None,
    rows: int,
    weeks: pd.Series[pd.Timestamp],
    note: str,
) -> dict[str, object]:
    def triple(name: str, estimate: Estimate | None, middle: str) -> dict[str, float | None]:
        found = (None, None, None) if estimate is None else estimate.rounded()
        return dict(zip((middle, f"{name}ci_low", f"{name}ci_high"), found, strict=True))

    return {
        "scope": scope,
        "scope_id": scope_id,
        **triple("", result.elasticity if result else None, "estimate"),
        **triple("promo_lift_", result.promo_lift_pct if result else None, "promo_lift_pct"),
        **triple("promo_lift_net_", result.promo_lift_net_pct if result else None, "promo_lift_net_pct"),
        **triple("interaction_", result.interaction if result else None, "interaction"),
        "std_error_kind": result.std_error_kind if result else None,
        "method": result.method if result else None,
        "observations": rows,
        "window_start": weeks.min(),
        "window_end": weeks.max(),
        "note": note[:1000],
    }
