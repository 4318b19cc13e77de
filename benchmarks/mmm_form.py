"""How often the right form is chosen, and what the choice is worth.

    python benchmarks/mmm_form.py [--worlds 8]

Additive worlds (calm, and with seasons and growth as large as in the others), worlds whose media adds in proportion
to everything else, and worlds in which each channel multiplies sales. Per kind: how often each form is chosen, and the
median error of returns in the chosen form and in the other. Prints a table, writes benchmarks/results/mmm_form.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import mmm_worlds
from modeling.mmm.analysis import return_scale
from modeling.mmm.estimator import Options, fit
from modeling.mmm.form import FORMS, choose_form
from modeling.mmm.posterior import point_return
from modeling.mmm.sampler import Prior

RESULTS = Path(__file__).parent / "results" / "mmm_form.json"
KINDS = {
    "clean": "additive",
    "swinging": "additive",
    "product": "multiplicative",
    "exponential": "multiplicative",
}


def judged(kind: str, seed: int) -> dict[str, object]:
    """One world: the form chosen, and errors and coverage of real returns in both."""
    world = mmm_worlds.make_world(seed, mmm_worlds.KINDS[kind])
    centre, sd = return_scale(world.panel)
    options = Options(prior=Prior(scale_center=centre, scale_sd=sd), seed=seed)
    found: dict[str, object] = {
        "kind": kind,
        "seed": seed,
        "chosen": choose_form(world.panel, options).chosen,
    }
    real = world.truth > 0
    for form in FORMS:
        posterior = fit(replace(world.panel, form=form), options)
        low, high = np.quantile(posterior.returns(), [0.05, 0.95], axis=0)
        found[f"error {form}"] = (
            np.abs(point_return(posterior) - world.truth)[real] / world.truth[real]
        ).tolist()
        found[f"held {form}"] = ((low <= world.truth) & (world.truth <= high))[real].tolist()
    return found


def row(kind: str, found: list[dict[str, object]]) -> dict[str, object]:
    """Scores of one kind."""
    right = KINDS[kind]
    other = next(f for f in FORMS if f != right)

    def flat(name: str) -> np.ndarray:
        return np.array([x for r in found for x in r[name]])

    return {
        "kind": kind,
        "worlds": len(found),
        "right_form": right,
        "chosen_right": float(np.mean([r["chosen"] == right for r in found])),
        "error_right": float(np.median(flat(f"error {right}"))),
        "error_other": float(np.median(flat(f"error {other}"))),
        "held_right": float(flat(f"held {right}").mean()),
        "held_other": float(flat(f"held {other}").mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=60_000)
    parser.add_argument("--kept", default="/tmp/mmm_form.jsonl", help="worlds of earlier runs count as well")
    args = parser.parse_args()
    kept = Path(args.kept)
    for kind in args.kinds.split(","):
        for seed in range(args.seed, args.seed + args.worlds):
            with kept.open("a") as file:
                file.write(json.dumps(judged(kind, seed)) + "\n")
    found = [json.loads(line) for line in kept.read_text().splitlines()]
    table = [
        row(k, [r for r in found if r["kind"] == k]) for k in KINDS if any(r["kind"] == k for r in found)
    ]
    print(pd.DataFrame(table).round(3).to_string(index=False), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
