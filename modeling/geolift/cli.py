"""``python -m modeling geolift``: the lift of a geo experiment, and the design of one, from a file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from modeling.columns import find_column, numeric_column, text_column
from modeling.errors import InputError, Refusal
from modeling.files import OutputDir, read_table
from modeling.geolift.analysis import Lift, Options, analyse
from modeling.geolift.control import METHODS
from modeling.geolift.covariates import with_covariates
from modeling.geolift.panel import DATES, GEOS, KPIS, Panel, build_panel, find_geos
from modeling.geolift.registration import check_registration, read_registration
from modeling.progress import progress

MIN_ROWS = 20


def add_parser(subparsers: Any) -> None:
    """Register the command and its options."""
    parser = subparsers.add_parser("geolift", help="lift of a geo experiment; 'geolift design' plans one")
    parser.add_argument("action", nargs="?", default="analyse", help="analyse (default) or design")
    parser.add_argument("--panel", metavar="FILE", help="CSV or Parquet: one row per geography and period")
    parser.add_argument("--out", metavar="DIR")
    parser.add_argument("--date-column", metavar="NAME", help=f"default: one of {', '.join(DATES)}")
    parser.add_argument("--geo-column", metavar="NAME", help=f"default: one of {', '.join(GEOS)}")
    parser.add_argument("--kpi-column", metavar="NAME", help=f"default: one of {', '.join(KPIS)}")
    parser.add_argument(
        "--date-format", metavar="FORMAT", help="strptime format, where dates are not YYYY-MM-DD"
    )
    parser.add_argument(
        "--duplicates", default="refuse", help="rows of one geography and period: refuse, sum or mean"
    )
    parser.add_argument("--exclude", default="", metavar="A,B", help="geographies never used as controls")
    parser.add_argument("--confidence", default="0.95")
    parser.add_argument("--seed", default="0")
    analysis = parser.add_argument_group("analyse")
    analysis.add_argument("--treated", metavar="A,B")
    analysis.add_argument("--start", metavar="DATE", help="first period of the test")
    analysis.add_argument("--end", metavar="DATE", help="last period of the test")
    analysis.add_argument("--spend", metavar="S", help="cost of the test, in the KPI's money, for iROAS")
    analysis.add_argument(
        "--media", default="", metavar="A,B", help="columns with other channels' spend by place"
    )
    analysis.add_argument(
        "--covariates", default="", metavar="A,B", help="other columns that move apart: price, stock"
    )
    analysis.add_argument("--method", default="auto", help=f"auto, {', '.join(METHODS)}")
    analysis.add_argument("--test", default="t", help="t (default), conformal or placebo")
    analysis.add_argument("--washout", default="0", metavar="N", help="periods after the test reported apart")
    analysis.add_argument(
        "--registration", metavar="FILE", help="design file: refuse other dates or geographies"
    )
    analysis.add_argument(
        "--deviate", action="store_true", help="run although it differs from the registration"
    )
    design = parser.add_argument_group("design")
    design.add_argument("--duration", metavar="N", help="periods of the test")
    design.add_argument(
        "--treated-counts", default="", metavar="1,2,3", help="numbers of treated geographies to try"
    )
    design.add_argument("--max-share", default="0.5", help="largest share of the KPI that may be treated")
    design.add_argument("--budget", help="largest cost; needs --cost-per-kpi")
    design.add_argument("--cost-per-kpi", help="money spent per unit of treated KPI in the test")
    design.add_argument("--cells", default="1", help="disjoint treatment groups to plan side by side")
    design.add_argument("--neighbours", metavar="FILE", help="CSV geo,neighbour: pairs that spill over")
    design.add_argument("--include", default="", metavar="A,B", help="geographies that must be treated")


def run(args: argparse.Namespace) -> None:
    """Dispatch to the analysis or the design."""
    if args.action not in ("analyse", "design"):
        raise InputError(f"unknown action {args.action!r}: analyse or design")
    for name in (
        "panel",
        "out",
        *(("duration",) if args.action == "design" else ("treated", "start", "end")),
    ):
        if not getattr(args, name):
            raise InputError(f"--{name} is required")
    if args.action == "design":
        from modeling.geolift.design_cli import run_design

        run_design(args)
    else:
        _run_analysis(args)


def load_panel(args: argparse.Namespace, *, treated: bool) -> tuple[Panel, list[str], list[str]]:
    """Panel, treated and excluded geographies, from the options.

    Raises:
        InputError, Refusal: the file cannot be used.
    """
    if args.duplicates not in ("refuse", "sum", "mean"):
        raise InputError(f"--duplicates must be refuse, sum or mean, not {args.duplicates!r}")
    frame = read_table(args.panel, what="--panel")
    date = find_column(frame, args.date_column, DATES, what="date", option="--date-column")
    geo = find_column(frame, args.geo_column, GEOS, what="geography", option="--geo-column")
    kpi = find_column(frame, args.kpi_column, KPIS, what="KPI", option="--kpi-column")
    if len({date, geo, kpi}) < 3:
        raise InputError("date, geography and KPI must be three different columns")
    if len(frame) < MIN_ROWS:
        raise Refusal(f"{len(frame)} rows are too few for a geo experiment (at least {MIN_ROWS})")
    values = numeric_column(frame, kpi, what="KPI")
    names = text_column(args.panel, frame, geo)
    known = list(dict.fromkeys(n for n in names if n))
    own = find_geos(args.treated, known) if treated else []
    excluded = find_geos(args.exclude, known) if args.exclude else []
    both = [n for n in own if n in excluded]
    if both:
        raise InputError(f"{both[0]!r} is both treated and excluded")
    if treated and len(known) == 1:
        raise Refusal(f"the panel has one geography ({known[0]}): there is nothing to compare it with")
    panel = build_panel(
        text_column(args.panel, frame, date),
        names,
        values,
        must_have=own,
        duplicates=args.duplicates,
        date_format=args.date_format,
        test=(args.start, args.end) if treated else None,
    )
    if treated and (args.media or args.covariates):
        panel = _read_covariates(args, frame, panel, (date, geo, kpi))
    return panel, own, excluded


def _read_covariates(
    args: argparse.Namespace, frame: pd.DataFrame, panel: Panel, used: tuple[str, str, str]
) -> Panel:
    """The panel with the columns that --media and --covariates name."""
    found: dict[str, dict[str, pd.Series]] = {"--covariates": {}, "--media": {}}
    for option, text in (("--covariates", args.covariates), ("--media", args.media)):
        for name in [part.strip() for part in text.split(",") if part.strip()]:
            column = find_column(frame, name, (), what="covariate", option=option)
            if column in used or any(column in columns for columns in found.values()):
                raise InputError(f"{option}: column {column!r} is used twice")
            found[option][column] = numeric_column(frame, column, what="covariate")
    dates, geos = (text_column(args.panel, frame, c) for c in used[:2])
    return with_covariates(
        panel, dates, geos, found["--covariates"], found["--media"], date_format=args.date_format
    )


def _run_analysis(args: argparse.Namespace) -> None:
    options = Options(
        method=args.method,
        test=args.test,
        confidence=fraction(args.confidence, "--confidence"),
        washout=whole(args.washout, "--washout", 0),
        seed=whole(args.seed, "--seed", 0),
    )
    spend = None if args.spend is None else positive(args.spend, "--spend")
    args.start, args.end = (_as_period(text, args.date_format) for text in (args.start, args.end))
    panel, treated, excluded = load_panel(args, treated=True)
    registered: dict[str, Any] | None = None
    changed: list[str] = []
    if args.registration:
        registered = read_registration(args.registration)
        changed = check_registration(registered, treated, args.start, args.end, deviate=args.deviate)
    began = time.perf_counter()
    lift = analyse(panel, treated, args.start, args.end, options, exclude=excluded)
    # Geographies kept out of the control for spillover are tested themselves: an effect there is spillover.
    beside = analyse(panel, excluded, args.start, args.end, options, exclude=treated) if excluded else None
    progress(f"{lift.method}: {time.perf_counter() - began:.2f} s")
    with OutputDir(args.out) as out:
        record = lift_record(lift, treated, args.start, args.end, spend, registered, changed)
        record["spillover"] = None if beside is None else spillover_record(beside, excluded)
        out.json("lift.json", record)
        frame = pd.DataFrame(
            {
                "date": lift.periods,
                "observed": lift.observed,
                "counterfactual": lift.counterfactual,
                "low": lift.low,
                "high": lift.high,
            }
        )
        frame.to_csv(out.file("counterfactual.csv"), index=False, lineterminator="\n")
        weights = pd.DataFrame({"geo": list(lift.weights), "weight": list(lift.weights.values())})
        weights.sort_values("weight", ascending=False).to_csv(out.file("weights.csv"), index=False)
        out.json(
            "summary.json", {"notes": lift.notes, "control_scores": lift.scores, "options": vars(options)}
        )


def _as_period(text: str, date_format: str | None) -> str:
    """A date of the command line in ISO form, where it is written in the file's own format."""
    if date_format is None:
        return text
    parsed = pd.to_datetime(text, format=date_format, errors="coerce")
    return text if pd.isna(parsed) else str(parsed.date())


