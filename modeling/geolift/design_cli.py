"""``python -m modeling geolift design``: ranked designs from a panel of history."""

from __future__ import annotations

import argparse

import pandas as pd

from modeling.errors import InputError
from modeling.files import OutputDir, read_table, require_columns
from modeling.geolift.cli import fraction, load_panel, positive, whole
from modeling.geolift.design import Design, Limits, search
from modeling.geolift.panel import find_geos
from modeling.geolift.registration import registration
from modeling.progress import progress

REFERENCE_EFFECT = 0.10


def run_design(args: argparse.Namespace) -> None:
    """Write designs.csv, power_curves.csv, summary.json and one registration file for the best design."""
    duration = whole(args.duration, "--duration", 1)
    confidence = fraction(args.confidence, "--confidence")
    cells = whole(args.cells, "--cells", 1)
    share = fraction(args.max_share, "--max-share")
    budget = None if args.budget is None else positive(args.budget, "--budget")
    cost = None if args.cost_per_kpi is None else positive(args.cost_per_kpi, "--cost-per-kpi")
    if budget is not None and cost is None:
        raise InputError("--budget needs --cost-per-kpi")
    panel, _, excluded = load_panel(args, treated=False)
    largest = max(len(panel.geos) // 2, 1)
    counts = _counts(args.treated_counts) or tuple(range(1, min(5, largest) + 1))
    limits = Limits(
        counts=counts,
        max_share=share,
        include=tuple(find_geos(args.include, panel.geos)) if args.include else (),
        exclude=tuple(g for g in excluded if g in panel.geos),
        budget=budget,
        cost_per_kpi=cost,
        neighbours=_neighbours(args.neighbours),
    )
    if limits.include and max(counts) < len(limits.include):
        raise InputError(
            f"--include names {len(limits.include)} geographies, more than --treated-counts allows"
        )
    designs = search(panel, duration, limits, cells=cells, confidence=confidence, report=progress)
    with OutputDir(args.out) as out:
        design_table(designs).to_csv(out.file("designs.csv"), index=False, lineterminator="\n")
        curves = [
            {"rank": rank, "effect_pct": 100 * effect, "power": power}
            for rank, design in enumerate(designs, 1)
            for effect, power in design.power.items()
        ]
        pd.DataFrame(curves).to_csv(out.file("power_curves.csv"), index=False, lineterminator="\n")
        best = designs[0]
        start, end = (args.start, args.end) if args.start and args.end else (None, None)
        out.json(
            "registration.json",
            registration(
                f"{args.out.rstrip('/').rsplit('/', 1)[-1]}",
                best.treated,
                start,
                end,
                duration=duration,
                minimum_detectable_effect_pct=100 * best.minimum_effect,
                method="auto",
                test="t",
                confidence=confidence,
            ),
        )
        out.json(
            "summary.json",
            {
                "geographies": len(panel.geos),
                "periods": len(panel.periods),
                "duration": duration,
                "confidence": confidence,
                "power_target": 0.8,
                "best": list(best.treated),
                "minimum_detectable_effect_pct": 100 * best.minimum_effect,
                "notes": panel.notes,
            },
        )


def design_table(designs: list[Design]) -> pd.DataFrame:
    """One row per design, best first; effects and errors in percent."""
    return pd.DataFrame(
        [
            {
                "rank": rank,
                "cell": d.cell,
                "treated": ", ".join(d.treated),
                "treated_count": len(d.treated),
                "minimum_detectable_effect_pct": 100 * d.minimum_effect,
                "power": d.power[REFERENCE_EFFECT],
                "power_effect_pct": 100 * REFERENCE_EFFECT,
                "aa_false_positive_rate": d.false_positive_rate,
                "aa_tests": d.tests,
                "aa_lift_pct": 100 * d.bias,
                "standard_error_pct": 100 * d.standard_error,
                "pre_period_fit": d.fit,
                "share_of_kpi": d.share,
                "cost": d.cost,
                "method": d.method,
            }
            for rank, d in enumerate(designs, 1)
        ]
    )


def _counts(text: str) -> tuple[int, ...]:
    return (
        tuple(sorted({whole(part.strip(), "--treated-counts", 1) for part in text.split(",")}))
        if text
        else ()
    )


def _neighbours(path: str | None) -> tuple[tuple[str, str], ...]:
    if path is None:
        return ()
    frame = read_table(path, what="--neighbours")
    require_columns(frame, ["geo", "neighbour"], what="--neighbours")
    return tuple((str(a), str(b)) for a, b in zip(frame["geo"], frame["neighbour"], strict=True))
