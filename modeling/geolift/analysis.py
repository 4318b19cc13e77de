"""Lift of a geo experiment: control, noise, calibration on placebos, one test for p-value and interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from modeling.errors import InputError, Refusal
from modeling.geolift import inference
from modeling.geolift.control import AUTO, METHODS, choose_control, is_log
from modeling.geolift.covariates import Adjustment, Carry, adjust
from modeling.geolift.estimate import Fitted, Rule, fit_effect
from modeling.geolift.panel import Floats, Panel

MIN_PRE = 8  # pre-period periods below which nothing can be said about noise
SPIKE = 8.0  # the same for single pre-period gaps of the treated series


@dataclass(frozen=True)
class Options:
    """Choices of an analysis.

    Attributes:
        method: "auto" (chosen on the pre-period) or one of modeling.geolift.control.METHODS.
        test: "t" (autocorrelation-aware, calibrated on placebos), "conformal" or "placebo".
        confidence: of intervals.
        washout: periods after the test that are reported apart (carry-over) and never used as control.
        seed: of the permutations.
    """

    method: str = "auto"
    test: str = "t"
    confidence: float = 0.95
    washout: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Lift:
    """Result of :func:`analyse`. Money or units are the KPI's; rates are fractions (0.054), not percent.

    Attributes:
        att, att_low, att_high: KPI per treated geography and period.
        incremental, incremental_low, incremental_high: KPI, all treated geographies, whole test.
        lift, lift_low, lift_high: incremental / counterfactual; None where the counterfactual is not positive.
        p_value: two-sided, of no effect; below 1 - confidence exactly when the interval leaves zero out.
        fit: R2 of the control in the pre-period (levels).
        observed, counterfactual, low, high: (T,) sums over treated geographies, pre-period to test end.
    """

    method: str
    test: str
    confidence: float
    att: float
    att_low: float
    att_high: float
    incremental: float
    incremental_low: float
    incremental_high: float
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    p_value: float
    fit: float
    fit_error: float
    periods: list[str]
    observed: Floats
    counterfactual: Floats
    low: Floats
    high: Floats
    weights: dict[str, float]
    placebo: dict[str, float | int | None]
    noise: dict[str, float]
    scores: dict[str, float]
    dropped_donors: list[str]
    notes: list[str]
    washout: dict[str, float | int | None]


def split(
    panel: Panel, treated: Sequence[str], start: str, end: str, washout: int = 0
) -> tuple[int, int, int]:
    """Indices of the first test period, one past the last, and one past the washout.

    Raises:
        InputError: dates outside the panel or in the wrong order. Refusal: too little history, no donors.
    """
    key = _period_key(panel.periods)
    first, last = key(start, "--start"), key(end, "--end")
    known = [key(p, "period") for p in panel.periods]
    if first > last:
        raise InputError(f"--start {start} is after --end {end}")
    if first < known[0] or last > known[-1] + _slack(known):
        raise InputError(
            f"the test {start} to {end} is outside the panel ({panel.periods[0]} to {panel.periods[-1]})"
        )
    begin = next((i for i, k in enumerate(known) if k >= first), len(known))
    stop = next((i for i, k in enumerate(known) if k > last), len(known))
    if stop <= begin:
        raise InputError(f"no period of the panel lies between {start} and {end}")
    if begin < MIN_PRE:
        raise Refusal(f"{begin} periods before the test are too few (at least {MIN_PRE})")
    if not panel.without(treated):
        raise Refusal("every geography is treated: there is none left to compare with")
    return begin, stop, min(stop + washout, len(known))


def _slack(known: list[int]) -> int:
    """Days of the last period that lie after its label (six, for a panel of weeks)."""
    steps = np.diff(known)
    return max(int(np.median(steps)) - 1, 0) if len(steps) else 0


def _period_key(periods: list[str]):  # type: ignore[no-untyped-def]
    import datetime

    counted = all(p.lstrip("-").isdigit() for p in periods)

    def key(text: str, option: str) -> int:
        try:
            return int(text) if counted else datetime.date.fromisoformat(text).toordinal()
        except ValueError as error:
            kind = "a whole number, as the panel's periods are" if counted else "a date (YYYY-MM-DD)"
            raise InputError(f"{option} {text!r} is not {kind}") from error

    return key


def analyse(
    panel: Panel,
    treated: Sequence[str],
    start: str,
    end: str,
    options: Options | None = None,
    *,
    exclude: Sequence[str] = (),
) -> Lift:
    """Estimate the lift of the treated geographies between two dates.

    The control is chosen on the pre-period alone. Donors that were themselves hit in the test (their own
    placebo statistic is far from all others) are left out. The standard error is that of a mean of AR(1) noise
    with autocorrelation pooled over donors, scaled by how far placebo tests (donors in the test window; all
    series in earlier windows) actually strayed.

    Args:
        panel: KPI by period and geography.
        treated: names in the panel; their mean is the treated series.
        start, end: first and last test period, inclusive.
        exclude: geographies never used as donors (spillover, other tests).

    Raises:
        InputError, Refusal: see :func:`split`; also a treated series that never moves.
    """
    options = options or Options()
    if options.method not in ("auto", *METHODS):
        raise InputError(f"method {options.method!r} is none of auto, {', '.join(METHODS)}")
    begin, stop, washed = split(panel, treated, start, end, options.washout)
    notes = list(panel.notes)
    actual = panel.columns(treated).mean(axis=1)
    adjustment = _without_covariates(panel, treated, exclude, begin, notes)
    if adjustment is not None:
        panel = replace(panel, values=adjustment.values)
    names = [g for g in panel.without(treated) if g not in set(exclude)]
    series, donors, names, level_notes = _usable(panel, treated, names, begin)
    notes += level_notes
    keep, spikes = _pre_periods(series, donors, begin)
    if spikes:
        notes.append(f"{spikes} pre-period outliers of the treated series left out")
    rows = np.concatenate([keep, np.arange(begin, stop)])
    pre = len(keep)
    y, x = series[rows], donors[rows]
    if options.method == "auto":
        choice = choose_control(y[:pre], x[:pre], stop - begin, AUTO)
        method, scores = choice.method, choice.scores
    else:
        method, scores = options.method, {}
    if is_log(method):
        if not (y > 0).all():
            raise Refusal(f"{method} needs a positive KPI in the treated geographies")
        good = (x > 0).all(axis=0)
        if not good.any():
            raise Refusal(f"{method} needs donors with a positive KPI")
        x, donors, names = x[:, good], donors[:, good], [n for n, g in zip(names, good, strict=True) if g]
        y, x = np.log(y), np.log(x)
    rule = Rule(options.test, options.confidence, options.seed)
    carry = _carry(panel, adjustment, treated, names, rows, pre, is_log(method))
    fitted = fit_effect(y, x, names, pre, method, rule, notes, carry)
    return _assemble(
        panel,
        treated,
        actual,
        series,
        donors,
        names,
        rows,
        pre,
        (begin, stop, washed),
        method,
        scores,
        fitted,
        options,
        notes,
        adjustment,
    )


def _without_covariates(
    panel: Panel, treated: Sequence[str], exclude: Sequence[str], begin: int, notes: list[str]
) -> Adjustment | None:
    """Covariates fitted before the test everywhere and from then on in geographies that the test left alone."""
    if not panel.covariates:
        return None
    touched = {*treated, *exclude}
    known = np.ones(panel.values.shape, dtype=bool)
    known[begin:, [j for j, g in enumerate(panel.geos) if g in touched]] = False
    if not known.any(axis=1).all():
        return None
    adjustment = adjust(panel.values, panel.covariates, known)
    if adjustment.dropped:
        notes.append(f"covariates that move alike everywhere: {', '.join(adjustment.dropped)}")
    if adjustment.names and not adjustment.coefficients.any():
        notes.append("covariates explain nothing of what geographies do apart: not used")
    elif adjustment.names:
        notes.append(f"adjusted for {', '.join(adjustment.names)}")
    return adjustment if adjustment.coefficients.any() else None


def _carry(
    panel: Panel,
    adjustment: Adjustment | None,
    treated: Sequence[str],
    names: list[str],
    rows: np.ndarray,
    pre: int,
    on_logs: bool,
) -> Carry | None:
    """Test mean less pre-period mean of the covariates, in units of the control's scale."""
    if adjustment is None:
        return None
    moves = adjustment.moves[rows[pre:]].mean(axis=0) - adjustment.moves[rows[:pre]].mean(axis=0)
    if not on_logs:
        moves = moves * np.abs(panel.values.mean(axis=0))[:, None]
    own = moves[[panel.geos.index(g) for g in treated]].mean(axis=0)
    return Carry(own, moves[[panel.geos.index(g) for g in names]], adjustment.covariance)


