"""Other causes that move unevenly over places, taken out of a panel before a control is chosen.

A control matches what the treated geographies shared with others before the test. Other channels' media, a price
move or empty shelves in some places during the test are no part of that. They are seen, though, and what they do
can be learnt from all geographies before the test and the untreated ones during it:

    log y[t, g] = a[g] + b[t] + x[t, g] . beta + e[t, g]        (all cells but the treated ones from the test on)

The part ``x . beta`` (x without its geography and period means) is then taken out everywhere. Coefficients are
ridge estimates; the penalty is chosen by leaving out one geography at a time, and "no adjustment" is one of the
choices. Their covariance is the jackknife over geographies (CR3 in Cameron and Miller 2015), which stays honest where
geographies are few.

A covariate must not itself be moved by the test: demand-driven spend or search volume would take away a part of
the effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modeling.errors import InputError
from modeling.geolift.panel import MAX_MISSING, Floats, Panel, parse_periods

PENALTIES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, np.inf)  # relative to the mean square of a covariate
SWEEPS = 60
SMALL = 1e-9


@dataclass(frozen=True)
class Carry:
    """How far an error in the coefficients moves an effect: test mean less pre-period mean of each series' covariates.

    Attributes:
        own: (K,) of the treated mean. others: (J, K) of the donors. covariance: (K, K) of the coefficients.
    """

    own: Floats
    others: Floats
    covariance: Floats

    def variance(self, weights: Floats, kept: list[int]) -> float:
        """Variance of the effect that comes from the coefficients, for donors ``kept`` with these weights."""
        contrast = self.own - weights @ self.others[kept]
        return max(float(contrast @ self.covariance @ contrast), 0.0)


@dataclass(frozen=True)
class Adjustment:
    """A panel as it would have been had the covariates moved alike everywhere.

    Attributes:
        values: (T, G) adjusted KPI. on_logs: whether the covariates multiply (else they add, relative to a
            geography's level).
        names, coefficients: covariates that were used, and the effect of one standard deviation on the log KPI.
        moves: (T, G, K) standardised covariates without geography and period means. covariance: (K, K).
        dropped: covariates that nowhere move apart.
    """

    values: Floats
    on_logs: bool
    names: list[str]
    coefficients: Floats
    moves: Floats
    covariance: Floats
    dropped: list[str]


def media_pressure(spend: Floats, level: Floats, half_life: float) -> Floats:
    """(T, G) covariate of a channel: log of one plus carried-over spend by size of place, relative to its mean.

    Args:
        spend: (T, G), not negative. level: (G,) mean KPI. half_life: of the carry-over, in periods.

    The logarithm stands for saturation; a channel that was never bought gives zeros. What was spent before the panel
    begins is taken to be as in its first periods, so that even spend is an even covariate.
    """
    keep = 0.5 ** (1 / half_life)
    spend = np.maximum(spend, 0.0)
    carried = np.zeros_like(spend)
    running = spend[: int(np.ceil(4 * half_life))].mean(axis=0) / (1 - keep)
    for t in range(len(spend)):
        running = keep * running + spend[t]
        carried[t] = running
    carried = carried / np.maximum(np.abs(level), 1e-12)
    bought = carried > 0
    return np.log1p(carried / carried[bought].mean()) if bought.any() else carried


def with_covariates(
    panel: Panel,
    dates: pd.Series,
    geos: pd.Series,
    columns: dict[str, pd.Series],
    media: dict[str, pd.Series],
    *,
    date_format: str | None = None,
) -> Panel:
    """The panel with covariates read from the long rows that it was built from.

    Args:
        dates, geos: N cells. columns: name -> N values, taken as they are. media: name -> N values of spend, which
            are carried over with a half-life of a week (one period, where periods are longer or only counted).

    Raises:
        InputError: a column with more than :data:`MAX_MISSING` blanks, or negative spend.
    """
    labels = [str(p) for p in parse_periods(dates, date_format)]
    days = pd.to_datetime(pd.Series(panel.periods), format="%Y-%m-%d", errors="coerce")
    step = float(days.diff().dt.days.median()) if days.notna().all() else 7.0
    level = panel.values.mean(axis=0)
    known = {}
    notes = list(panel.notes)
    for name, values in {**columns, **media}.items():
        cells = pd.DataFrame(
            {"period": labels, "geo": geos.to_numpy(), "value": values.to_numpy(dtype=float)}
        )
        rows = cells.groupby(["period", "geo"])["value"]
        long = rows.sum(min_count=1) if name in media else rows.mean()
        wide = long.unstack("geo").reindex(index=panel.periods, columns=panel.geos)
        blank = wide.isna()
        if blank.to_numpy().mean() > MAX_MISSING:
            raise InputError(f"column {name!r} is blank in {blank.to_numpy().mean():.0%} of the panel")
        if blank.to_numpy().any():
            wide = wide.fillna(0.0) if name in media else wide.fillna(wide.mean()).fillna(wide.stack().mean())
            notes.append(f"{int(blank.to_numpy().sum())} blank cells of {name} filled")
        filled = wide.to_numpy(dtype=np.float64)
        if name in media and (filled < 0).any():
            raise InputError(f"--media column {name!r} has negative spend")
        known[name] = media_pressure(filled, level, max(7 / step, 1.0)) if name in media else filled
    return replace(panel, covariates=known, notes=notes)


def adjust(values: Floats, covariates: dict[str, Floats], known: NDArray[np.bool_]) -> Adjustment:
    """Fit the covariates on ``known`` cells and take them out of all.

    Args:
        values: (T, G) KPI. covariates: name -> (T, G). known: (T, G), False where the test may have had an effect;
            every period and every geography has a known cell.
    """
    on_logs = bool((values > 0).all())
    level = np.maximum(np.abs(values.mean(axis=0)), 1e-12)
    target = np.log(values) if on_logs else values / level
    stacked = np.stack([target, *covariates.values()], axis=-1)
    even = _two_way(stacked, known, np.ones(values.shape[1]))
    resid = np.where(known, even[..., 0], 0.0)
    variance = (resid**2).sum(axis=0) / known.sum(axis=0)
    variance = variance + 0.25 * float(np.median(variance)) + 1e-300
    weight = variance.mean() / variance
    moved = _two_way(stacked, known, weight)
    spread = np.sqrt((moved[known][:, 1:] ** 2).mean(axis=0))
    size = np.abs(stacked[..., 1:]).reshape(-1, len(covariates)).max(axis=0)
    alive = spread > SMALL * np.maximum(size, 1.0)
    names = [n for n, a in zip(covariates, alive, strict=True) if a]
    dropped = [n for n, a in zip(covariates, alive, strict=True) if not a]
    if not names:
        nothing = np.zeros((*values.shape, 0))
        return Adjustment(values, on_logs, [], np.zeros(0), nothing, np.zeros((0, 0)), dropped)
    x = moved[..., 1:][..., alive] / spread[alive]
    beta, covariance = _ridge(np.where(known, moved[..., 0], 0.0), np.where(known[..., None], x, 0.0), weight)
    part = x @ beta
    adjusted = values * np.exp(-part) if on_logs else values - part * level
    return Adjustment(adjusted, on_logs, names, beta, x, covariance, dropped)


def _two_way(cells: Floats, known: NDArray[np.bool_], weight: Floats) -> Floats:
    """(T, G, K) less period and geography effects, which are fitted on the known cells (alternating projections)."""
    cells = cells.copy()
    by_cell = known * weight
    by_period, by_geo = by_cell.sum(axis=1)[:, None], known.sum(axis=0)[:, None]
    for _ in range(SWEEPS):
        period = np.einsum("tg,tgk->tk", by_cell, cells) / by_period
        cells -= period[:, None, :]
        geo = np.einsum("tg,tgk->gk", known, cells) / by_geo
        cells -= geo[None, :, :]
        if max(np.abs(geo).max(), np.abs(period).max()) < 1e-10:
            break
    return cells


def _ridge(y: Floats, x: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """(K,) coefficients and their (K, K) covariance; y (T, G) and x (T, G, K) are zero where not known."""
    count = x.shape[2]
    gram = np.einsum("g,tgj,tgk->gjk", weight, x, x)
    cross = np.einsum("g,tgj,tg->gj", weight, x, y)
    total, goal = gram.sum(axis=0), cross.sum(axis=0)
    scale = float(np.trace(total)) / count
    best, chosen = np.inf, np.inf
    for penalty in PENALTIES:
        if np.isinf(penalty):
            left_out = np.zeros((len(weight), count))
        else:
            ridge = (penalty + 1e-9) * scale * np.eye(count)
            left_out = np.linalg.solve(total - gram + ridge, (goal - cross)[..., None])[..., 0]
        missed = (
            np.einsum("gj,gjk,gk->g", left_out, gram, left_out) - 2 * np.einsum("gj,gj->g", left_out, cross)
        ).sum()
        if missed < best:
            best, chosen = float(missed), penalty
    if np.isinf(chosen):
        return np.zeros(count), np.zeros((count, count))
    ridge = (chosen + 1e-9) * scale * np.eye(count)
    beta = np.linalg.solve(total + ridge, goal)
    apart = np.linalg.solve(total - gram + ridge, (goal - cross)[..., None])[..., 0] - beta
    places = len(weight)
    return np.asarray(beta), np.asarray((places - 1) / places * apart.T @ apart)
