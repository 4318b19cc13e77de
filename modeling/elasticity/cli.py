"""``python -m modeling elasticity``: price elasticity and promotion lift of a caller's panel."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd

from modeling.elasticity.estimator import Columns, ElasticityResult, Estimate, PriceElasticity
from modeling.errors import InputError
from modeling.files import OutputDir, read_table, require_columns
from modeling.progress import progress

DATE_NAMES = ("date", "week", "week_start_date", "week_start", "date_day", "day", "month", "period")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's options."""
    parser = subparsers.add_parser(
        "elasticity", help="price elasticity and promotion lift", description=__doc__
    )
    parser.add_argument("--panel", required=True, help="CSV or Parquet, one row per entity and period")
    parser.add_argument("--units", required=True, help="column of units sold")
    parser.add_argument("--price", required=True, help="column of the price of a unit")
    parser.add_argument("--promo", help="column of the promotion flag (0/1) or depth")
    parser.add_argument("--entity", help="column that names the series (product, shop, market)")
    parser.add_argument(
        "--date", help=f"column of the period (default: one named {', '.join(DATE_NAMES[:4])}, ...)"
    )
    parser.add_argument("--controls", default="", help="further numeric columns, comma-separated")
    parser.add_argument("--instrument", help="column that moves the price and not demand (e.g. cost)")
    parser.add_argument("--out", required=True, help="folder for elasticity.json")
    parser.add_argument(
        "--seed", type=int, default=1, help="accepted for uniformity; the estimate has no randomness"
    )


def run(args: argparse.Namespace) -> None:
    """Estimate and write ``elasticity.json``."""
    panel = read_table(args.panel, what="--panel")
    controls = tuple(c.strip() for c in args.controls.split(",") if c.strip())
    date = args.date or next((c for c in panel.columns if c.lower() in DATE_NAMES), None)
    named = [args.units, args.price, args.promo, args.entity, args.instrument, args.date, *controls]
    require_columns(panel, [n for n in named if n], what="--panel")
    if args.units == args.price:
        raise InputError("--units and --price name the same column")
    progress(f"elasticity: {len(panel):,} rows")
    columns = Columns(args.units, args.price, args.promo, args.entity, date, controls, args.instrument)
    result = PriceElasticity(columns).fit(panel)
    with OutputDir(args.out) as out:
        out.json("elasticity.json", as_json(result, panel, date))
    progress(
        f"elasticity: {result.elasticity.value:.3f} [{result.elasticity.low:.3f}, {result.elasticity.high:.3f}]"
    )


def as_json(result: ElasticityResult, panel: pd.DataFrame, date: str | None) -> dict[str, Any]:
    """The result file: every estimate with its 95 % interval, its window and how it was made."""

    def triple(estimate: Estimate | None) -> dict[str, float] | None:
        if estimate is None:
            return None
        return {"estimate": estimate.value, "ci_low": estimate.low, "ci_high": estimate.high}

    revenue = [1 + v for v in result.elasticity.rounded()]
    return {
        "estimate": result.elasticity.value,
        "ci_low": result.elasticity.low,
        "ci_high": result.elasticity.high,
        "confidence": 0.95,
        "quantity": "elasticity of units to price, at the regular price off promotion",
        "revenue_elasticity": {"estimate": revenue[0], "ci_low": revenue[1], "ci_high": revenue[2]},
        "promo_lift": triple(result.promo_lift_pct),
        "promo_lift_pct": None if result.promo_lift_pct is None else result.promo_lift_pct.value,
        "promo_lift_net_of_dip": triple(result.promo_lift_net_pct),
        "interaction": triple(result.interaction),
        "std_error_kind": result.std_error_kind,
        "standard_error_kind": result.std_error_kind,
        "method": result.method,
        "observations": result.observations,
        "entities": result.entities,
        "periods": result.periods,
        "window": None if date is None else [str(panel[date].min())[:10], str(panel[date].max())[:10]],
        "first_stage_f": result.first_stage_f,
        "diagnostics": result.diagnostics,
        "notes": list(result.notes),
    }
