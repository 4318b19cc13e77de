"""``python -m modeling attribution``: every attribution model on a file of weighted paths."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd

from modeling.attribution.markov import DENSE_LIMIT, Chain, build_chain, log_likelihood
from modeling.attribution.models import (
    MODELS,
    Settings,
    attribute,
    bootstrap,
    interval_table,
    length_table,
    transition_table,
)
from modeling.attribution.paths import Paths, build_paths
from modeling.columns import find_column, find_optional_column, numeric_column, text_column
from modeling.errors import InputError, Refusal
from modeling.files import OutputDir, read_table
from modeling.progress import progress

CONVERSIONS = ("conversions", "total_conversions", "conversion", "conv", "converted", "is_converted")
VALUES = ("value", "total_conversion_value", "conversion_value", "conv_value", "value_usd", "revenue")
NULLS = ("nulls", "total_null", "null", "total_nulls", "non_conversions", "null_count")
USUAL_SEPARATORS = ("->", "=>", "→", ">", "|", ";")
MIN_ROWS = 4
BOOTSTRAP_SECONDS = 15.0  # estimated work that intervals may cost when nobody says how many draws
LEAST_DRAWS, MOST_DRAWS = 20, 200


def add_parser(subparsers: Any) -> None:
    """Register the command and its options."""
    parser = subparsers.add_parser(
        "attribution", help="divide conversions among channels, from a file of paths"
    )
    parser.add_argument(
        "--paths", required=True, metavar="FILE", help="CSV or Parquet, one row per weighted path"
    )
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--path-column", metavar="NAME", help="default: path")
    parser.add_argument(
        "--conversions-column", metavar="NAME", help=f"default: one of {', '.join(CONVERSIONS)}"
    )
    parser.add_argument(
        "--value-column", metavar="NAME", help=f"default: one of {', '.join(VALUES)}, if there"
    )
    parser.add_argument("--null-column", metavar="NAME", help=f"default: one of {', '.join(NULLS)}, if there")
    parser.add_argument(
        "--lag-column", metavar="NAME", help="days before conversion of each touch, same separator"
    )
    parser.add_argument(
        "--separator",
        default=" > ",
        help="between the channels of a path (default: ' > '); one that begins with a hyphen: --separator='->'",
    )
    parser.add_argument("--order", default="1", help="Markov order, 1 to 4, or auto (smallest BIC)")
    parser.add_argument(
        "--half-life", default="7", help="time decay: days (touches, where paths have no times)"
    )
    parser.add_argument("--shapley-game", default="conversions", choices=("conversions", "rate"))
    parser.add_argument("--bootstrap", default="auto", help="draws for intervals; 0 = none; auto = up to 200")
    parser.add_argument("--min-rows", default=str(MIN_ROWS), help=f"refuse fewer rows (default {MIN_ROWS})")
    parser.add_argument("--seed", default="0")


def run(args: argparse.Namespace) -> None:
    """Read, fit, write credits.csv, transitions.csv, removal_effects.csv, path_lengths.csv, summary.json."""
    seed = _whole(args.seed, "--seed", 0)
    half_life = _positive(args.half_life, "--half-life")
    min_rows = _whole(args.min_rows, "--min-rows", 0)
    if args.order != "auto" and args.order not in ("1", "2", "3", "4"):
        raise InputError(f"--order must be 1, 2, 3, 4 or auto, not {args.order!r}")
    if not args.separator:
        raise InputError("--separator must not be empty")
    draws_asked = None if args.bootstrap == "auto" else _whole(args.bootstrap, "--bootstrap", 0)
    paths, columns, notes = _read(args, min_rows)
    order = choose_order(paths) if args.order == "auto" else int(args.order)
    settings = Settings(order=order, half_life=half_life, shapley_game=args.shapley_game, seed=seed)
    result = attribute(paths, settings)
    progress(f"fitted {len(MODELS)} models on {len(paths.lengths):,} distinct paths")
    credits = result.credits
    if columns["value"] is None:
        credits = credits.assign(value=float("nan"))
    draws = affordable_draws(paths, result.chain) if draws_asked is None else draws_asked
    with OutputDir(args.out) as out:
        _write(out, "credits.csv", credits)
        _write(out, "transitions.csv", transition_table(result.chain, paths.channels))
        _write(out, "removal_effects.csv", result.removal)
        _write(out, "path_lengths.csv", length_table(paths))
        if draws:
            table = bootstrap(paths, settings, draws=draws, report=_reporter(draws))
            _write(out, "credit_intervals.csv", interval_table(table, result.credits, paths.channels))
        out.json("summary.json", _summary(paths, columns, notes, settings, result.shapley_error, draws))


def affordable_draws(paths: Paths, chain: Chain) -> int:
    """Bootstrap draws that stay within :data:`BOOTSTRAP_SECONDS` by an estimate of their work; 0 = too few to be of use.

    An estimate, not a clock: the same file gives the same draws on every machine.
    """
    channels, states = len(paths.channels), len(chain.states)
    is_dense = chain.states.shape[1] == 1 and states <= DENSE_LIMIT
    solving = 1e-9 * channels**3 if is_dense else 5e-6 * channels * states
    draws = int(BOOTSTRAP_SECONDS / (7e-8 * len(paths.codes) + solving + 1e-4))
    return min(draws, MOST_DRAWS) if draws >= LEAST_DRAWS else 0


def choose_order(paths: Paths) -> int:
    """Markov order with the smallest BIC (journeys as observations)."""
    best, best_score = 1, float("inf")
    journeys = float((paths.conversions + paths.nulls).sum())
    for order in (1, 2, 3, 4):
        likelihood, free = log_likelihood(build_chain(paths, order))
        score = free * float(np.log(journeys)) - 2 * likelihood
        if score < best_score:
            best, best_score = order, score
    return best


def _read(args: argparse.Namespace, min_rows: int) -> tuple[Paths, dict[str, str | None], dict[str, float]]:
    frame = read_table(args.paths, what="--paths")
    if len(frame) < min_rows:
        raise Refusal(
            f"{len(frame)} rows of paths are too few to tell channels apart (at least {min_rows}; see --min-rows)"
        )
    path_column = find_column(frame, args.path_column, ("path", "paths"), what="path", option="--path-column")
    conversions = find_column(
        frame, args.conversions_column, CONVERSIONS, what="conversions", option="--conversions-column"
    )
    value = find_optional_column(frame, args.value_column, VALUES, what="value", option="--value-column")
    nulls = find_optional_column(frame, args.null_column, NULLS, what="null", option="--null-column")
    columns = {"path": path_column, "conversions": conversions, "value": value, "null": nulls}
    used = [c for c in columns.values() if c is not None]
    if len(set(used)) < len(used):
        twice = next(c for c in used if used.count(c) > 1)
        raise InputError(f"the column {twice!r} is named for two purposes")
    texts = _path_text(args, frame, path_column)
    paths, notes = build_paths(
        texts,
        _counts(frame, conversions),
        None if value is None else numeric_column(frame, value, what="value"),
        None if nulls is None else _counts(frame, nulls),
        separator=args.separator,
        lags=None if args.lag_column is None else _lag_text(args, frame),
    )
    return paths, columns, notes


def _path_text(args: argparse.Namespace, frame: pd.DataFrame, column: str) -> pd.Series:
    """Paths as text; a Parquet list of channels is joined, and a separator that is clearly another one is refused."""
    cells = frame[column]
    if cells.map(lambda c: isinstance(c, (list, tuple, np.ndarray))).any():
        return cells.map(lambda c: "" if c is None else args.separator.join(map(str, c)))
    texts = text_column(args.paths, frame, column)
    if not texts.str.contains(args.separator, regex=False).any():
        others = [
            s for s in USUAL_SEPARATORS if s != args.separator and texts.str.contains(s, regex=False).any()
        ]
        if others:
            first = texts[texts.str.contains(others[0], regex=False)].iloc[0]
            raise InputError(
                f"no path contains the separator {args.separator!r}, but {first[:60]!r} looks separated by {others[0]!r}: "
                f"name it with --separator={others[0]!r}"
            )
    return texts


def _lag_text(args: argparse.Namespace, frame: pd.DataFrame) -> pd.Series:
    if args.lag_column not in frame.columns:
        raise InputError(f"--lag-column: no column {args.lag_column!r}")
    return text_column(args.paths, frame, args.lag_column)


def _counts(frame: pd.DataFrame, column: str) -> pd.Series:
    if pd.api.types.is_bool_dtype(frame[column]):
        return frame[column].astype("float64")
    return numeric_column(frame, column, what="weight")


def _write(out: OutputDir, name: str, frame: pd.DataFrame) -> None:
    # Full precision: credits are exact, and 12 digits would round a large total.
    frame.to_csv(out.file(name), index=False, lineterminator="\n")


def _reporter(draws: int) -> Any:
    def report(done: int) -> None:
        if done % 50 == 0 or done == draws:
            progress(f"bootstrap {done} of {draws}")

    return report


def _summary(
    paths: Paths,
    columns: dict[str, str | None],
    notes: dict[str, float],
    settings: Settings,
    shapley_error: float,
    draws: int,
) -> dict[str, Any]:
    warnings = []
    if notes["rows_without_touch"]:
        warnings.append(
            f"{notes['rows_without_touch']:g} rows have no touch; their {notes['conversions_without_touch']:g} "
            "conversions cannot be credited and are left out"
        )
    if columns["null"] is None:
        warnings.append("no null column: every path counts as converted, removal effects are shares of paths")
    if not draws:
        warnings.append("no intervals: not asked for, or too much work for these paths (--bootstrap N)")
    if len(paths.codes) == len(paths.lengths):
        warnings.append("every path has a single touch: all rule models agree")
    return {
        "channels": list(paths.channels),
        "conversions": float(paths.conversions.sum()),
        "value": None if columns["value"] is None else float(paths.value.sum()),
        "nulls": float(paths.nulls.sum()),
        "distinct_paths": len(paths.lengths),
        "columns": columns,
        "markov_order": settings.order,
        "time_decay_half_life": settings.half_life,
        "time_decay_unit": "touches" if paths.lags is None else "days",
        "shapley_game": settings.shapley_game,
        "shapley_standard_error": shapley_error,
        "bootstrap_draws": draws,
        "confidence": 0.95,
        "intake": notes,
        "warnings": warnings,
    }


def _whole(text: str, option: str, low: int) -> int:
    try:
        number = int(text)
    except ValueError as error:
        raise InputError(f"{option} must be a whole number, not {text!r}") from error
    if number < low:
        raise InputError(f"{option} must be at least {low}")
    return number


def _positive(text: str, option: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise InputError(f"{option} must be a number, not {text!r}") from error
    if not 0 < number < float("inf"):
        raise InputError(f"{option} must be positive")
    return number
