"""Coverage, false positives, width and power of the geo lift analysis over simulated panels.

    python benchmarks/geolift_study.py [--panels 60] [--published 1000] [--uneven 150] [--kinds textbook,additive]
    python benchmarks/geolift_study.py --rows FILE --minutes 8      (in pieces: FILE keeps what has been scored)

Every panel is analysed with its effect; the same panel without it follows exactly, because the test's own
data enter the estimate only through the mean gap. "Published" are GeoLift's figures in the Recast study of
four geo tools (1,000 panels a cell): width of the 95 % interval of the KPI per day, power at a 7.5 % effect.
The true lift is the realised one: observed over counterfactual, as the study scores it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.geolift_panels import KINDS, Draw
from modeling.geolift import inference
from modeling.geolift.analysis import Lift, Options, analyse
from modeling.geolift.control import is_log
from modeling.geolift.covariates import media_pressure
from modeling.geolift.panel import Panel

EFFECT = 0.075
PUBLISHED = {  # width without effect, power at 7.5 %
    "textbook": (2058.67, 0.087),
    "outlier": (10149.65, 0.090),
    "nine_donors": (1953.57, 0.107),
    "short_history": (5394.68, 0.043),
}
UNEVEN = ("uneven_media", "uneven_media_untold", "empty_shelves", "price_moves", "two_tests")
PARTS = 20
RESULTS = Path(__file__).parent / "results" / "geolift_study.json"


def panel_of(draw: Draw) -> Panel:
    """Panel whose first geography is the treated one."""
    names = ["treated"] + [f"donor {j}" for j in range(draw.donors.shape[1])]
    values = np.column_stack([draw.observed, draw.donors])
    level = values.mean(axis=0)
    media = {name: media_pressure(spend, level, 1.0) for name, spend in draw.media.items()}
    periods = [str(t) for t in range(len(values))]
    return Panel(periods, names, values, covariates={**draw.covariates, **media})


def score(draw: Draw, result: Lift) -> dict[str, float]:
    """Coverage with the effect, and the same test on the same panel without it."""
    observed, counterfactual, pre = draw.observed, draw.counterfactual, draw.pre
    true_att = float((observed - counterfactual)[pre:].mean())
    true_lift = float(observed[pre:].sum() / counterfactual[pre:].sum() - 1)
    low = -np.inf if result.lift_low is None else result.lift_low
    high = np.inf if result.lift_high is None else result.lift_high
    noise = result.noise
    if is_log(result.method):
        shift = float((np.log(observed) - np.log(counterfactual))[pre:].mean())
    else:
        # Covariates that were taken out rescale what is sold; effects on levels scale with it.
        shift = true_att * (noise["effect"] / result.att if result.att else 1.0)
    null = inference.student(
        noise["effect"] - shift, noise["standard_error"], noise["degrees_of_freedom"], 0.95
    )
    outside = low > 0 or high < 0
    return {
        "covered": low <= true_lift <= high,
        "found": result.p_value < 0.05,
        "false_positive": null.p_value < 0.05,
        "width": result.att_high - result.att_low,
        "error": (result.lift or 0.0) - true_lift,
        "contradiction": outside != (result.p_value < 0.05),
    }


def main() -> None:
    """Run the study and write benchmarks/results/geolift_study.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=60, help="panels of each other kind")
    parser.add_argument(
        "--published", type=int, default=1000, help="panels of each kind with published figures"
    )
    parser.add_argument(
        "--uneven", type=int, default=150, help="panels of each kind where other causes move apart"
    )
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=Path, help="keeps scored panels; a further run goes on from there")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so much time")
    args = parser.parse_args()
    kinds = args.kinds.split(",")
    wanted = {
        k: args.published if k in PUBLISHED else args.uneven if k in UNEVEN else args.panels for k in kinds
    }
    rows: dict[str, list[dict[str, float]]] = {k: [] for k in kinds}
    if args.rows and args.rows.exists():
        rows |= json.loads(args.rows.read_text())
    until = time.monotonic() + 60 * args.minutes
    for part in range(1, PARTS + 1):  # all kinds by turns, so that a piece that was stopped is balanced
        for kind in kinds:
            while len(rows[kind]) < wanted[kind] * part // PARTS and time.monotonic() < until:
                rows[kind].append(_one(kind, args.seed, len(rows[kind])))
        if args.rows:
            args.rows.write_text(json.dumps(rows))
    table: dict[str, Any] = {k: _summary(k, rows[k]) for k in KINDS if rows.get(k)}
    table["all"] = _pooled(list(table.values()))
    head = f"{'kind':20s} {'panels':>6s} {'cover':>6s} {'false+':>6s} {'power':>6s} {'width':>8s} {'x GeoLift':>9s}"
    print(head + f" {'power x':>7s} {'rmse pp':>7s} {'bias pp':>7s} {'contra':>6s}")
    for kind, line in table.items():
        print(_line(kind, line))
    table["seed"] = args.seed
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=2) + "\n")


def _one(kind: str, seed: int, number: int) -> dict[str, float]:
    """Scores of one panel."""
    began = time.process_time()
    draw = KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind), number]), EFFECT)
    last = str(len(draw.observed) - 1)
    found = score(draw, analyse(panel_of(draw), ["treated"], str(draw.pre), last, Options()))
    return {**{k: float(v) for k, v in found.items()}, "cpu_seconds": time.process_time() - began}


def _pooled(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    """All panels together."""
    panels = np.array([k["panels"] for k in kinds])

    def mean(name: str, power: int = 1) -> float:
        return float(np.average([k[name] ** power for k in kinds], weights=panels) ** (1 / power))

    shares = {name: mean(name) for name in ("coverage", "false_positives", "power", "width", "bias_pp")}
    return {
        "panels": int(panels.sum()),
        **shares,
        "width_over_geolift": None,
        "power_over_geolift": None,
        "rmse_pp": mean("rmse_pp", 2),
        "contradictions": int(sum(k["contradictions"] for k in kinds)),
        "cpu_seconds": round(sum(k["cpu_seconds"] for k in kinds), 1),
    }


def _summary(kind: str, rows: list[dict[str, float]]) -> dict[str, float | int | None]:
    def mean(name: str) -> float:
        return float(np.mean([r[name] for r in rows]))

    width, power = PUBLISHED.get(kind, (None, None))
    errors = np.array([r["error"] for r in rows])
    return {
        "panels": len(rows),
        "coverage": mean("covered"),
        "false_positives": mean("false_positive"),
        "power": mean("found"),
        "power_standard_error": float(np.sqrt(mean("found") * (1 - mean("found")) / len(rows))),
        "width": mean("width"),
        "width_over_geolift": None if width is None else mean("width") / width,
        "power_over_geolift": None if power is None else mean("found") / power,
        "rmse_pp": float(100 * np.sqrt((errors**2).mean())),
        "bias_pp": float(100 * errors.mean()),
        "contradictions": int(sum(r["contradiction"] for r in rows)),
        "cpu_seconds": round(sum(r["cpu_seconds"] for r in rows), 1),
    }


def _line(kind: str, s: dict[str, Any]) -> str:
    def times(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    return (
        f"{kind:20s} {s['panels']:6d} {s['coverage']:6.3f} {s['false_positives']:6.3f} {s['power']:6.3f} "
        f"{s['width']:8.1f} {times(s['width_over_geolift']):>9s} {times(s['power_over_geolift']):>7s} "
        f"{s['rmse_pp']:7.2f} {s['bias_pp']:7.2f} {s['contradictions']:6d}"
    )


if __name__ == "__main__":
    main()
