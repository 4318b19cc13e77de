"""The mix model on the warehouse's features: one panel of all DMAs per brand, experiments as likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from modeling.errors import Refusal
from modeling.mmm import diagnostics as dx
from modeling.mmm.analysis import lift_conflicts, return_scale
from modeling.mmm.compare import compare
from modeling.mmm.estimator import Options, spent
from modeling.mmm.estimator import fit as fit_panel
from modeling.mmm.form import choose_form
from modeling.mmm.judgement import MIN_OVERLAP, refresh_overlap
from modeling.mmm.load import check_adequacy
from modeling.mmm.panel import LiftTest, Mediator, Panel
from modeling.mmm.posterior import channel_table, decompose
from modeling.mmm.sampler import Prior
from modeling.mmm.spec import OUTPUTS
from modeling.mmm.tables import (
    contribution_rows,
    curve_rows,
    diagnostic_rows,
    fit_rows,
    geo_plan_rows,
    outlook_rows,
    pacing_rows,
    planned,
    roi_rows,
    sensitivity_rows,
    transformation_rows,
)
from modeling.mmm.threads import one_thread
from modeling.mmm.windows import launch_weeks, wasted_spend, window_draws
from modeling.runner import JobResult

CONTROLS = ("price_index", "promo_index", "in_stock_rate", "temperature_f", "holiday_days")
PROXY = "search_interest"
#: Brand search is sought by people whom social reached: what social drives there must not be controlled away.
MEDIATORS = {"search_brand": ("instagram_reels",)}
LAUNCH_WEEKS = 12
#: The job decides the form by one fold, which trains on this share of the weeks: two cost as much as its fit.
FORM_SHARE = 0.7


def units(features: Mapping[str, pd.DataFrame]) -> list[str]:
    """One unit: all DMAs and channels of a brand belong to one panel."""
    return ["all"]


def build_panel(features: Mapping[str, pd.DataFrame]) -> tuple[Panel, tuple[str, ...]]:
    """The panel of a brand's features and the channels declared to chase demand.

    Raises:
        Refusal: no sales, no paid media, or too little data.
    """
    week, media = features["feat_mmm_week"], features["feat_mmm_media_week"]
    if week.empty or not week["revenue_usd"].sum() > 0:
        raise Refusal("no closed week with sales: nothing to explain")
    grid = week.sort_values(["dma_id", "week_start_date"])
    weeks = pd.DatetimeIndex(sorted(grid["week_start_date"].unique()))
    places = tuple(sorted(grid["dma_id"].unique()))
    sold = grid.groupby("dma_id")["revenue_usd"].sum()
    places = tuple(p for p in places if sold[p] > 0)
    grid = grid[grid["dma_id"].isin(places)]
    g, t = len(places), len(weeks)
    if len(grid) != g * t:
        raise Refusal("the weeks of some DMA are incomplete: the feature mart must be gap-free")

    def matrix(column: str) -> np.ndarray:
        """(G, T) in single precision, money to its four decimals: sums in another order give the same fit."""
        values = grid[column].to_numpy(dtype=float)
        kept = values.round(4) if column.endswith("_usd") else values.astype(np.float32).astype(float)
        return kept.reshape(g, t)

    media = media[media["dma_id"].isin(places) & media["week_start_date"].isin(weeks)]
    names = tuple(sorted(media.loc[media["spend_usd"] > 0, "channel_id"].unique()))
    if not names:
        raise Refusal("no paid media in the closed weeks: nothing to estimate")
    index = pd.MultiIndex.from_product([places, weeks])
    spend = np.stack(
        [
            media[media["channel_id"] == name]
            .set_index(["dma_id", "week_start_date"])["spend_usd"]
            .reindex(index, fill_value=0.0)
            .to_numpy(dtype=float)
            .reshape(g, t)
            .clip(min=0.0)
            for name in names
        ]
    )
    homes = matrix("tv_homes").mean(axis=1)
    controls = {c: matrix(c) for c in CONTROLS} | proxies(matrix(PROXY), homes)
    live = tuple(c for c in controls if controls[c].std() > 1e-9)
    chasing = set(media.loc[media["is_demand_chasing"].astype(bool), "channel_id"])
    panel = Panel(
        dates=weeks,
        geos=places,
        channels=names,
        kpi=matrix("revenue_usd"),
        spend=spend,
        exposure=spend,
        size=homes / homes.mean(),
        money_per_kpi=np.ones((g, t)),
        controls=np.stack([controls[c] for c in live]) if live else np.zeros((0, g, t)),
        control_names=live,
        size_source="television homes",
        mediators=tuple(
            Mediator(name, tuple(names.index(c) for c in causes if c in names), spend[names.index(name)])
            for name, causes in MEDIATORS.items()
            if name in names
        ),
    )
    check_adequacy(panel)
    return panel, tuple(n for n in names if n in chasing)


def proxies(interest: np.ndarray, homes: np.ndarray) -> dict[str, np.ndarray]:
    """The demand proxy in three readings (G, T): the nation's, a DMA's own deviation, and that deviation smoothed.

    A proxy that is measured with error takes too little of demand away from channels that follow it. The national
    mean has hardly any error; how far a DMA's own noisy reading is to be trusted, raw or smoothed, is estimated.
    """
    log = np.log(np.maximum(interest, 1e-6 * max(float(interest.max()), 1e-9)))
    nation = np.average(log, axis=0, weights=homes)
    own = log - nation
    own = own - own.mean(axis=1, keepdims=True)
    level = np.exp(nation - nation.mean())
    return {
        "demand_nation": np.broadcast_to(level, interest.shape).copy(),
        "demand_own": own * level,
        "demand_own_smooth": gaussian_filter1d(own, 1.5, axis=1, mode="nearest") * level,
    }


def experiments(panel: Panel, upstream: Mapping[str, pd.DataFrame]) -> tuple[LiftTest, ...]:
    """Primary readings of geo experiments whose window and places the panel covers."""
    table = upstream.get("geo_lift")
    if table is None or table.empty:
        return ()
    out = []
    ends = panel.dates + pd.Timedelta(days=6)
    for row in table[table["is_primary"].astype(bool)].to_dict("records"):
        name, error = str(row["channel_id"]), float(row["std_error_usd"])
        geos = tuple(
            sorted(panel.geos.index(d) for d in str(row["treated_dmas"]).split(";") if d in panel.geos)
        )
        start, end = pd.Timestamp(row["window_start"]), pd.Timestamp(row["window_end"])
        inside = np.flatnonzero(
            (panel.dates >= start - pd.Timedelta(days=3)) & (ends <= end + pd.Timedelta(days=3))
        )
        if name not in panel.channels or not geos or len(inside) == 0 or not np.isfinite(error) or error <= 0:
            continue
        out.append(
            LiftTest(
                panel.channels.index(name),
                int(inside[0]),
                int(inside[-1]),
                geos,
                float(row["incremental_revenue_usd"]),
                error,
                f"{row['experiment_id']} {name}",
                float(row["spend_usd"]),
            )
        )
    return tuple(out)


@one_thread
def fit(
    features: Mapping[str, pd.DataFrame], unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    """Fit a brand's panel and lay out every output table.

    Raises:
        Refusal: the panel cannot support a mix model.
    """
    panel, chasers = build_panel(features)
    panel = replace(panel, lift_tests=experiments(panel, upstream))
    centre, sd = return_scale(panel)
    options = Options(
        prior=Prior(scale_center=centre, scale_sd=sd),
        chasers=chasers,
        seed=seed,
        chains=3,
        warmup=40,
        keep=90,
    )
    if not spent(panel):
        raise Refusal("no channel has any spend: there is nothing to estimate")
    form = choose_form(panel, options, shares=(FORM_SHARE,))
    panel = replace(panel, form=form.chosen)
    posterior = fit_panel(panel, options)
    notes, conflicts = lift_conflicts(posterior) if panel.lift_tests else ({}, [])
    mixing = dx.convergence(posterior)
    for name, value in mixing["r_hat"].items():
        if value > 1.2:
            text = f"several explanations fit (R-hat {value:.1f}): the interval spans them"
            notes[name] = "; ".join(x for x in (notes.get(name, ""), text) if x)
    for c in chasers:
        notes[c] = "; ".join(x for x in (notes.get(c, ""), "budget follows demand") if x)
    parts = decompose(posterior)
    launch = launch_weeks(panel, LAUNCH_WEEKS)
    table = channel_table(posterior, notes)
    look = planned(posterior)
    recent = [window_draws(posterior, i, launch) for i in range(posterior.n_channels)]
    tables: dict[str, pd.DataFrame] = {
        "mmm_contribution_week": contribution_rows(posterior, parts, launch),
        "mmm_channel_roi": roi_rows(posterior, table.frame, launch, recent),
        "mmm_response_curve": curve_rows(posterior),
        "mmm_wasted_spend": wasted_spend(posterior, launch, recent),
        "mmm_outlook": outlook_rows(posterior, look, table.marginal),
        "mmm_plan_dma": geo_plan_rows(posterior),
        "mmm_plan_week": pacing_rows(posterior, look),
        "mmm_transformation": transformation_rows(posterior),
    }
    shared = refresh_overlap(posterior)
    tables["mmm_sensitivity"] = sensitivity_rows(posterior, parts, shared)
    tables["mmm_fit_week"] = fit_rows(panel, parts)
    comparison, folds = compare(panel, options, form, folds=2)
    tables["mmm_comparison"] = comparison
    tables["mmm_diagnostic"] = diagnostic_rows(posterior, mixing, conflicts, form)
    metrics: dict[str, Any] = {
        "channels": len(panel.channels),
        "dmas": len(panel.geos),
        "weeks": len(panel.dates),
        "experiments": len(panel.lift_tests),
        "worst_r_hat": mixing["worst_r_hat"],
        "out_of_sample_wmape": folds,
        "form": form.chosen,
        "supported": int(table.frame["supported"].sum()),
        "refresh_overlap": shared.score,
    }
    window = (panel.dates[0].date(), (panel.dates[-1] + pd.Timedelta(days=6)).date())
    outputs = {name: tables[name][list(OUTPUTS[name])] for name in OUTPUTS}
    if shared.score < MIN_OVERLAP:
        return JobResult(
            outputs,
            metrics,
            window,
            status="failed",
            message=f"four weeks more change the returns: overlap {shared.score:.2f} is below {MIN_OVERLAP:g}",
        )
    return JobResult(outputs, metrics, window)
