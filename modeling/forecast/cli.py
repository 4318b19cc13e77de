"""``python -m modeling forecast``: forecasts of a file's series."""

from __future__ import annotations

import argparse

import pandas as pd

from modeling.errors import InputError
from modeling.files import OutputDir, read_table
from modeling.progress import progress


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command and its options."""
    parser = subparsers.add_parser(
        "forecast",
        help="forecast daily or weekly series from a file",
        description="Forecasts with P10, P50, P90 for every series of a table with columns series, date, y.",
    )
    parser.add_argument("--history", required=True, help="CSV or Parquet; future rows have an empty y")
    parser.add_argument("--horizon", required=True, type=int, help="periods to forecast")
    parser.add_argument("--freq", required=True, choices=("D", "W"), help="daily or weekly")
    parser.add_argument("--out", required=True, help="folder for the results")
    parser.add_argument("--exog", nargs="+", default=[], help="regressor columns (blank or comma separated)")
    parser.add_argument(
        "--hierarchy", default="", help="columns that name a bottom series, e.g. region,store"
    )
    parser.add_argument("--stockout", default=None, help="column that is 1 where stock cut the sales")
    parser.add_argument(
        "--gaps",
        choices=("refuse", "missing", "zero"),
        default="refuse",
        help="what an absent row inside a series means",
    )
    parser.add_argument(
        "--forecast-exog", action="store_true", help="forecast regressors that have no future values"
    )
    parser.add_argument("--country", default="US", help="public holidays of this country, or none")
    parser.add_argument(
        "--origins", type=int, default=None, help="backtest origins (default 6 daily, 8 weekly)"
    )
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        InputError, Refusal: the input cannot be used, or cannot support a forecast.
    """
    from modeling.forecast.engine import forecast_panel
    from modeling.forecast.hierarchy import add_levels, reconcile
    from modeling.forecast.panel import read_panel

    country = "" if args.country.lower() in ("", "none") else args.country.upper()
    if country:
        _known_country(country)
    if args.origins is not None and args.origins < 2:
        raise InputError("--origins must be at least 2")
    frame = read_table(args.history, what="--history")
    exog = [part for word in args.exog for part in word.split(",") if part]
    keys = [part.strip() for part in args.hierarchy.split(",") if part.strip()]
    frame, names = _bottom(frame, keys)
    panel = read_panel(
        frame,
        horizon=args.horizon,
        freq=args.freq,
        exog=exog,
        stockout=args.stockout,
        gaps=args.gaps,
        forecast_exog=args.forecast_exog,
    )
    progress(f"{len(panel.names)} series, {panel.length} periods, horizon {panel.horizon}")
    tree = None
    if keys:
        panel, tree = add_levels(panel, names, keys)
        progress(f"{len(panel.names)} series with the levels above them")
    result = forecast_panel(panel, seed=args.seed, country=country, origins=args.origins, report=progress)
    if tree is not None:
        reconcile(result, tree)
    forecasts, selection = result.table(), result.selection()
    if tree is not None:
        labels = tree.labels()
        forecasts = forecasts.merge(labels, on="series", how="left", sort=False)
        selection = selection.merge(labels[["series", "level"]], on="series", how="left", sort=False)
    totals = result.totals()
    with OutputDir(args.out) as out:
        out.csv("forecasts.csv", forecasts)
        out.csv("backtest.csv", result.backtest_table())
        out.csv("selection.csv", selection)
        out.json(
            "summary.json",
            {
                "series": len(panel.names),
                "periods": panel.length,
                "first": panel.dates[0],
                "last": panel.dates[panel.length - 1],
                "horizon": panel.horizon,
                "freq": panel.freq,
                "seed": args.seed,
                "cutoffs": [panel.dates[c - 1] for c in result.back.cutoffs],
                "coverage80_left_out": result.calibration.coverage,
                "tilt": result.choice.tilt,
                "models": totals.to_dict("records"),
                "notes": result.notes,
            },
        )
    best = totals.iloc[0]
    progress(f"backtest WAPE {best['wape']:.4f}, MASE {best['mase']:.3f}; results in {args.out}")


def _known_country(country: str) -> None:
    import holidays

    if country not in holidays.list_supported_countries():
        raise InputError(f"--country {country}: not a known country code (use e.g. US, DE, or none)")


def _bottom(frame: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table with a ``series`` column, and series name -> hierarchy values."""
    if not keys:
        if "series" not in frame.columns:
            raise InputError(f"--history: missing column 'series' (the file has: {', '.join(frame.columns)})")
        return frame, pd.DataFrame()
    missing = [k for k in keys if k not in frame.columns]
    if missing:
        raise InputError(
            f"--hierarchy: missing column {missing[0]!r} (the file has: {', '.join(frame.columns)})"
        )
    if frame[keys].isna().any().any():
        raise InputError("--hierarchy: a key is empty in at least one row")
    values = frame[keys].astype(str).apply(lambda c: c.str.strip())
    joined = values.agg("/".join, axis=1)
    if "series" in frame.columns and not frame["series"].isna().any():
        own = frame["series"].astype(str).str.strip()
        if own.groupby(joined).nunique().max() > 1:
            if values.groupby(own).nunique().max().max() > 1:
                raise InputError("--hierarchy: a series has more than one value of a hierarchy column")
            joined = joined + "/" + own
            values = values.assign(series=own)
    frame = frame.assign(series=joined)
    return frame, values.assign(_name=joined).drop_duplicates("_name").set_index("_name")
