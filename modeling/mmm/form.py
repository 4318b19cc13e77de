"""Do media, seasons and noise add up, or act in proportion to the outcome's level? Decided out of sample.

Both forms are fitted on the same expanding time folds. Each later period is then forecast from all before it, with
the returns, curves and error model of the training window (prequential scoring, Dawid 1984), and scored by the log
density of what happened, in the outcome's own unit: a form is right when its errors are small and of the size that
it says. The multiplicative form is linear in the logarithm of the outcome, so it needs a positive one. The additive
form is the simpler reading and adds up without a remainder: the other one must be clearly better.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from modeling.errors import InputError
from modeling.mmm.diagnostics import head, nuisance_ahead, training_effects
from modeling.mmm.estimator import Options, Posterior, fit, spent
from modeling.mmm.panel import Panel
from modeling.mmm.pool import pooled
from modeling.mmm.transforms import Array

FORMS = ("additive", "multiplicative")
#: Log density that the multiplicative form must gain over all scored periods together (odds of twenty).
GAIN = 3.0
#: Shares of the panel at which the training windows of the folds end.
_EDGES = (0.6, 0.8)
_FREE = 1e4


@dataclass(frozen=True)
class FormChoice:
    """chosen; scores: form -> mean log density per period of each fold; gain: summed, multiplicative less additive."""

    chosen: str
    reason: str
    scores: dict[str, tuple[float, ...]]
    gain: float
    periods: int

    def as_json(self) -> dict[str, object]:
        """For the diagnostics."""
        return {
            "chosen": self.chosen,
            "reason": self.reason,
            "log_score": {form: list(values) for form, values in self.scores.items()},
            "gain_of_multiplicative": self.gain,
            "scored_periods": self.periods,
            "note": f"one period ahead, national, same folds; multiplicative needs a gain of {GAIN:g}",
        }


def choose_form(panel: Panel, options: Options, asked: str = "auto") -> FormChoice:
    """The form of `panel` (any geographies; they are pooled for this), chosen unless `asked` names one.

    Raises:
        InputError: the multiplicative form is asked for and the outcome is not positive throughout.
    """
    positive = bool((panel.kpi > 0).all())
    if asked == "multiplicative" and not positive:
        raise InputError("form: multiplicative needs an outcome above zero in every row")
    if not positive:
        reason = "the outcome is not positive throughout"
        return FormChoice("additive", reason, {}, float("nan"), 0)
    nation = pooled(panel)
    light = replace(options, chains=2, warmup=30, keep=40)
    t = nation.shape[1]
    edges = [max(int(share * t), 40 * panel.periods_per_week) for share in _EDGES]
    scores: dict[str, list[float]] = {form: [] for form in FORMS}
    gain, periods = 0.0, 0
    for first, last in zip(edges, [*edges[1:], t], strict=True):
        known = head(nation, first)
        if last - first < 4 * panel.periods_per_week or not spent(known):
            continue
        found = {
            form: log_densities(fit(replace(known, form=form), light), head(nation, last)) for form in FORMS
        }
        gain += float((found["multiplicative"] - found["additive"]).sum())
        periods += last - first
        for form in FORMS:
            scores[form].append(float(found[form].mean()))
    if asked != "auto":
        chosen, reason = asked, "asked for in the spec"
    elif periods == 0:
        chosen, reason = "additive", "too few periods for time folds"
    elif gain > GAIN:
        chosen, reason = "multiplicative", "clearly better out of sample"
    else:
        chosen, reason = "additive", "the multiplicative form is not clearly better out of sample"
    return FormChoice(chosen, reason, {k: tuple(v) for k, v in scores.items()}, gain, periods)


def log_densities(train: Posterior, panel: Panel) -> Array:
    """(T - T0,) log density of each period after the training window, given all before it; national panels.

    Level, nuisance coefficients and drift are Gaussian with the training fit's error model, media effects with the
    covariance of its draws, so that forecasting one period ahead is one step of a Cholesky factorisation.
    """
    frame, model = train.frame, train.modal_model()
    known, t = train.panel, panel.shape[1]
    t0 = known.shape[1]
    scale = float(frame.row_scale[0])
    draws = training_effects(train, panel)[:, 0] * scale
    media = draws.mean(axis=0)
    spread = (draws - media).T @ (draws - media) / len(draws)
    shown = replace(panel, form=known.form)
    level = float(known.typical[0, 0])
    y = shown.kpi[0] / shown.size[0]
    outcome = y if known.form == "additive" else level * (1.0 + np.log(y / level))
    x = nuisance_ahead(train, panel)[0] * scale
    when = np.arange(t, dtype=float)
    if frame.kernel_names[model.kernel] == "walk":
        drift = np.minimum.outer(when, when) + 1.0
    else:
        phi = float(0.85 ** (1.0 / panel.periods_per_week))
        drift = phi ** np.abs(np.subtract.outer(when, when)) / (1.0 - phi**2)
    cover = np.eye(t) + model.national_drift * drift + (x / frame.ridge) @ x.T + _FREE
    variance = float(np.mean(train.draws.sigma2))
    half = np.linalg.cholesky(cover * variance + spread)
    error = np.linalg.solve(half, (outcome - outcome[:t0].mean()) * scale - media)[t0:]
    density = -0.5 * error**2 - np.log(np.diag(half)[t0:]) - 0.5 * np.log(2 * np.pi) + np.log(scale)
    return np.asarray(density if known.form == "additive" else density + np.log(level / y[t0:]))
