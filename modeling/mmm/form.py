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
#: Log density that the multiplicative form must gain over all scored periods together (odds of twenty), and by how many
#: standard errors of that gain (Vuong 1989, for models neither of which contains the other).
GAIN, STD_ERRORS = 3.0, 2.0
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
    std_error: float
    periods: int

    def as_json(self) -> dict[str, object]:
        """For the diagnostics."""
        return {
            "chosen": self.chosen,
            "reason": self.reason,
            "log_score": {form: list(values) for form, values in self.scores.items()},
            "gain_of_multiplicative": self.gain,
            "gain_std_error": self.std_error,
            "scored_periods": self.periods,
            "note": f"one period ahead, national, same folds; multiplicative needs a gain of {GAIN:g} and of "
            f"{STD_ERRORS:g} standard errors",
        }


def choose_form(
    panel: Panel, options: Options, asked: str = "auto", shares: tuple[float, ...] = _EDGES
) -> FormChoice:
    """The form of `panel` (any geographies; they are pooled for this), chosen unless `asked` names one.

    `shares` of the panel are the folds' training windows.

    Raises:
        InputError: the multiplicative form is asked for and the outcome is not positive throughout.
    """
    positive = bool((panel.kpi > 0).all())
    if asked == "multiplicative" and not positive:
        raise InputError("form: multiplicative needs an outcome above zero in every row")
    if not positive:
        reason = "the outcome is not positive throughout"
        return FormChoice("additive", reason, {}, float("nan"), float("nan"), 0)
    nation = pooled(panel)
    light = replace(options, chains=2, warmup=30, keep=40)
    t = nation.shape[1]
    edges = [max(int(share * t), 40 * panel.periods_per_week) for share in shares]
    scores: dict[str, list[float]] = {form: [] for form in FORMS}
    steps: list[float] = []
    for first, last in zip(edges, [*edges[1:], t], strict=True):
        known = head(nation, first)
        if last - first < 4 * panel.periods_per_week or not spent(known):
            continue
        found = {
            form: log_densities(fit(replace(known, form=form), light), head(nation, last)) for form in FORMS
        }
        steps += (found["multiplicative"] - found["additive"]).tolist()
        for form in FORMS:
            scores[form].append(float(found[form].mean()))
    gain, periods = float(np.sum(steps)), len(steps)
    error = float(np.std(steps) * np.sqrt(periods)) if steps else 0.0
    if asked != "auto":
        chosen, reason = asked, "asked for in the spec"
    elif periods == 0:
        chosen, reason = "additive", "too few periods for time folds"
    elif gain > max(GAIN, STD_ERRORS * error):
        chosen, reason = "multiplicative", "clearly better out of sample"
    else:
        chosen, reason = "additive", "the multiplicative form is not clearly better out of sample"
    return FormChoice(chosen, reason, {k: tuple(v) for k, v in scores.items()}, gain, error, periods)


@dataclass(frozen=True)
class _Joint:
    """Of a training fit and a longer national panel: the Gaussian of the outcome in frame units, mean and covariance
    (T, T); `typical` and `scale` turn it back."""

    mean: Array
    cover: Array
    typical: float
    scale: float
    multiplicative: bool

    def outcome(self, kpi: Array) -> Array:
        """Frame units of KPI per size (T,)."""
        if self.multiplicative:
            kpi = self.typical * (1.0 + np.log(kpi / self.typical))
        return np.asarray(kpi * self.scale)

    def kpi(self, outcome: Array) -> Array:
        """KPI per size of frame units."""
        value = outcome / self.scale
        return np.asarray(self.typical * np.exp(value / self.typical - 1.0) if self.multiplicative else value)


def _joint(train: Posterior, panel: Panel) -> _Joint:
    """Level, nuisance coefficients and drift are Gaussian with the training fit's error model, media effects with the
    covariance of its draws; the level is free."""
    frame, model, known = train.frame, train.modal_model(), train.panel
    t = panel.shape[1]
    scale = float(frame.row_scale[0])
    draws = training_effects(train, panel)[:, 0] * scale
    mean = draws.mean(axis=0)
    x = nuisance_ahead(train, panel)[0] * scale
    when = np.arange(t, dtype=float)
    if frame.kernel_names[model.kernel] == "walk":
        drift = np.minimum.outer(when, when) + 1.0
    else:
        phi = float(0.85 ** (1.0 / panel.periods_per_week))
        drift = phi ** np.abs(np.subtract.outer(when, when)) / (1.0 - phi**2)
    cover = np.eye(t) + model.national_drift * drift + (x / frame.ridge) @ x.T + _FREE
    cover = cover * float(np.mean(train.draws.sigma2)) + (draws - mean).T @ (draws - mean) / len(draws)
    multiplicative = known.form == "multiplicative"
    typical = float(known.typical[0, 0]) if multiplicative else 1.0
    return _Joint(mean + known.outcome.mean() * scale, cover, typical, scale, multiplicative)


def log_densities(train: Posterior, panel: Panel) -> Array:
    """(T - T0,) log density of each period after the training window, given all before it; national panels.

    Forecasting one period ahead is one step of a Cholesky factorisation.
    """
    joint, t0 = _joint(train, panel), train.panel.shape[1]
    kpi = panel.kpi[0] / panel.size[0]
    half = np.linalg.cholesky(joint.cover)
    error = np.linalg.solve(half, joint.outcome(kpi) - joint.mean)[t0:]
    density = -0.5 * error**2 - np.log(np.diag(half)[t0:]) - 0.5 * np.log(2 * np.pi) + np.log(joint.scale)
    return np.asarray(density + np.log(joint.typical / kpi[t0:]) if joint.multiplicative else density)


def forecast_draws(train: Posterior, panel: Panel, n: int, seed: int) -> Array:
    """(n, T - T0) money after the training window, all of it ahead; national panels, actual media and controls."""
    joint, t0 = _joint(train, panel), train.panel.shape[1]
    past = joint.outcome(panel.kpi[0, :t0] / panel.size[0])
    gain = np.linalg.solve(joint.cover[:t0, :t0], joint.cover[:t0, t0:])
    mean = joint.mean[t0:] + gain.T @ (past - joint.mean[:t0])
    half = np.linalg.cholesky(joint.cover[t0:, t0:] - gain.T @ joint.cover[:t0, t0:])
    noise = np.random.default_rng(seed).normal(size=(n, len(mean)))
    drawn = joint.kpi(mean + noise @ half.T)
    return np.asarray(drawn * panel.size[0] * panel.money_per_kpi[0, t0:])
