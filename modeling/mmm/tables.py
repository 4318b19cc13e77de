"""The mix model's output tables, from a fitted posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from modeling.budget.places import pacing, place_plan
from modeling.budget.plan import Outlook, make_plan, outlook
from modeling.mmm import diagnostics as dx
from modeling.mmm.estimator import Posterior
from modeling.mmm.form import FormChoice
from modeling.mmm.judgement import Overlap, next_tests, sensitivity
from modeling.mmm.panel import Panel
from modeling.mmm.posterior import Decomposition, response_curves
from modeling.mmm.windows import channel_window, weekly_intervals

HORIZON = 13


def sensitivity_rows(posterior: Posterior, parts: Decomposition, shared: Overlap) -> pd.DataFrame:
    """A row per channel: what it would take to overturn its return, and what a test of it would teach."""
    both = sensitivity(posterior, parts).merge(next_tests(posterior, parts), on="channel")
    both["refresh_overlap"] = both["channel"].map(shared.channels)
    return both.rename(
        columns={
            "channel": "channel_id",
            "expected_effect": "expected_effect_usd",
            "test_std_error": "test_std_error_usd",
            "rank": "test_rank",
        }
    ).sort_values("channel_id", ignore_index=True)


def fit_rows(panel: Panel, parts: Decomposition) -> pd.DataFrame:
    """The nation's weeks: actual, fitted, residual, and what a normal quantile plot of the residuals needs."""
    residual = parts.residual.sum(axis=0)
    sd = float(residual.std()) or 1.0
    rank = residual.argsort(kind="stable").argsort(kind="stable")
    return pd.DataFrame(
        {
            "week_start_date": [d.date() for d in panel.dates],
            "actual_usd": (panel.kpi * panel.money_per_kpi).sum(axis=0),
            "fitted_usd": parts.fitted.sum(axis=0),
            "residual_usd": residual,
            "standardised_residual": residual / sd,
            "normal_quantile": ndtri((rank + 0.5) / len(rank)),
        }
    )


