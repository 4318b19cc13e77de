"""Planning a geo experiment: which geographies to treat so that a small lift would be seen.

Search in two steps: every candidate set gets a cheap score (difference in differences on logs or levels,
autocorrelation-aware standard error); the best ones are then run through the analysis itself on the last
periods of the history, where nothing happened, so that the promise is made by the method that will be used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from modeling.errors import Refusal
from modeling.geolift.analysis import MIN_PRE, Options, analyse
from modeling.geolift.noise import mean_difference_variance
from modeling.geolift.panel import Floats, Panel

EFFECTS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.10, 0.15, 0.20, 0.30)
BEAM = 24  # sets kept while geographies are added one by one


@dataclass(frozen=True)
class Limits:
    """What a design may cost and whom it may touch.

    Attributes:
        counts: numbers of treated geographies to try.
        max_share: largest share of the KPI in treated geographies.
        include: geographies that must be treated; exclude: ones that may be neither treated nor control.
        never_treat: controls only.
        budget, cost_per_kpi: largest cost, and money spent per unit of treated KPI; both or none.
        neighbours: pairs that spill over: a treated geography's neighbours are not used as its controls.
    """

    counts: tuple[int, ...] = (1, 2, 3, 4, 5)
    max_share: float = 0.5
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    never_treat: tuple[str, ...] = ()
    budget: float | None = None
    cost_per_kpi: float | None = None
    neighbours: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Design:
    """One evaluated design; rates are fractions.

    Attributes:
        minimum_effect: smallest lift found with ``power_target`` at two-sided level 1 - confidence.
        power: lift -> probability of finding it.
        false_positive_rate: share of ``tests`` placebo tests on the history that came out significant.
        bias: lift "found" in the last periods of the history, where there was none.
    """

    treated: tuple[str, ...]
    method: str
    standard_error: float
    minimum_effect: float
    power: dict[float, float]
    false_positive_rate: float | None
    tests: int
    bias: float
    fit: float
    share: float
    cost: float | None
    cell: int = 1


def search(
    panel: Panel,
    duration: int,
    limits: Limits,
    *,
    keep: int = 10,
    cells: int = 1,
    confidence: float = 0.95,
    power_target: float = 0.8,
    report: Callable[[str], None] | None = None,
) -> list[Design]:
    """Ranked designs, smallest detectable effect first; with ``cells`` > 1, disjoint sets side by side.

    Raises:
        Refusal: too little history, or no set of geographies meets the limits.
    """
    periods = len(panel.periods)
    if periods - duration < max(MIN_PRE, duration):
        raise Refusal(
            f"{periods} periods of history are too few to plan a test of {duration}: "
            f"at least {duration + max(MIN_PRE, duration)}"
        )
    allowed = [g for g in panel.geos if g not in set(limits.exclude)]
    candidates = _candidates(panel, duration, limits, allowed)
    if not candidates:
        raise Refusal("no set of geographies meets the limits on share, budget and number")
    if report is not None:
        report(f"{len(candidates)} candidate sets scored; evaluating the best {min(keep, len(candidates))}")
    chosen = _spread(candidates, keep) if cells == 1 else _disjoint(candidates, cells)
    taken = {g for names in chosen for g in names} if cells > 1 else set()
    designs = []
    for number, names in enumerate(chosen):
        apart = sorted((taken - set(names)) | _next_to(names, limits.neighbours) | set(limits.exclude))
        designs.append(
            evaluate(
                panel,
                names,
                duration,
                exclude=[g for g in apart if g in panel.geos],
                confidence=confidence,
                power_target=power_target,
                cost_per_kpi=limits.cost_per_kpi,
                cell=number + 1 if cells > 1 else 1,
            )
        )
        if report is not None:
            report(f"design {number + 1} of {len(chosen)}: {', '.join(names)}")
    return sorted(designs, key=lambda d: (d.minimum_effect, len(d.treated), d.treated))


def evaluate(
    panel: Panel,
    treated: Sequence[str],
    duration: int,
    *,
    exclude: Sequence[str] = (),
    confidence: float = 0.95,
    power_target: float = 0.8,
    cost_per_kpi: float | None = None,
    cell: int = 1,
) -> Design:
    """Run the analysis on the last ``duration`` periods of the history and read power off its standard error."""
    start, end = panel.periods[-duration], panel.periods[-1]
    result = analyse(panel, treated, start, end, Options(confidence=confidence), exclude=exclude)
    counterfactual = float(result.counterfactual[-duration:].sum()) / (len(treated) * duration)
    error = result.noise["standard_error"]
    if not result.method.endswith("_log"):
        error = error / abs(counterfactual)
    freedom = result.noise["degrees_of_freedom"]
    limit = float(stats.t.ppf(0.5 + confidence / 2, freedom))
    needed = limit + float(stats.t.ppf(power_target, freedom))
    logs = result.method.endswith("_log")
    treated_kpi = float(panel.columns(treated)[-duration:].sum())
    return Design(
        treated=tuple(treated),
        method=result.method,
        standard_error=error,
        minimum_effect=float(np.expm1(needed * error)) if logs else needed * error,
        power={e: _power((np.log1p(e) if logs else e) / error, limit, freedom) for e in EFFECTS},
        false_positive_rate=_share(result.placebo["share_significant"]),
        tests=int(result.placebo["tests"] or 0),
        bias=result.lift if result.lift is not None else float("nan"),
        fit=result.fit,
        share=float(panel.columns(treated).sum() / panel.values.sum()),
        cost=None if cost_per_kpi is None else treated_kpi * cost_per_kpi,
        cell=cell,
    )


def _share(value: float | int | None) -> float | None:
    return None if value is None else float(value)


def _power(shift: float, limit: float, freedom: float) -> float:
    """Probability that a t statistic centred at ``shift`` leaves (-limit, limit)."""
    return float(stats.t.sf(limit - shift, freedom) + stats.t.cdf(-limit - shift, freedom))


def _candidates(panel: Panel, duration: int, limits: Limits, allowed: list[str]) -> list[tuple[str, ...]]:
    """Sets that meet the limits, best cheap score first."""
    treatable = [g for g in allowed if g not in set(limits.never_treat)]
    values = panel.columns(allowed)
    logs = bool((values > 0).all())
    place = {g: i for i, g in enumerate(allowed)}
    score = _scorer(values, logs, duration)
    total = float(panel.values.sum())
    kpi = panel.values.sum(axis=0)
    size = {g: float(kpi[panel.geos.index(g)]) for g in allowed}
    recent = {g: float(panel.columns([g])[-duration:].sum()) for g in allowed}

    def fits(names: tuple[str, ...]) -> bool:
        if sum(size[g] for g in names) > limits.max_share * total or len(names) >= len(allowed):
            return False
        if limits.budget is None or limits.cost_per_kpi is None:
            return True
        return sum(recent[g] for g in names) * limits.cost_per_kpi <= limits.budget

    base = tuple(limits.include)
    beam: list[tuple[str, ...]] = [base]
    found: dict[frozenset[str], float] = {}
    order: dict[frozenset[str], tuple[str, ...]] = {}
    for count in range(1, max(limits.counts) + 1):
        if count > len(base):
            grown = {frozenset((*names, g)) for names in beam for g in treatable if g not in names}
        else:
            grown = {frozenset(base)} if count == len(base) else set()
        sets = [tuple(sorted(s)) for s in grown]
        sets = sorted(s for s in sets if fits(s))
        if not sets:
            continue
        scores = score([[place[g] for g in s] for s in sets])
        ranked = sorted(range(len(sets)), key=lambda i: (scores[i], sets[i]))
        beam = [sets[i] for i in ranked[:BEAM]]
        if count in limits.counts:
            for i in ranked[: 4 * BEAM]:
                key = frozenset(sets[i])
                found[key], order[key] = float(scores[i]), sets[i]
    return [order[k] for k in sorted(found, key=lambda k: (found[k], order[k]))]


def _scorer(values: Floats, logs: bool, duration: int) -> Callable[[list[list[int]]], Floats]:
    """Predicted standard error of many sets at once: set mean against the weighted mean of the others."""
    series = np.log(values) if logs else values / np.maximum(np.abs(values.mean(axis=0)), 1e-12)
    moves = series - series.mean(axis=0)
    own = (moves - np.median(moves, axis=1, keepdims=True)).var(axis=0)
    weight = 1 / (own + 0.25 * np.median(own) + 1e-12)
    everyone = moves @ weight
    size = np.abs(values.mean(axis=0))

    def score(sets: list[list[int]]) -> Floats:
        out = np.empty(len(sets))
        for i, members in enumerate(sets):
            share = size[members] / size[members].sum()
            rest = (everyone - moves[:, members] @ weight[members]) / (weight.sum() - weight[members].sum())
            gap = moves[:, members] @ share - rest
            gap = gap - gap.mean()
            power = float(gap @ gap)
            rho = float(np.clip(gap[1:] @ gap[:-1] / power, 0, 0.97)) if power > 0 else 0.0
            out[i] = np.sqrt(power / len(gap) * mean_difference_variance(rho, len(gap), duration))
        return out

    return score


def _spread(candidates: list[tuple[str, ...]], keep: int) -> list[tuple[str, ...]]:
    """The best sets of each size in turn, so that the ranking compares sizes."""
    by_size: dict[int, list[tuple[str, ...]]] = {}
    for names in candidates:
        by_size.setdefault(len(names), []).append(names)
    out: list[tuple[str, ...]] = []
    while len(out) < min(keep, len(candidates)):
        for size in sorted(by_size):
            if by_size[size] and len(out) < keep:
                out.append(by_size[size].pop(0))
    return out


def _disjoint(candidates: list[tuple[str, ...]], cells: int) -> list[tuple[str, ...]]:
    taken: set[str] = set()
    out: list[tuple[str, ...]] = []
    for names in candidates:
        if len(out) < cells and not taken & set(names):
            out.append(names)
            taken |= set(names)
    if len(out) < cells:
        raise Refusal(f"only {len(out)} disjoint cells meet the limits, {cells} were asked for")
    return out


def _next_to(names: Sequence[str], neighbours: Sequence[tuple[str, str]]) -> set[str]:
    own = set(names)
    return {b for a, b in neighbours if a in own} | {a for a, b in neighbours if b in own}
