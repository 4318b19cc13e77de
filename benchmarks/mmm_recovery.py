"""How near the mix model comes to known returns, and how often its 90 % intervals hold.

    python benchmarks/mmm_recovery.py [--counts clean:20,easy:20,...] [--draws FILE] [--score-only]

Worlds come from benchmarks/mmm_worlds.py, kinds taken in turn. `oracle` is the median error of generalised least
squares that knows every curve, carryover and variance (national kinds): what no estimator without prior knowledge
can be expected to beat. Posterior draws are kept in --draws, so that scores can be made again without fitting.
Prints a table, writes benchmarks/results/mmm_recovery.json and the table of docs/mmm.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import mmm_worlds
from modeling.mmm.analysis import return_scale
from modeling.mmm.estimator import Options, fit
from modeling.mmm.posterior import point_of
from modeling.mmm.sampler import Prior

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "mmm_recovery.json"
PAGE = HERE.parent / "docs" / "mmm.md"
BEGIN, END = "<!-- recovery table -->", "<!-- end of recovery table -->"
COUNTS = (
    "clean:20,easy:20,seasonal:16,other-family:16,drifting:16,hard:20,confounded:16,geo:24,geo-wide:8,"
    "clean-lift:12,easy-lift:12,hard-lift:12,confounded-lift:20,geo-lift:12"
)
Record = dict[str, Any]


def run(kind: str, seed: int) -> Record:
    """Fit one world; what scoring needs of it."""
    world = mmm_worlds.make_world(seed, mmm_worlds.KINDS[kind])
    centre, sd = return_scale(world.panel)
    options = Options(
        prior=Prior(scale_center=centre, scale_sd=sd),
        chasers=tuple(world.panel.channels[c] for c in sorted(world.chasers)),
        seed=seed,
    )
    start = time.process_time()
    posterior = fit(world.panel, options)
    return {
        "kind": kind,
        "seed": seed,
        "truth": world.truth.tolist(),
        "chasers": sorted(world.chasers),
        "returns": np.round(posterior.returns(), 5).tolist(),
        "support": posterior.support().tolist(),
        "contradicted": posterior.contradicted.tolist(),
        "oracle": mmm_worlds.oracle(world).tolist() if world.panel.shape[0] == 1 else None,
        "cpu": time.process_time() - start,
    }


def score(records: list[Record], kind: str) -> dict[str, float | str | int]:
    """One row of the table."""
    mine = [r for r in records if kind in (r["kind"], "all without tests")]
    if kind == "all without tests":
        mine = [r for r in mine if not r["kind"].endswith("-lift")]
    rows = []
    for r in mine:
        low, high = np.quantile(r["returns"], [0.05, 0.95], axis=0)
        known_support = (np.array(r["support"]) >= Options().support_threshold) & ~np.array(r["contradicted"])
        low = np.where(r["contradicted"], 0.0, low)
        point = point_of(np.array(r["returns"]), known_support)
        known = r["oracle"] if r["oracle"] is not None else np.full(len(low), np.nan)
        for c, truth in enumerate(r["truth"]):
            flagged = not known_support[c]
            rows.append((truth, low[c], point[c], high[c], flagged, c in r["chasers"], known[c]))
    truth, low, point, high, flag, chaser, known = np.array(rows, dtype=float).T
    real, plain = truth > 0, chaser == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(point - truth) / truth
        best = np.abs(known - truth) / truth
    inside = (low <= truth + 1e-9) & (truth <= high)
    nothing = ~real

    def middle(values: np.ndarray) -> float:
        return float(np.median(values)) if values.size and np.isfinite(values).all() else float("nan")

    return {
        "kind": kind,
        "worlds": len(mine),
        "returns": len(rows),
        "median_error": middle(error[real & plain]),
        "mean_error": float(error[real & plain].mean()),
        "oracle": middle(best[real & plain]),
        "coverage_90": float(inside.mean()),
        "coverage_real": float(inside[real].mean()),
        "zero_flagged": float(flag[nothing].mean()) if nothing.any() else float("nan"),
        "real_unsupported": float(flag[real].mean()),
        "chaser_median_error": middle(error[real & ~plain]),
        "cpu_seconds": float(np.mean([r["cpu"] for r in mine])),
    }


def page_table(table: list[dict[str, float | str | int]]) -> str:
    """Markdown of the scores."""

    def percent(value: object) -> str:
        return "" if value != value else f"{100 * float(str(value)):.1f} %"

    head = (
        "| kind | panels | median error | mean error | error with every curve known | 90 % intervals hold | "
        "zero channels flagged | real ones called unsupported | demand chasers' median error | CPU s |"
    )
    lines = [head, "|" + "---|" * 10]
    for r in table:
        lines.append(
            f"| {r['kind']} | {r['worlds']} | {percent(r['median_error'])} | {percent(r['mean_error'])} | "
            f"{percent(r['oracle'])} | {percent(r['coverage_90'])} | {percent(r['zero_flagged'])} | "
            f"{percent(r['real_unsupported'])} | {percent(r['chaser_median_error'])} | {r['cpu_seconds']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default=COUNTS, help="kind:panels, comma separated")
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument(
        "--draws", default="/tmp/mmm_recovery.json", help="where the posterior draws are kept"
    )
    parser.add_argument("--score-only", action="store_true", help="score the kept draws, fit nothing")
    args = parser.parse_args()
    wanted = {k: int(n) for k, n in (item.split(":") for item in args.counts.split(","))}
    kept = Path(args.draws)
    records: list[Record] = []
    if args.score_only:
        records = json.loads(kept.read_text())
    else:
        for i in range(max(wanted.values())):
            for kind, n in wanted.items():
                if i < n:
                    records.append(run(kind, args.seed + i))
            kept.write_text(json.dumps(records))
            print(f"round {i + 1}: {len(records)} panels", flush=True)
    kinds = [k for k in wanted if any(r["kind"] == k for r in records)]
    if any(not k.endswith("-lift") for k in kinds):
        kinds.append("all without tests")
    table = [score(records, k) for k in kinds]
    print(pd.DataFrame(table).round(3).to_string(index=False))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=1, allow_nan=True) + "\n")
    text = PAGE.read_text()
    if BEGIN in text:
        before, rest = text.split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{page_table(table)}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
