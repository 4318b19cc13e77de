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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=60_000)
    args = parser.parse_args()
    table = []
    for kind, right in KINDS.items():
        chosen, errors, held = [], {form: [] for form in FORMS}, {form: [] for form in FORMS}
        for seed in range(args.seed, args.seed + args.worlds):
            world = mmm_worlds.make_world(seed, mmm_worlds.KINDS[kind])
            centre, sd = return_scale(world.panel)
            options = Options(prior=Prior(scale_center=centre, scale_sd=sd), seed=seed)
            chosen.append(choose_form(world.panel, options).chosen)
            real = world.truth > 0
            for form in FORMS:
                posterior = fit(replace(world.panel, form=form), options)
                low, high = np.quantile(posterior.returns(), [0.05, 0.95], axis=0)
                errors[form] += (
                    np.abs(point_return(posterior) - world.truth)[real] / world.truth[real]
                ).tolist()
                held[form] += ((low <= world.truth) & (world.truth <= high))[real].tolist()
        other = next(f for f in FORMS if f != right)
        table.append(
            {
                "kind": kind,
                "worlds": args.worlds,
                "right_form": right,
                "chosen_right": float(np.mean([c == right for c in chosen])),
                "error_right": float(np.median(errors[right])),
                "error_other": float(np.median(errors[other])),
                "held_right": float(np.mean(held[right])),
                "held_other": float(np.mean(held[other])),
            }
        )
        print(pd.DataFrame(table).round(3).to_string(index=False), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
