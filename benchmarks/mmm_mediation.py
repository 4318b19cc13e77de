"""Planted mediators: how often the 90 % interval of the indirect effect holds, and what it says of nulls.

    python benchmarks/mmm_mediation.py [--worlds 50] [--kinds planted,null-a,null-b,chasing,noisy-proxy,small,no-proxy]

Worlds of tests/mmm/mediation_worlds.py: demand moves channel, mediator and sales; its proxy is read with error.
Prints a table, writes benchmarks/results/mmm_mediation.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modeling.mediation.estimator import mediate
from tests.mmm.mediation_worlds import mediated_world

RESULTS = Path(__file__).parent / "results" / "mmm_mediation.json"
KINDS: dict[str, dict[str, float]] = {
    "planted": {},
    "null-a": {"a": 0.0},
    "null-b": {"b": 0.0},
    "chasing": {"chasing": 1.0},
    "noisy-proxy": {"reliability": 0.35},
    "small": {"geos": 20, "periods": 78},
    "no-proxy": {},
}


def study(kind: str, worlds: int) -> dict[str, float | str]:
    """One row: coverage, bias relative to the true indirect effect, verdicts."""
    start, rows = time.process_time(), []
    for seed in range(worlds):
        world = mediated_world(seed, **KINDS[kind])  # type: ignore[arg-type]
        found = mediate(
            world.x,
            world.mediator,
            world.outcome,
            np.zeros((0, *world.x.shape)),
            seed=seed,
            proxies=None if kind == "no-proxy" else world.proxy[None],
            draws=100,
        )
        effect = found.indirect
        rows.append(
            (
                effect.low <= world.indirect <= effect.high,
                effect.low <= 0 <= effect.high,
                found.verdict == "supported",
                found.verdict == "undetermined",
                (effect.value - world.indirect) / world.x.sum(),
            )
        )
    inside, zero, supported, undetermined, bias = np.array(rows, dtype=float).mean(axis=0)
    return {
        "kind": kind,
        "worlds": worlds,
        "coverage_90": inside,
        "interval_holds_zero": zero,
        "supported": supported,
        "undetermined": undetermined,
        "bias_per_unit": bias,
        "cpu_seconds": (time.process_time() - start) / worlds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=50)
    parser.add_argument("--kinds", default=",".join(KINDS))
    args = parser.parse_args()
    table = [study(kind, args.worlds) for kind in args.kinds.split(",")]
    print(pd.DataFrame(table).round(3).to_string(index=False))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
