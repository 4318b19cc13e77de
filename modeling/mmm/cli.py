"""``python -m modeling mmm``: the mix model on a file."""

from __future__ import annotations

import argparse

from modeling.errors import InputError
from modeling.files import OutputDir, read_table
from modeling.mmm.analysis import analyse, options_from_spec
from modeling.mmm.load import load_panel
from modeling.mmm.spec_file import read_spec
from modeling.mmm.threads import one_thread
from modeling.progress import progress


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's options."""
    parser = subparsers.add_parser(
        "mmm", help="returns per channel with intervals, decomposition, response curves and a budget plan"
    )
    parser.add_argument("--data", required=True, help="CSV or Parquet, one row per period (and geography)")
    parser.add_argument("--spec", required=True, help="YAML: which column is what")
    parser.add_argument("--out", required=True, help="folder for the results")
    parser.add_argument("--seed", type=int, default=0, help="same input and seed, same bytes (default 0)")


@one_thread
def run(args: argparse.Namespace) -> None:
    """Fit and write the result files.

    Raises:
        InputError, Refusal: one clear line; nothing is written.
    """
    if args.seed < 0:
        raise InputError("--seed must not be negative")
    spec = read_spec(args.spec)
    data = read_table(args.data)
    lifts = None
    if spec.lift_tests:
        from pathlib import Path

        path = Path(spec.lift_tests)
        if not path.is_absolute():
            beside = [Path(args.spec).parent / path, Path(args.data).parent / path, path]
            path = next((p for p in beside if p.is_file()), beside[0])
        lifts = read_table(path, what="lift tests")
    panel = load_panel(data, spec, lifts)
    g, t, c = panel.shape
    progress(f"panel: {g} geographies x {t} periods x {c} channels")
    result = analyse(panel, options_from_spec(spec, panel, seed=args.seed), spec, progress=progress)
    with OutputDir(args.out) as out:
        for name, frame in result.tables.items():
            out.csv(name, frame)
        out.json("diagnostics.json", result.diagnostics)
        out.json("summary.json", result.summary)
    progress(f"wrote {args.out}")
