"""The whole answer for one panel: fit, conflicts with experiments, tables, plan, diagnostics."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from modeling.budget.places import pacing, place_plan
from modeling.budget.plan import make_plan, outlook
from modeling.errors import InputError, Refusal
from modeling.mediation.panel import mediation_table
from modeling.mmm import diagnostics as dx
from modeling.mmm.estimator import Options, Posterior, fit, spent
from modeling.mmm.form import choose_form
from modeling.mmm.judgement import next_tests, sensitivity
from modeling.mmm.mediators import with_mediators
from modeling.mmm.panel import Panel
from modeling.mmm.posterior import Decomposition, channel_table, decompose, response_curves
from modeling.mmm.sampler import Prior
from modeling.mmm.spec_file import MixSpec

#: Names that mark a channel whose budget usually follows demand, where the spec does not say.
_CHASING = re.compile(
    r"(brand.*search|search.*brand|branded|paid_?search|retarget|remarket|rmn|retail_?media|walmart|amazon_ads|roundel"
    r"|sponsored|shopping|sem\b|search)",
    re.I,
)
#: Scale of a usual return: the slab then has the median 1.1 and mean 1.6 (Meridian's default: 1.2 and 1.8).
_USUAL = 1.3
_NOT_CHASING = re.compile(r"non_?brand", re.I)


@dataclass(frozen=True)
class Analysis:
    """tables: file name -> frame; diagnostics and summary: JSON values; the posterior for further use."""

    tables: dict[str, pd.DataFrame]
    diagnostics: dict[str, Any]
    summary: dict[str, Any]
    posterior: Posterior
    decomposition: Decomposition


def likely_chasers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Channels whose name says that they follow demand (search, retargeting, retail media)."""
    return tuple(n for n in names if _CHASING.search(n) and not _NOT_CHASING.search(n))


def return_scale(panel: Panel) -> tuple[float, float]:
    """Centre and log spread of the prior for the common return: between a usual return and a fifth of the
    outcome coming from media; wide enough for both."""
    share = 0.2 * float((panel.kpi * panel.money_per_kpi).sum()) / max(float(panel.spend.sum()), 1e-300)
    gap = float(np.log(max(share, 1e-300) / _USUAL))
    return _USUAL * float(np.exp(0.5 * gap)), float(np.sqrt(0.8**2 + (0.35 * gap) ** 2))


def options_from_spec(spec: MixSpec, panel: Panel, *, seed: int) -> Options:
    """Options for a spec: its prior choices, else the data-scaled defaults."""
    centre, sd = return_scale(panel)
    prior = Prior(
        scale_center=spec.prior.get("roi", centre),
        scale_sd=spec.prior.get("roi_log_sd", sd),
        support=min(spec.prior.get("support", 0.85), 0.999),
    )
    by_name = likely_chasers(panel.channels)
    chasers = tuple(
        ch.name
        for ch in spec.channels
        if ch.demand_chasing or (ch.demand_chasing is None and ch.name in by_name)
    )
    return Options(prior=prior, chasers=chasers, seed=seed)


