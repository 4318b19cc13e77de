"""``python -m modeling segments``: segments of the customers in a file."""

from __future__ import annotations

import argparse

import pandas as pd

from modeling.errors import InputError
from modeling.files import OutputDir, read_table, require_columns
from modeling.progress import progress
from modeling.segments.cluster import segment
from modeling.segments.join import check_segment_columns
from modeling.segments.profile import profiles


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Options of the command."""
    parser = subparsers.add_parser("segments", help="customer segments by K-means, with profiles")
    parser.add_argument("--customers", required=True, help="CSV or Parquet, one row a customer")
    parser.add_argument("--features", required=True, help="numeric columns, comma separated")
    parser.add_argument(
        "--out", required=True, help="folder for segments.csv, profiles.csv, selection.csv, summary.json"
    )
    parser.add_argument("--k", default="auto", help="number of segments, or auto (default)")
    parser.add_argument(
        "--id", help="column that names a customer; default: the first column that is no feature"
    )
    parser.add_argument(
        "--panel", help="optional weekly file whose segment columns are to be checked for use in a model"
    )
    parser.add_argument("--panel-columns", help="its segment columns, comma separated")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Read, segment, describe, write.

    Raises:
        InputError, Refusal: one clear line; nothing is written.
    """
    features = [f.strip() for f in args.features.split(",") if f.strip()]
    if len(set(features)) != len(features) or not features:
        raise InputError("--features: name at least one column, each once")
    frame = read_table(args.customers, what="customers")
    require_columns(frame, features, what="customers")
    if args.panel:
        if not args.panel_columns:
            raise InputError("--panel needs --panel-columns")
        check_segment_columns(
            read_table(args.panel, what="panel"), [c.strip() for c in args.panel_columns.split(",")]
        )
    key = _key(frame, features, args.id)
    progress(f"segments: {len(frame):,} customers, {len(features)} features")
    fitted = segment(frame, features, k=_k(args.k), seed=args.seed)
    table = profiles(frame, fitted)
    progress(f"segments: {fitted.reason}")
    listed = frame[[*([key] if key else []), *features]].copy()
    if key:
        listed[key] = _as_written(args.customers, key, frame)
    else:
        listed.insert(0, "row", range(1, len(frame) + 1))
    listed["segment"] = fitted.labels
    best = fitted.selection[fitted.selection["is_chosen"]].iloc[0]
    with OutputDir(args.out) as out:
        out.csv("segments.csv", listed)
        out.csv("profiles.csv", table)
        out.csv("selection.csv", fitted.selection)
        out.json(
            "summary.json",
            {
                "customers": len(frame),
                "features": features,
                "k": fitted.k,
                "reason": fitted.reason,
                "silhouette": best["silhouette"],
                "stability": best["stability"],
                "sizes": table["customers"].tolist(),
                "scaling": "min-max",
                "mixture": {"agreement": best["mixture_agreement"], "best_k_by_bic": int(fitted.selection["k"].to_numpy()[int(fitted.selection["mixture_bic"].to_numpy().argmin())])},
                "seed": args.seed,
            },
        )  # fmt: skip


def _key(frame: pd.DataFrame, features: list[str], named: str | None) -> str | None:
    """The customer's key: as named, else the first other column whose values are all different."""
    if named:
        require_columns(frame, [named], what="customers")
        if frame[named].isna().any() or frame[named].duplicated().any():
            raise InputError(f"customers: --id {named!r} is not a key (missing or repeated values)")
        return named
    others = [c for c in frame.columns if c not in features]
    return next((c for c in others if frame[c].notna().all() and not frame[c].duplicated().any()), None)


def _as_written(path: str, key: str, frame: pd.DataFrame) -> pd.Series:
    """The key's column as text exactly as the file has it (leading zeros), where the file is CSV."""
    if path.lower().endswith((".parquet", ".pq")):
        return frame[key]
    try:
        text = pd.read_csv(path, dtype=str, encoding="utf-8-sig", skipinitialspace=True)
    except (UnicodeError, ValueError):
        return frame[key]
    text.columns = [str(c).strip() for c in text.columns]
    return text[key] if key in text.columns and len(text) == len(frame) else frame[key]


def _k(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError as error:
        raise InputError(f"--k must be a whole number or auto, got {text!r}") from error