def contribution_rows(posterior: Posterior, parts: Decomposition, launch: slice) -> pd.DataFrame:
    """National rows for every week, rows by DMA for the launch weeks."""
    panel = posterior.panel
    days = np.array([d.date() for d in panel.dates], dtype=object)
    low, high = weekly_intervals(posterior, parts)
    frames = []
    for name, values in parts.components.items():
        kind = (
            "channel"
            if name in panel.channels
            else "baseline"
            if name in ("baseline", "trend", "seasonality")
            else "control"
        )
        nation = values.sum(axis=0)
        bounds = name in low
        frames.append(
            pd.DataFrame(
                {
                    "week_start_date": days,
                    "dma_id": "000",
                    "component": name,
                    "component_kind": kind,
                    "revenue_usd": nation,
                    "revenue_p05_usd": low[name] if bounds else np.nan,
                    "revenue_p95_usd": high[name] if bounds else np.nan,
                }
            )
        )
        local = values[:, launch]
        n = local.shape[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            down = np.where(nation[launch] > 0, low[name][launch] / nation[launch], 0.0) if bounds else np.nan
            up = np.where(nation[launch] > 0, high[name][launch] / nation[launch], 0.0) if bounds else np.nan
        frames.append(
            pd.DataFrame(
                {
                    "week_start_date": np.tile(days[launch], len(panel.geos)),
                    "dma_id": np.repeat(np.array(panel.geos, dtype=object), n),
                    "component": name,
                    "component_kind": kind,
                    "revenue_usd": local.ravel(),
                    "revenue_p05_usd": (local * down).ravel(),
                    "revenue_p95_usd": (local * up).ravel(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def roi_rows(
    posterior: Posterior, table: pd.DataFrame, launch: slice, draws: list[tuple[np.ndarray, np.ndarray]]
) -> pd.DataFrame:
    """History rows from the channel table, launch rows from the launch weeks' own counterfactual."""
    panel = posterior.panel
    last = (panel.dates[-1] + pd.Timedelta(days=6)).date()
    history = table.rename(
        columns={
            "channel": "channel_id",
            "spend": "spend_usd",
            "contribution": "contribution_usd",
            "contribution_p05": "contribution_p05_usd",
            "contribution_p95": "contribution_p95_usd",
            "supported": "is_supported",
        }
    ).assign(window_name="history", window_start=panel.dates[0].date(), window_end=last)
    rows = []
    for i, c in enumerate(posterior.channels):
        window = channel_window(posterior, i, launch, draws[i])
        known = history.iloc[c]
        rows.append(
            {
                "channel_id": panel.channels[c],
                "window_name": "launch",
                "window_start": panel.dates[launch][0].date(),
                "window_end": last,
                "is_supported": bool(known["is_supported"]),
                "note": known["note"],
                **window,
            }
        )
    both = pd.concat([history, pd.DataFrame(rows)], ignore_index=True)
    both["note"] = both["note"].str.slice(0, 512)
    return both


def curve_rows(posterior: Posterior) -> pd.DataFrame:
    return response_curves(posterior).rename(
        columns={
            "channel": "channel_id",
            "spend_per_period": "spend_per_week_usd",
            "incremental_revenue": "incremental_revenue_usd",
            "p05": "p05_usd",
            "p95": "p95_usd",
            "observed": "is_observed",
        }
    )


def planned(posterior: Posterior) -> Outlook:
    """The outlook over the horizon that plans are made from."""
    return outlook(posterior, HORIZON, n_draws=100)


def geo_plan_rows(posterior: Posterior) -> pd.DataFrame:
    """The best split of the current budget over channels and DMAs, each cell within half of its recent spend."""
    frame, _ = place_plan(posterior, HORIZON)
    frame["spend_change_usd"] = (frame["spend"] - frame["current"]).round(2)
    return frame.assign(horizon_weeks=HORIZON).rename(
        columns={
            "channel": "channel_id",
            "geo": "dma_id",
            "current": "current_spend_usd",
            "spend": "spend_usd",
            "current_revenue": "current_revenue_usd",
            "incremental_revenue": "incremental_revenue_usd",
        }
    )


def pacing_rows(posterior: Posterior, look: Outlook) -> pd.DataFrame:
    """When to spend the optimal scenario's money: a row per channel and week of the horizon."""
    best = make_plan(look).frame.query("scenario == 'optimal'")
    wanted = dict(zip(best["channel"].astype(str), best["spend"].astype(float), strict=True))
    frame = pacing(posterior, wanted, HORIZON)
    last = posterior.panel.dates[-1]
    frame["week_start_date"] = [(last + pd.Timedelta(weeks=int(k))).date() for k in frame["period"]]
    return frame.rename(
        columns={
            "channel": "channel_id",
            "period": "plan_week",
            "spend": "spend_usd",
            "even_spend": "even_spend_usd",
        }
    )


def outlook_rows(posterior: Posterior, look: Outlook, marginal: np.ndarray) -> pd.DataFrame:
    """What the planner needs: draws of earnings by channel and level of spend."""
    d, c, m = look.draws.shape
    draw, channel, level = np.meshgrid(np.arange(d), np.arange(c), np.arange(m), indexing="ij")
    names = np.array(look.names, dtype=object)
    middle = np.median(marginal, axis=0)
    return pd.DataFrame(
        {
            "channel_id": names[channel.ravel()],
            "draw": draw.ravel(),
            "level": level.ravel(),
            "spend_usd": np.broadcast_to(look.spend, (d, c, m)).ravel(),
            "revenue_usd": look.draws.ravel(),
            "recent_usd": look.recent[channel.ravel()],
            "observed_max_usd": look.observed_max[channel.ravel()],
            "horizon_weeks": HORIZON,
            "marginal_roi": middle[channel.ravel()],
        }
    )


def transformation_rows(posterior: Posterior) -> pd.DataFrame:
    rows = []
    for name, found in dx.transformation_uncertainty(posterior).items():
        family, chance = max(sorted(found["saturation_family"].items()), key=lambda x: x[1])
        rows.append(
            {
                "channel_id": name,
                "mean_lag_weeks": found["mean_lag_periods"]["p50"],
                "mean_lag_p05": found["mean_lag_periods"]["p05"],
                "mean_lag_p95": found["mean_lag_periods"]["p95"],
                "half_saturation": found["half_saturation"]["p50"],
                "half_saturation_p05": found["half_saturation"]["p05"],
                "half_saturation_p95": found["half_saturation"]["p95"],
                "saturation_family": family,
                "family_probability": chance,
                "support_probability": found["support_probability"],
                "follows_demand_probability": found["follows_demand_probability"],
            }
        )
    return pd.DataFrame(rows)


def diagnostic_rows(
    posterior: Posterior, mixing: dict[str, Any], conflicts: list[dict[str, Any]], form: FormChoice
) -> pd.DataFrame:
    """Long table of everything that says whether the numbers can be trusted."""
    fitted = dx.in_sample(posterior)
    rows: list[tuple[str, float, float, bool, str]] = []
    for name, value in fitted["in_sample"].items():
        if name != "note":
            rows.append(
                (f"in-sample {name}", value, np.nan, False, "in-sample: describes, does not validate")
            )
    tests = fitted["residuals"]
    dw = tests["durbin_watson"]
    rows.append(("durbin-watson", dw, 1.5, not 1.5 <= dw <= 2.5, "autocorrelation of residuals; two is none"))
    for name in ("ljung_box", "breusch_pagan", "shapiro_wilk"):
        p = tests[name]["p_value"]
        rows.append(
            (
                f"{name.replace('_', '-')} p",
                p,
                0.01,
                p < 0.01,
                "p value; below the limit the assumption fails",
            )
        )
    for name, value in dx.collinearity(posterior.panel)["vif"].items():
        rows.append((f"vif {name}", min(value, 1e12), 10.0, value > 10, "variance inflation, with constant"))
    rows.append(
        ("worst r-hat", mixing["worst_r_hat"], 1.1, mixing["worst_r_hat"] > 1.1, "mixing of the chains")
    )
    for name, values in form.scores.items():
        if values:
            text = f"out of sample, a period ahead, mean of the folds; {form.chosen}: {form.reason}"
            rows.append((f"log score of the {name} form", float(np.mean(values)), np.nan, False, text))
    for test in conflicts:
        rows.append(
            (
                f"experiment gap {test['test']}"[:128],
                test["gap_in_std_errors"],
                2.0,
                test["conflict"],
                "experiment against history, in joint standard errors",
            )
        )
    frame = pd.DataFrame(rows, columns=["metric", "value", "threshold", "is_flagged", "note"])
    frame.insert(0, "model", "mix model")
    return frame