def lift_conflicts(posterior: Posterior) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Each experiment against the history alone: the gap in joint standard errors.

    Beyond two, the channel's note says so. Geo panels have a short fit without experiments already; for national
    ones it is made here.
    """
    panel, options = posterior.panel, posterior.options
    draws, dictionaries = posterior.blind, posterior.first
    if draws is None:
        light = replace(options, chains=2, warmup=40, keep=60)
        draws = fit(replace(panel, lift_tests=()), light).draws
    notes: dict[str, str] = {}
    rows = []
    for i, c in enumerate(posterior.channels):
        tests = [x for x in panel.lift_tests if x.channel == c]
        for k, test in enumerate(tests):
            effect = draws.gamma[:, i] * dictionaries[i].lift_effect[k][draws.candidate[:, i]]
            mean, sd = float(effect.mean()), float(effect.std())
            z = (test.incremental - mean) / float(np.hypot(sd, test.std_error))
            rows.append(
                {
                    "test": test.label,
                    "measured": test.incremental,
                    "std_error": test.std_error,
                    "model_without_test": mean,
                    "model_sd": sd,
                    "gap_in_std_errors": z,
                    "conflict": bool(abs(z) > 2.0),
                }
            )
            if abs(z) > 2.0:
                notes[panel.channels[c]] = (
                    f"experiment and history disagree by {abs(z):.1f} standard errors "
                    f"(measured {test.incremental:.4g}, history says {mean:.4g})"
                )
    return notes, rows


def analyse(
    panel: Panel, options: Options, spec: MixSpec, *, progress: Callable[[str], None] = lambda _: None
) -> Analysis:
    """Everything the command writes, as frames and JSON values.

    Raises:
        Refusal: no channel has spend. InputError: a budget that its bounds cannot hold.
    """
    warnings = list(panel.warnings)
    if not spent(panel):
        raise Refusal("no channel has any spend: there is nothing to estimate")
    for c, name in enumerate(panel.channels):
        if c not in spent(panel):
            warnings.append(f"channel {name!r} has no spend or no exposure: it gets no return")
    full = with_mediators(panel)
    progress("additive or multiplicative, out of sample")
    form = choose_form(full, options, spec.form)
    full = replace(full, form=form.chosen)
    progress("sampling transformations, returns and unseen demand")
    posterior = fit(full, options)
    notes: dict[str, str] = {}
    conflicts: list[dict[str, Any]] = []
    if panel.lift_tests:
        progress("comparing experiments with the history")
        notes, conflicts = lift_conflicts(posterior)
        warnings += [f"{name}: {text}" for name, text in notes.items()]
    table = channel_table(posterior, notes)
    parts = decompose(posterior)
    curves = response_curves(posterior)
    progress("planning the budget")
    look = outlook(posterior, spec.horizon)
    try:
        plan = make_plan(
            look,
            total=spec.total,
            min_share=spec.min_share,
            max_share=spec.max_share,
            custom=spec.custom or None,
            margin=spec.margin,
            moves=tuple((f"move_{a}_to_{b}", a, b, m) for a, b, m in spec.moves),
        )
        if spec.by_geo:
            by_place, proof = place_plan(
                posterior,
                spec.horizon,
                min_share=spec.min_share,
                max_share=spec.max_share,
                geo_bounds=spec.geo_bounds,
            )
            plan.proofs["by_geo"] = proof
    except ValueError as error:
        raise InputError(f"budget: {error}") from error
    best = plan.frame.loc[plan.frame["scenario"] == "optimal"]
    wanted = dict(zip(best["channel"].astype(str), best["spend"].astype(float), strict=True))
    when = pacing(posterior, wanted, spec.horizon)
    extrapolated = sorted(set(plan.frame.loc[plan.frame["is_extrapolated"], "channel"]))
    if extrapolated:
        warnings.append(f"the plan goes beyond observed spend for: {', '.join(extrapolated)}")
    g, t, _ = panel.shape
    progress("out-of-sample folds")
    small = g * t <= 6000
    folds = dx.out_of_sample(full, options, folds=1 if not small else 2 if g * t > 2000 else 3)
    mediation, unseen = mediation_table(panel, seed=options.seed)
    warnings += unseen
    fitted = dx.in_sample(posterior)
    mixing = dx.convergence(posterior)
    if not mixing["converged"]:
        warnings.append(f"the sampler has not converged (R-hat {mixing['worst_r_hat']:.2f})")
    warnings += fitted["residuals"]["flags"]
    collinear = dx.collinearity(panel)
    for name, value in collinear["vif"].items():
        if value > 10:
            warnings.append(f"{name!r} is nearly a combination of the other inputs (VIF {value:.1f})")
    model = posterior.modal_model()
    diagnostics = {
        **fitted,
        "out_of_sample": {"folds": folds, "note": "raw fold scores, not clipped"},
        **collinear,
        "adequacy": {
            "geographies": g,
            "periods": t,
            "channels": len(panel.channels),
            "controls": len(full.control_names),
            "size": panel.size_source,
        },
        "convergence": mixing,
        "transformations": dx.transformation_uncertainty(posterior),
        "error_model": {
            "kernel": posterior.frame.kernel_names[model.kernel],
            "national_shock_ratio": model.national_white,
            "national_drift_ratio": model.national_drift,
            "geo_drift_ratio": model.geo_drift,
        },
        "form": form.as_json(),
        "lift_tests": conflicts,
        "budget": {
            name: {"price": a.price, "kkt_gap": a.kkt_gap, "solver": a.solver, "value": a.value}
            for name, a in plan.proofs.items()
        },
        "demand_chasing": list(options.chasers),
        "warnings": warnings,
    }
    frame = table.frame
    summary = {
        "periods": t,
        "geographies": g,
        "first": panel.dates[0],
        "last": panel.dates[-1],
        "kpi": float((panel.kpi * panel.money_per_kpi).sum()),
        "spend": float(panel.spend.sum()),
        "channels": frame.set_index("channel")[["roi", "roi_p05", "roi_p95", "supported"]].to_dict("index"),
        "form": form.chosen,
        "seed": options.seed,
        "warnings": len(warnings),
    }
    tables = {
        "channel_summary.csv": frame,
        "decomposition.csv": decomposition_frame(panel, parts),
        "fitted.csv": fitted_frame(panel, parts),
        "response_curves.csv": curves,
        "budget_plan.csv": plan.frame,
        "budget_pacing.csv": when,
        "sensitivity.csv": sensitivity(posterior, parts).merge(next_tests(posterior, parts), on="channel"),
    }
    if spec.by_geo:
        tables["budget_plan_geo.csv"] = by_place
    if panel.mediators:
        tables["mediation.csv"] = mediation
    return Analysis(tables, diagnostics, summary, posterior, parts)


def decomposition_frame(panel: Panel, parts: Decomposition) -> pd.DataFrame:
    """Long: date[, geo], component, value."""
    g, t, _ = panel.shape
    frames = []
    dates = np.tile(panel.dates.to_numpy(), g)
    geos = np.repeat(np.array(panel.geos, dtype=object), t)
    for name, values in parts.components.items():
        columns: dict[str, Any] = {"date": dates}
        if g > 1:
            columns["geo"] = geos
        columns["component"] = name
        columns["value"] = values.ravel()
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def fitted_frame(panel: Panel, parts: Decomposition) -> pd.DataFrame:
    """date[, geo], kpi (money), fitted, residual."""
    g, t, _ = panel.shape
    columns: dict[str, Any] = {"date": np.tile(panel.dates.to_numpy(), g)}
    if g > 1:
        columns["geo"] = np.repeat(np.array(panel.geos, dtype=object), t)
    columns["kpi"] = (panel.kpi * panel.money_per_kpi).ravel()
    columns["fitted"] = parts.fitted.ravel()
    columns["residual"] = parts.residual.ravel()
    return pd.DataFrame(columns)