def _usable(
    panel: Panel, treated: Sequence[str], names: list[str], begin: int
) -> tuple[Floats, Floats, list[str], list[str]]:
    """Treated mean and the donors that move at all."""
    series = panel.columns(treated).mean(axis=1)
    if not np.ptp(series[:begin]) > 0:
        raise Refusal("the treated series does not move before the test: there is nothing to match")
    donors = panel.columns(names) if names else np.empty((len(series), 0))
    moving = np.ptp(donors[:begin], axis=0) > 0 if names else np.empty(0, dtype=bool)
    notes = []
    if names and not moving.all():
        still = [n for n, m in zip(names, moving, strict=True) if not m]
        notes.append(f"{len(still)} donors never move and are left out: {', '.join(still[:10])}")
    kept = [n for n, m in zip(names, moving, strict=True) if m]
    if not kept:
        raise Refusal("no usable donor geography is left")
    if len(kept) < 4:
        notes.append(f"only {len(kept)} donor(s): noise is judged from the treated series alone")
    return series, donors[:, moving], kept, notes


def _pre_periods(series: Floats, donors: Floats, begin: int) -> tuple[np.ndarray, int]:
    """Pre-period indices without single spikes of the treated series against the donors' common movement."""
    common = np.median(donors[:begin] / np.maximum(np.abs(donors[:begin].mean(axis=0)), 1e-12), axis=1)
    gap = series[:begin] / max(abs(float(series[:begin].mean())), 1e-12) - common
    centred = np.abs(gap - np.median(gap))
    spread = 1.4826 * float(np.median(centred))
    good = centred <= SPIKE * spread if spread > 0 else np.ones(begin, dtype=bool)
    if (~good).sum() > max(1, begin // 20):  # a pattern, not a few accidents
        good[:] = True
    return np.flatnonzero(good), int((~good).sum())


def _to_levels(method: str, observed_mean: float, effect: float) -> tuple[float, float | None]:
    """(KPI per geography and period, lift) of an effect on the control's scale; monotone in the effect.

    What was observed is known, so an effect fixes the counterfactual: observed / exp(effect) on logs,
    observed - effect on levels.
    """
    if is_log(method):
        return observed_mean * -float(np.expm1(-effect)), float(np.expm1(effect))
    counterfactual = observed_mean - effect
    return effect, effect / counterfactual if counterfactual > 0 else None


def _assemble(
    panel: Panel,
    treated: Sequence[str],
    actual: Floats,
    series: Floats,
    donors: Floats,
    names: list[str],
    rows: np.ndarray,
    pre: int,
    bounds: tuple[int, int, int],
    method: str,
    scores: dict[str, float],
    fitted: Fitted,
    options: Options,
    notes: list[str],
    adjustment: Adjustment | None,
) -> Lift:
    """Everything that is reported. ``actual`` is what was sold, ``series`` the same without covariates' moves."""
    begin, stop, washed = bounds
    count, length = len(treated), stop - begin
    observed_mean = float(series[begin:stop].mean())
    # An effect is a share of what was sold where covariates multiply, and an amount where they add.
    on_logs = adjustment is not None and adjustment.on_logs
    times = float(actual[begin:stop].mean()) / observed_mean if on_logs else 1.0
    att, lift = _to_levels(method, observed_mean, fitted.main.effect)
    att_low, lift_low = _to_levels(method, observed_mean, fitted.result.low)
    att_high, lift_high = _to_levels(method, observed_mean, fitted.result.high)
    att, att_low, att_high = att * times, att_low * times, att_high * times
    if lift is None:
        notes.append("the counterfactual is not positive: lift in percent does not exist")
        lift_low = lift_high = None
    elif lift_high is None:
        notes.append("the interval reaches a counterfactual of zero: lift has no upper bound")
    # Every period up to the end of the washout, also those left out of the fit.
    everything = slice(0, washed)
    x = donors[everything][:, fitted.kept]
    y = series[everything]
    half = _daily_half_width(fitted, options.confidence, pre, length)
    if is_log(method):
        control = np.log(x) @ fitted.main.weights
        level = float((np.log(y[rows[:pre]]) - control[rows[:pre]]).mean())
        shape = np.exp(control + level)
        # The test's sum must equal observed / (1 + lift): logs are fitted to medians, sums are of means.
        own = float(y[begin:stop].sum()) * float(np.exp(-fitted.main.effect)) / float(shape[begin:stop].sum())
        counterfactual = shape * own
        low, high = counterfactual * np.exp(-half), counterfactual * np.exp(half)
    else:
        control = x @ fitted.main.weights
        counterfactual = control + float((y[rows[:pre]] - control[rows[:pre]]).mean())
        low, high = counterfactual - half, counterfactual + half
    if adjustment is not None:
        counterfactual, low, high = _as_sold(
            (counterfactual, low, high), y, actual[everything], slice(begin, stop), on_logs
        )
        y = actual[everything]
    before = rows[:pre]
    missed = y[before] - counterfactual[before]
    spread = float(((y[before] - y[before].mean()) ** 2).sum())
    statistics = fitted.statistics
    own_rank = inference.placebo(
        fitted.main.effect, fitted.error / fitted.inflation, statistics, options.confidence
    )
    noise_only = np.abs(np.concatenate([statistics, fitted.earlier])) / fitted.inflation
    alpha_limit = inference.student(0.0, 1.0, fitted.freedom, options.confidence).high
    return Lift(
        method=method,
        test=options.test,
        confidence=options.confidence,
        att=att,
        att_low=att_low,
        att_high=att_high,
        incremental=att * count * length,
        incremental_low=att_low * count * length,
        incremental_high=att_high * count * length,
        lift=lift,
        lift_low=lift_low,
        lift_high=lift_high,
        p_value=fitted.result.p_value,
        fit=1 - float(missed @ missed) / spread,
        fit_error=float(np.abs(missed).mean() / max(abs(float(y[before].mean())), 1e-12)),
        periods=panel.periods[everything],
        observed=y * count,
        counterfactual=counterfactual * count,
        low=low * count,
        high=high * count,
        weights={
            names[j]: float(w) for j, w in zip(fitted.kept, fitted.main.weights, strict=True) if abs(w) > 1e-9
        },
        placebo={
            "donors": len(statistics),
            "p_value": own_rank.p_value if len(statistics) else None,
            "tests": len(noise_only),
            "share_significant": float((noise_only > alpha_limit).mean()) if len(noise_only) else None,
            "inflation": fitted.inflation,
        },
        noise={
            "autocorrelation": fitted.rho,
            "standard_deviation": fitted.deviation,
            "standard_error": fitted.error,
            "degrees_of_freedom": fitted.freedom,
            "effect": fitted.main.effect,
        },
        scores=scores,
        dropped_donors=fitted.dropped,
        notes=notes,
        washout=_washout(y, counterfactual, stop, washed, count),
    )


def _as_sold(
    lines: tuple[Floats, ...], adjusted: Floats, sold: Floats, test: slice, on_logs: bool
) -> tuple[Floats, ...]:
    """Counterfactual and band with the covariates' moves put back, so that the test's sum is the effect reported."""
    if not on_logs:
        return tuple(line + sold - adjusted for line in lines)
    back = tuple(line * sold / adjusted for line in lines)
    share = lines[0][test].sum() / adjusted[test].sum()  # of the counterfactual in what was observed
    level = share * sold[test].sum() / back[0][test].sum()
    return tuple(line * level for line in back)


def _daily_half_width(fitted: Fitted, confidence: float, pre: int, length: int) -> float:
    """Half width of the interval of one period's counterfactual, on the control's scale."""
    unit = inference.student(0.0, 1.0, fitted.freedom, confidence).high
    return unit * fitted.deviation * float(np.sqrt(1 + 1 / pre)) * fitted.inflation


def _washout(
    y: Floats, counterfactual: Floats, stop: int, washed: int, count: int
) -> dict[str, float | int | None]:
    """What went on after the test, reported apart: carry-over is not part of the tested window."""
    if washed <= stop:
        return {"periods": 0, "incremental": None}
    return {
        "periods": washed - stop,
        "incremental": float((y[stop:washed] - counterfactual[stop:washed]).sum()) * count,
    }
