"""Four new weeks: does every return stay within its earlier 50 % interval?

    python benchmarks/mmm_refresh.py [--kinds geo:8,clean:12,easy:12,hard:8]

A refresh is simulated by fitting a made-up panel without its newest four weeks, and again with them. Per kind: the
share of refreshes in which a return's new point lies within the earlier interval, of returns and of whole refreshes
(every return); the shared mass that gates publication; and how far points move. Prints a table, writes
benchmarks/results/mmm_refresh.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import mmm_worlds
from modeling.mmm.analysis import return_scale
from modeling.mmm.diagnostics import head
from modeling.mmm.estimator import Options, Posterior, fit, spent
from modeling.mmm.judgement import MIN_OVERLAP, overlap
from modeling.mmm.panel import Panel
from modeling.mmm.posterior import point_return
from modeling.mmm.sampler import Prior

RESULTS = Path(__file__).parent / "results" / "mmm_refresh.json"
WEEKS = 4


def fitted(panel: Panel, seed: int) -> Posterior:
    """The command's fit."""
    centre, sd = return_scale(panel)
    return fit(panel, Options(prior=Prior(scale_center=centre, scale_sd=sd), seed=seed))


def refresh(kind: str, seed: int) -> dict[str, object]:
    """One simulated refresh: which points stayed, how far they moved, the overlap score."""
    panel = mmm_worlds.make_world(seed, mmm_worlds.KINDS[kind]).panel
    earlier = head(panel, panel.shape[1] - WEEKS)
    before, now = fitted(earlier, seed), fitted(panel, seed)
    low, high = np.quantile(before.returns(), [0.25, 0.75], axis=0)
    old, new = point_return(before), point_return(now)[[now.channels.index(c) for c in spent(earlier)]]
    # the reported point belongs to the interval that is compared with, also where the posterior is skewed
    low, high = np.minimum(low, old), np.maximum(high, old)
    shared = [
        overlap(before.returns()[:, i], now.returns()[:, now.channels.index(c)])
        for i, c in enumerate(before.channels)
    ]
    weight = panel.total_spend()[list(before.channels)]
    return {
        "kind": kind,
        "stayed": ((low <= new) & (new <= high)).tolist(),
        "moved": (np.abs(new - old) / np.maximum(old, 1e-9)).tolist(),
        "score": float(np.average(shared, weights=weight)),
    }


def row(kind: str, found: list[dict[str, object]]) -> dict[str, object]:
    """Scores of one kind."""
    stayed = [s for r in found for s in r["stayed"]]
    scores = np.array([r["score"] for r in found])
    return {
        "kind": kind,
        "refreshes": len(found),
        "returns": len(stayed),
        "returns_within": float(np.mean(stayed)),
        "refreshes_within": float(np.mean([all(r["stayed"]) for r in found])),
        "median_move": float(np.median([m for r in found for m in r["moved"]])),
        "median_overlap": float(np.median(scores)),
        "published": float((scores >= MIN_OVERLAP).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default="geo:8,clean:12,easy:12,hard:8")
    parser.add_argument("--seed", type=int, default=40_000)
    parser.add_argument(
        "--kept", default="/tmp/mmm_refresh.jsonl", help="refreshes of earlier runs count as well"
    )
    args = parser.parse_args()
    kept = Path(args.kept)
    for item in args.kinds.split(","):
        kind, n = item.split(":")
        for i in range(int(n)):
            with kept.open("a") as file:
                file.write(json.dumps(refresh(kind, args.seed + i)) + "\n")
    found = [json.loads(line) for line in kept.read_text().splitlines()]
    kinds = sorted({str(r["kind"]) for r in found})
    table = [row(k, [r for r in found if r["kind"] == k]) for k in kinds] + [row("all", found)]
    print(pd.DataFrame(table).round(3).to_string(index=False), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
