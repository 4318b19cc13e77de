"""PyMC-Marketing's mix model: geometric adstock, logistic saturation, yearly season, and the priors of its own guide.

Those priors are its defaults but for two ("MMM End-to-End Case Study" of its documentation): a channel's largest
effect is scaled by its share of spend, and the intercept lies between none and all of the largest sales. With the
flat defaults an always-on channel can stand for the intercept, and chains get lost there.

Sampled by nutpie (Seyboldt, Carlson and Carpenter 2026, "Preconditioning Hamiltonian Monte Carlo by minimizing
Fisher divergence"): the channels' correlated budgets take hundreds of steps a draw, too many for PyMC's own sampler.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.mmm.panel import Panel
from modeling.mmm.transforms import Array


@dataclass(frozen=True)
class Effort:
    """Chains, tuning steps and draws of each; the target of the step size."""

    chains: int = 4
    tune: int = 1000
    draws: int = 1500
    target_accept: float = 0.98


@dataclass(frozen=True)
class Sampled:
    """returns (S, C) draws; forecast (S, H) money, H of 0 where all is known; R-hat and bulk ESS of the worst
    parameter or return, divergences."""

    returns: Array
    forecast: Array
    r_hat: float
    ess: float
    divergences: int
    cpu_seconds: float


def inputs(panel: Panel, known: int) -> tuple[pd.DataFrame, list[str], list[str]]:
    """A national panel as the peer takes it, with channel and control columns.

    Controls and trend are turned into their principal components, of unit variance over the first `known` periods:
    they span the same, and the sampler need not follow the demand proxies' correlation.
    """
    channels = [f"media_{c}" for c in range(len(panel.channels))]
    frame = pd.DataFrame({"week": panel.dates})
    for c, name in enumerate(channels):
        frame[name] = panel.exposure[c, 0]
    listed = np.column_stack([np.arange(len(frame), dtype=float), *panel.controls[:, 0]])
    centred = listed - listed[:known].mean(axis=0)
    scale = centred[:known].std(axis=0)
    live = scale > 1e-9
    centred = centred[:, live] / scale[live]
    _, singular, turned = np.linalg.svd(centred[:known], full_matrices=False)
    kept = singular > 1e-6 * singular[0]
    values = centred @ (turned[kept].T * (np.sqrt(known) / singular[kept]))
    controls = [f"control_{k}" for k in range(values.shape[1])]
    frame[controls] = values
    return frame, channels, controls


def sample(panel: Panel, known: int, effort: Effort, seed: int) -> Sampled:
    """Fit the first `known` periods of a national panel and forecast the rest.

    Raises:
        Refusal: pymc-marketing is not installed here.
    """
    try:
        import_module("nutpie")  # PyMC finds it by name
        from pymc_extras.prior import Prior
        from pymc_marketing.mmm import MMM, GeometricAdstock, LogisticSaturation
    except ImportError as error:
        raise Refusal("the Bayesian comparison needs pymc-marketing (make bayes)") from error
    frame, channels, controls = inputs(panel, known)
    y = pd.Series((panel.kpi * panel.money_per_kpi)[0], name="y")
    spend = panel.spend[:, 0, :known].sum(axis=1)
    start = time.process_time()
    model = MMM(
        model_config={
            "intercept": Prior("Normal", mu=0.5, sigma=0.2),
            "saturation_beta": Prior("HalfNormal", sigma=_largest(spend), dims="channel"),
        },
        date_column="week",
        channel_columns=channels,
        control_columns=controls,
        adstock=GeometricAdstock(l_max=12),
        saturation=LogisticSaturation(),
        yearly_seasonality=2,
    )
    model.fit(
        frame.iloc[:known],
        y.iloc[:known],
        chains=effort.chains,
        tune=effort.tune,
        draws=effort.draws,
        target_accept=effort.target_accept,
        random_seed=seed,
        progressbar=False,
        nuts_sampler="nutpie",
        nuts_sampler_kwargs={"cores": min(effort.chains, os.cpu_count() or 1)},
    )
    gain = (
        model.compute_channel_contribution_original_scale().sum("date").transpose("chain", "draw", "channel")
    )
    returns = gain.values.reshape(-1, len(channels)) / np.where(spend > 0, spend, np.nan)
    forecast = np.empty((len(returns), 0))
    if known < len(frame):
        ahead = model.sample_posterior_predictive(
            frame.iloc[known:],
            extend_idata=False,
            include_last_observations=True,
            random_seed=seed,
            progressbar=False,
        )
        values = ahead["y"] if hasattr(ahead, "data_vars") else ahead
        forecast = np.asarray(values.transpose("sample", "date").values)
    r_hat, ess = _mixing(
        model.fit_result[[v.name for v in model.model.free_RVs]],
        gain.isel(channel=spend > 0).to_dataset(name="returns"),
    )
    return Sampled(
        returns=returns,
        forecast=forecast,
        r_hat=r_hat,
        ess=ess,
        divergences=int(model.idata.sample_stats["diverging"].sum()),
        cpu_seconds=time.process_time() - start,
    )


def _mixing(*draws: Any) -> tuple[float, float]:
    """Largest R-hat and smallest bulk ESS over all variables; not a number where one of them never moved."""
    import arviz as az

    r_hat = [float(v.max(skipna=False)) for part in draws for v in az.rhat(part).values()]
    ess = [float(v.min(skipna=False)) for part in draws for v in az.ess(part).values()]
    return float(np.max(r_hat)), float(np.min(ess))


def _largest(spend: Array) -> Array:
    """Scale of each channel's largest effect: its share of spend times the number of channels, above 0 without spend."""
    scale: Array = np.maximum(len(spend) * spend / spend.sum(), 1e-3)
    return scale