def lift_record(
    lift: Lift,
    treated: Sequence[str],
    start: str,
    end: str,
    spend: float | None,
    registered: dict[str, Any] | None = None,
    changed: Sequence[str] = (),
) -> dict[str, Any]:
    """The result as it is written: rates in percent, money and units as the KPI has them."""

    def per_cent(value: float | None) -> float | None:
        return None if value is None else value * 100

    def per_money(value: float) -> float | None:
        return None if spend is None else value / spend

    return {
        "att": lift.att,
        "att_ci_low": lift.att_low,
        "att_ci_high": lift.att_high,
        "incremental": lift.incremental,
        "incremental_ci_low": lift.incremental_low,
        "incremental_ci_high": lift.incremental_high,
        "lift_pct": per_cent(lift.lift),
        "ci_low": per_cent(lift.lift_low),
        "ci_high": per_cent(lift.lift_high),
        "confidence": lift.confidence,
        "p_value": lift.p_value,
        "spend": spend,
        "iroas": per_money(lift.incremental),
        "iroas_ci_low": per_money(lift.incremental_low),
        "iroas_ci_high": per_money(lift.incremental_high),
        "pre_period_fit": lift.fit,
        "pre_period_mean_absolute_error": lift.fit_error,
        "method": lift.method,
        "test": lift.test,
        "placebo": lift.placebo,
        "noise": lift.noise,
        "treated": list(treated),
        "start": start,
        "end": end,
        "donors": len(lift.weights),
        "dropped_donors": lift.dropped_donors,
        "washout": lift.washout,
        "registration": None if registered is None else registered.get("experiment_id"),
        "deviations_from_registration": list(changed),
        "notes": lift.notes,
    }


def spillover_record(lift: Lift, geos: Sequence[str]) -> dict[str, Any]:
    """The same test on geographies that were not treated but may have felt it; rates in percent."""
    return {
        "geos": list(geos),
        "lift_pct": None if lift.lift is None else 100 * lift.lift,
        "ci_low": None if lift.lift_low is None else 100 * lift.lift_low,
        "ci_high": None if lift.lift_high is None else 100 * lift.lift_high,
        "p_value": lift.p_value,
    }


def fraction(text: str, option: str) -> float:
    """A number strictly between 0 and 1."""
    value = positive(text, option)
    if value >= 1:
        raise InputError(f"{option} must be between 0 and 1, not {text}")
    return value


def positive(text: str, option: str) -> float:
    """A finite number above zero."""
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{option} must be a number, not {text!r}") from error
    if not 0 < value < float("inf"):
        raise InputError(f"{option} must be positive, not {text}")
    return value


def whole(text: str, option: str, low: int) -> int:
    """A whole number of at least ``low``."""
    try:
        value = int(text)
    except ValueError as error:
        raise InputError(f"{option} must be a whole number, not {text!r}") from error
    if value < low:
        raise InputError(f"{option} must be at least {low}, not {value}")
    return value
