"""The monthly job: both models on the same national inputs and time folds; an unconverged run fails.

National because the peer knows no geographies. The rows say how each forecasts (error, CRPS, coverage of 90 %
intervals), what each returns per channel (whole history, fold 0), and what each costs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from modeling.mmm.analysis import return_scale
from modeling.mmm.bayes import sampling
from modeling.mmm.bayes.sampling import Effort, Sampled
from modeling.mmm.bayes.spec import OUTPUTS
from modeling.mmm.diagnostics import fold_edges, head, scores
from modeling.mmm.estimator import Options
from modeling.mmm.estimator import fit as fit_panel
from modeling.mmm.form import forecast_draws
from modeling.mmm.job import build_panel
from modeling.mmm.panel import Panel
from modeling.mmm.pool import pooled
from modeling.mmm.posterior import point_return
from modeling.mmm.sampler import Prior
from modeling.mmm.threads import one_thread
from modeling.mmm.transforms import Array
from modeling.progress import progress
from modeling.runner import JobResult

PEER, OWN = "pymc-marketing", "mix model, national"
#: Gates of Vehtari et al. (2021), "Rank-normalization, folding, and localization": a run that misses one fails.
MAX_R_HAT, MIN_ESS = 1.01, 400.0
#: Share of draws that may diverge: more, and the sampler has not seen all of the posterior.
MAX_DIVERGENT = 0.001
FOLDS = 2
EFFORT = Effort()


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: one national panel."""
    return ["all"]


@one_thread
def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Both models on every fold and on the whole history.

    Raises:
        Refusal: too little data, or pymc-marketing is not installed.
    """
    panel, chasers = build_panel(features)
    return side_by_side(pooled(panel), chasers, seed, EFFORT)


def side_by_side(nation: Panel, chasers: tuple[str, ...], seed: int, effort: Effort) -> JobResult:
    """The comparison on a national panel; status "failed" where the peer has not converged."""
    centre, sd = return_scale(nation)
    options = Options(prior=Prior(scale_center=centre, scale_sd=sd), chasers=chasers, seed=seed)
    rows: list[tuple[str, int, str, float]] = []
    runs: list[Sampled] = []
    money = (nation.kpi * nation.money_per_kpi)[0]
    for fold, (t0, h) in enumerate(fold_edges(nation, FOLDS), start=1):
        part, actual = head(nation, t0 + h), money[t0 : t0 + h]
        start = time.process_time()
        own = forecast_draws(fit_panel(head(nation, t0), options), part, 800, seed)
        spent = time.process_time() - start
        peer = sampling.sample(part, t0, effort, seed)
        runs.append(peer)
        progress(f"fold {fold} of {FOLDS}: {_told(peer)}")
        for name, draws, seconds in ((OWN, own, spent), (PEER, peer.forecast, peer.cpu_seconds)):
            found = forecast_scores(actual, draws) | {"cpu_seconds": seconds}
            rows += [(name, fold, metric, value) for metric, value in found.items()]
    start = time.process_time()
    posterior = fit_panel(nation, options)
    own_seconds = time.process_time() - start
    whole = sampling.sample(nation, nation.shape[1], effort, seed)
    runs.append(whole)
    progress(f"whole history: {_told(whole)}")
    own_point, own_draws = point_return(posterior), posterior.returns()
    rows += [(OWN, 0, "cpu_seconds", own_seconds), (PEER, 0, "cpu_seconds", whole.cpu_seconds)]
    for i, c in enumerate(posterior.channels):
        name = nation.channels[c]
        for model, point, draws in (
            (OWN, own_point[i], own_draws[:, i]),
            (PEER, float(whole.returns[:, c].mean()), whole.returns[:, c]),
        ):
            low, high = np.quantile(draws, [0.05, 0.95])
            rows += [
                (model, 0, f"roi {name}", float(point)),
                (model, 0, f"roi_p05 {name}", float(low)),
                (model, 0, f"roi_p95 {name}", float(high)),
            ]
        rows.append((PEER, 0, f"roi_difference {name}", float(whole.returns[:, c].mean() - own_point[i])))
    gates = {
        "r_hat": max(r.r_hat for r in runs),
        "ess": min(r.ess for r in runs),
        "divergences": float(sum(r.divergences for r in runs)),
    }
    rows += [(PEER, 0, name, value) for name, value in gates.items()]
    table = pd.DataFrame(rows, columns=["model", "fold", "metric", "value"])
    missed = gate(gates, draws=effort.chains * effort.draws * len(runs))
    window = (nation.dates[0].date(), (nation.dates[-1] + pd.Timedelta(days=6)).date())
    metrics: dict[str, Any] = gates | {"own_cpu_seconds": own_seconds, "peer_cpu_seconds": whole.cpu_seconds}
    outputs = {"mmm_bayes_comparison": table[list(OUTPUTS["mmm_bayes_comparison"])]}
    if missed:
        return JobResult(outputs, metrics, window, status="failed", message=f"not converged: {missed}")
    return JobResult(outputs, metrics, window)


def _told(run: Sampled) -> str:
    return (
        f"{PEER} took {run.cpu_seconds:.0f} CPU-seconds, R-hat {run.r_hat:.3f}, "
        f"{run.ess:.0f} effective draws, {run.divergences} diverged"
    )


def gate(found: dict[str, float], draws: int) -> str:
    """What the sampler missed, in words; empty where it converged. A value that is not a number misses too."""
    missed = []
    if not found["r_hat"] <= MAX_R_HAT:
        missed.append(f"R-hat {found['r_hat']:.3f} is above {MAX_R_HAT:g}")
    if not found["ess"] >= MIN_ESS:
        missed.append(f"{found['ess']:.0f} effective draws are fewer than {MIN_ESS:.0f}")
    if not found["divergences"] <= MAX_DIVERGENT * draws:
        missed.append(f"{found['divergences']:.0f} of {draws} draws diverged")
    return ", ".join(missed)


def forecast_scores(actual: Array, draws: Array) -> dict[str, float]:
    """Raw errors of the mean, CRPS relative to the mean outcome (Gneiting and Raftery 2007), coverage at 90 %."""
    point = scores(actual, draws.mean(axis=0))
    low, high = np.quantile(draws, [0.05, 0.95], axis=0)
    ordered = np.sort(draws, axis=0)
    n = len(ordered)
    rank = (2.0 * np.arange(1, n + 1) - n - 1.0)[:, None]
    spread = (rank * ordered).sum(axis=0) / n**2
    crps = np.abs(draws - actual).mean(axis=0) - spread
    return {
        "r2": point["r2"],
        "wmape": point["wmape"],
        "rmse": point["rmse"],
        "crps": float(crps.mean() / np.abs(actual).mean()),
        "coverage_90": float(((low <= actual) & (actual <= high)).mean()),
    }
