"""How solid each return is, and which experiment would teach most.

Sensitivity: an unseen cause of sales that also moves a channel's spend biases its return. The robustness value is the
share of the left-over variance of spend and of sales alike that such a cause must explain to bring the return to zero,
or to bring its interval to zero (Cinelli and Hazlett 2020, "Making sense of sensitivity"). Beside it stands the same
share for the strongest control that was seen: a channel whose value is below it is at the mercy of one more such
variable.

Next test: a dark test of eight weeks (four, if the data are short) over all geographies, read against the model's own
baseline. What it would leave of the variance of a return is linear Bayes on the posterior draws: the draws of the
return and of what the test would measure are correlated, and the measurement has noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from modeling.mediation.estimator import robustness_value
from modeling.mmm.diagnostics import head
from modeling.mmm.dictionary import lift_effect
from modeling.mmm.estimator import Posterior, fit, spent
from modeling.mmm.panel import LiftTest
from modeling.mmm.pool import pooled
from modeling.mmm.posterior import Decomposition
from modeling.mmm.transforms import Array

_TEST_WEEKS = 8
#: A counterfactual made from a fitted baseline is at best about this wrong, however large the panel.
_FLOOR = 0.005


def strongest_control(kpi: Array, controls: Array, residual: Array) -> float:
    """Largest partial R2 of a control (K, G, T) with sales: variance it explains over that plus what is left."""
    best = 0.0
    left = float((residual**2).sum())
    for part in controls:
        own = float(((part - part.mean(axis=1, keepdims=True)) ** 2).sum())
        best = max(best, own / (own + left)) if own + left > 0 else best
    return best


def sensitivity(posterior: Posterior, parts: Decomposition) -> pd.DataFrame:
    """Per modelled channel: robustness_value, robustness_value_interval (zero when the interval reaches zero), and
    strongest_control (partial R2 of the strongest control seen, zero without controls)."""
    panel = posterior.panel
    g, t, c = panel.shape
    names = [n for n in panel.control_names if n in parts.components]
    seen = np.stack([parts.components[n] for n in names]) if names else np.zeros((0, g, t))
    strongest = strongest_control(panel.kpi, seen, parts.residual)
    dof = float(g * (t - 1) - c - len(posterior.frame.nuisance_names))
    rows = []
    returns = posterior.returns()
    for i, k in enumerate(posterior.channels):
        draws = returns[:, i]
        ratio = float(draws.mean() / draws.std()) if draws.std() > 0 else 0.0
        rows.append(
            {
                "channel": panel.channels[k],
                "robustness_value": robustness_value(max(ratio, 0.0), dof),
                "robustness_value_interval": robustness_value(max(ratio - 1.6449, 0.0), dof)
                if np.quantile(draws, 0.05) > 0
                else 0.0,
                "strongest_control": strongest,
            }
        )
    return pd.DataFrame(rows)


def next_tests(posterior: Posterior, parts: Decomposition) -> pd.DataFrame:
    """Per modelled channel, best first: what an eight-week dark test would leave of the return's uncertainty.

    Columns: channel, test_weeks, expected_effect and test_std_error (money), roi_sd, roi_sd_after,
    variance_reduction (share of the return's variance), rank (1 = largest reduction of variance in money per money).
    """
    panel = posterior.panel
    g, t, _ = panel.shape
    weeks = _TEST_WEEKS if t >= 6 * _TEST_WEEKS * panel.periods_per_week else _TEST_WEEKS // 2
    span = weeks * panel.periods_per_week
    everywhere = tuple(range(g))
    money = panel.kpi * panel.money_per_kpi
    nation = parts.residual.sum(axis=0)
    per_money = float(np.average(panel.money_per_kpi, weights=np.abs(panel.kpi) + 1e-300))
    rows = []
    for i, k in enumerate(posterior.channels):
        live = np.flatnonzero(panel.spend[k].sum(axis=0) > 0)
        last = int(live[-1])
        first = max(0, last - span + 1)
        test = LiftTest(k, first, last, everywhere, 0.0, 1.0)
        d = posterior.dictionaries[i]
        effect = lift_effect(panel, d.grid, d.readings, d.reference, test) * d.scale
        draws = posterior.returns()[:, i]
        read = draws * effect[posterior.draws.candidate[:, i]] * per_money
        window = money[:, first : last + 1].sum()
        error = float(np.hypot(nation.std() * np.sqrt(last - first + 1), _FLOOR * window))
        variance = float(draws.var())
        together = float(np.cov(draws, read)[0, 1]) if variance > 0 else 0.0
        gone = together**2 / (float(read.var()) + error**2)
        rows.append(
            {
                "channel": panel.channels[k],
                "test_weeks": weeks,
                "expected_effect": float(read.mean()),
                "test_std_error": error,
                "roi_sd": float(np.sqrt(variance)),
                "roi_sd_after": float(np.sqrt(max(variance - gone, 0.0))),
                "variance_reduction": gone / variance if variance > 0 else 0.0,
                "gone": gone,
            }
        )
    frame = pd.DataFrame(rows).sort_values(["gone", "channel"], ascending=[False, True], kind="stable")
    frame["rank"] = np.arange(1, len(frame) + 1)
    return frame.drop(columns="gone").reset_index(drop=True)


#: A refresh whose returns share less than this with what four weeks fewer would have said is not published.
MIN_OVERLAP = 0.4
REFRESH_WEEKS = 4
_PARTS = 10


@dataclass(frozen=True)
class Overlap:
    """Shared mass of each channel's return with and without the newest weeks, and its mean weighted by spend."""

    channels: dict[str, float]
    score: float


def refresh_overlap(posterior: Posterior, weeks: int = REFRESH_WEEKS) -> Overlap:
    """Fit again without the newest weeks (lightly) and compare the returns: does a refresh tell the same story?

    A panel of many geographies is pooled to a few parts first, for both fits: it is the drift of the answer that is
    asked for, not the answer.
    """
    panel, options = posterior.panel, posterior.options
    light = replace(options, chains=2, warmup=30, keep=60)
    now = posterior
    if panel.shape[0] > _PARTS:
        panel = pooled(panel, _PARTS)
        now = fit(panel, light)
    earlier = head(panel, panel.shape[1] - weeks * panel.periods_per_week)
    names = [panel.channels[c] for c in posterior.channels]
    live = [panel.channels[c] for c in spent(earlier)]
    if not live:
        return Overlap(dict.fromkeys(names, 1.0), 1.0)
    before = fit(earlier, light)
    shared = {
        name: overlap(before.returns()[:, live.index(name)], now.returns()[:, i])
        for i, name in enumerate(names)
        if name in live
    }
    spend = dict(zip(panel.channels, panel.total_spend(), strict=True))
    weight = np.array([spend[n] for n in shared])
    return Overlap(shared, float(np.average(list(shared.values()), weights=weight)))


def overlap(first: Array, second: Array) -> float:
    """Shared mass of two samples of draws: the integral of the smaller of their densities (1: the same answer).

    Both are binned at the quantiles of the pooled sample, twenty bins.
    """
    edges = np.unique(np.quantile(np.concatenate([first, second]), np.linspace(0, 1, 21)))
    if len(edges) < 3:
        return 1.0
    edges[0], edges[-1] = -np.inf, np.inf
    a, b = np.histogram(first, edges)[0] / len(first), np.histogram(second, edges)[0] / len(second)
    return float(np.minimum(a, b).sum())
