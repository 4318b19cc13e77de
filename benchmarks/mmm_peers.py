"""The mix model beside PyMC-Marketing on the same panels: error, coverage and processor seconds.

    python benchmarks/mmm_peers.py --python PATH [--kinds clean,hard] [--seed 20000] [--chains 2 --draws 500]

PATH is a Python that has pymc-marketing (`make bayes` builds one). The peer gets its defaults (geometric adstock,
logistic saturation), yearly seasonality and the same control; fewer chains and draws than its defaults, which is in
its favour on time. R-hat and divergences are reported; a fit that has not converged is marked.
Prints a table, writes benchmarks/results/mmm_peers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import mmm_worlds
from modeling.mmm.analysis import return_scale
from modeling.mmm.estimator import Options, fit
from modeling.mmm.posterior import point_return
from modeling.mmm.sampler import Prior

RESULTS = Path(__file__).parent / "results" / "mmm_peers.json"
#: Runs in the peer's own environment: reads a CSV, fits, writes draws of each channel's return.
PEER = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import arviz as az, numpy as np, pandas as pd
from pymc_marketing.mmm import MMM, GeometricAdstock, LogisticSaturation
data = pd.read_csv(sys.argv[1], parse_dates=["week"])
chains, draws, seed = int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
channels = [c for c in data if c.startswith("c")]
model = MMM(date_column="week", channel_columns=channels, control_columns=["price", "trend"],
            adstock=GeometricAdstock(l_max=12), saturation=LogisticSaturation(), yearly_seasonality=2)
model.fit(data.drop(columns="y"), data["y"], chains=chains, draws=draws, tune=draws, cores=1, random_seed=seed,
          progressbar=False)
shares = model.compute_channel_contribution_original_scale()
gain = shares.sum("date").stack(s=("chain", "draw")).transpose("s", "channel").values
hat = float(az.rhat(model.fit_result).to_array().max())
slow = int(model.idata.sample_stats["diverging"].sum())
json.dump({"returns": (gain / data[channels].sum().values).tolist(), "r_hat": hat, "divergences": slow},
          open(sys.argv[2], "w"))
"""


def ours(world: mmm_worlds.World, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(draws (S, C), point (C,), CPU seconds) of the mix model."""
    start = time.process_time()
    centre, sd = return_scale(world.panel)
    posterior = fit(world.panel, Options(prior=Prior(scale_center=centre, scale_sd=sd), seed=seed))
    return posterior.returns(), point_return(posterior), time.process_time() - start


def peer(world: mmm_worlds.World, args: argparse.Namespace) -> tuple[np.ndarray, float, float, int]:
    """(draws, CPU seconds of the process, R-hat, divergences) of PyMC-Marketing."""
    panel = world.panel
    frame = pd.DataFrame({"week": panel.dates, "y": panel.kpi[0], "price": panel.controls[0][0]})
    frame["trend"] = np.arange(len(frame)) / len(frame)
    for c, name in enumerate(panel.channels):
        frame[name] = panel.spend[c][0]
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data.csv", Path(folder) / "out.json"
        frame.to_csv(data, index=False)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run(
            [args.python, "-c", PEER, str(data), str(out), str(args.chains), str(args.draws), str(args.seed)],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.loads(out.read_text())
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.array(found["returns"]), seconds, found["r_hat"], found["divergences"]


def row(kind: str, name: str, truth: np.ndarray, draws: np.ndarray, point: np.ndarray) -> dict[str, object]:
    """Scores of one fit over the channels that do something."""
    real = truth > 0
    error = np.abs(point - truth)[real] / truth[real]
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    return {
        "kind": kind,
        "model": name,
        "median_error": float(np.median(error)),
        "mean_error": float(error.mean()),
        "covered": int(((low <= truth) & (truth <= high))[real].sum()),
        "returns": int(real.sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True)
    parser.add_argument("--kinds", default="clean,hard")
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument("--chains", type=int, default=2)
    parser.add_argument("--draws", type=int, default=500)
    args = parser.parse_args()
    table: list[dict[str, object]] = []
    for kind in args.kinds.split(","):
        world = mmm_worlds.make_world(args.seed, mmm_worlds.KINDS[kind])
        draws, point, seconds = ours(world, args.seed)
        table.append(row(kind, "mix model", world.truth, draws, point) | {"cpu_seconds": seconds})
        draws, seconds, hat, diverged = peer(world, args)
        table.append(
            row(kind, "pymc-marketing", world.truth, draws, draws.mean(axis=0))
            | {"cpu_seconds": seconds, "r_hat": hat, "divergences": diverged, "converged": hat < 1.05}
        )
        print(pd.DataFrame(table).round(3).to_string(index=False), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
