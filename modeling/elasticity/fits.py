"""The ways to fit the demand equation: least squares (or two stages), AR(1) errors, Poisson pseudo-likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modeling.elasticity.covariance import Array, Covariance, covariance
from modeling.elasticity.panel import within
from modeling.errors import Refusal


def least_squares(
    design: Array,
    outcome: Array,
    effects: list[npt.NDArray[np.int64]],
    entity: npt.NDArray[np.int64],
    period: npt.NDArray[np.int64] | None,
    absorbed: int,
    instrument: Array | None,
) -> tuple[Array, Covariance, float | None, Array]:
    x = within(design, effects)
    y = within(outcome[:, None], effects)[:, 0]
    first_stage = None
    fitted = x
    if instrument is not None:
        z = np.column_stack(
            [
                within(
                    np.log(instrument)[:, None] if (instrument > 0).all() else instrument[:, None], effects
                ),
                x[:, 1:],
            ]
        )
        full = z @ np.linalg.lstsq(z, x[:, 0], rcond=None)[0]
        less = (
            z[:, 1:] @ np.linalg.lstsq(z[:, 1:], x[:, 0], rcond=None)[0]
            if z.shape[1] > 1
            else np.zeros(len(y))
        )
        rest = float(((x[:, 0] - full) ** 2).sum())
        first_stage = float(
            (((x[:, 0] - less) ** 2).sum() - rest) / (rest / max(len(y) - z.shape[1] - absorbed, 1))
        )
        fitted = x.copy()
        fitted[:, 0] = full
    coefficients = np.linalg.lstsq(fitted, y, rcond=None)[0]
    residuals = y - x @ coefficients
    return coefficients, covariance(fitted, residuals, entity, period, absorbed), first_stage, residuals


def quasi_differenced(
    design: Array, outcome: Array, entity: npt.NDArray[np.int64], period: npt.NDArray[np.int64]
) -> tuple[Array, Covariance, Array, float]:
    """Prais and Winsten (1954), iterated: where no period effects take up slow drift, differencing does.

    Where periods are missing the next row starts afresh. The sandwich covariance stays, so that errors which are not
    AR(1) do not spoil the interval.
    """
    dummies = (entity[:, None] == np.arange(int(entity.max()) + 1)[None, :]).astype(float)
    x = np.column_stack([design, dummies])
    follows = np.concatenate([[False], (np.diff(entity) == 0) & (np.diff(period) == 1)])
    rho = 0.0
    for _ in range(50):
        scale = np.where(follows, 1.0, np.sqrt(1 - rho**2))[:, None]
        lagged = np.where(follows[:, None], np.roll(np.column_stack([outcome, x]), 1, axis=0), 0.0)
        changed = scale * np.column_stack([outcome, x]) - rho * lagged
        coefficients = np.linalg.lstsq(changed[:, 1:], changed[:, 0], rcond=None)[0]
        residual = outcome - x @ coefficients
        past, now = residual[np.flatnonzero(follows) - 1], residual[follows]
        updated = float(np.clip(past @ now / max(float(past @ past), 1e-300), 0.0, 0.98))
        if abs(updated - rho) < 1e-8:
            break
        rho = updated
    left = changed[:, 0] - changed[:, 1:] @ coefficients
    spread = _not_below_conventional(
        covariance(changed[:, 1:], left, entity, period, 0), changed[:, 1:], left
    )
    width = design.shape[1]
    return (
        coefficients[:width],
        Covariance(spread.matrix[:width, :width], spread.kind, spread.degrees),
        left,
        rho,
    )


def _not_below_conventional(spread: Covariance, design: Array, residuals: Array) -> Covariance:
    """The larger of robust and conventional variance, coefficient by coefficient (Angrist and Pischke 2009, 8.1).

    A price that changes a few times has a few rows of high leverage, which robust variances take too little from.
    """
    rows, width = design.shape
    conventional = (
        np.diag(np.linalg.pinv(design.T @ design)) * float(residuals @ residuals) / max(rows - width, 1)
    )
    robust = np.maximum(np.diag(spread.matrix), 1e-300)
    stretch = np.sqrt(np.maximum(conventional / robust, 1.0))
    return Covariance(spread.matrix * np.outer(stretch, stretch), spread.kind, spread.degrees)


def poisson(
    design: Array,
    units: Array,
    entity: npt.NDArray[np.int64],
    effects: list[npt.NDArray[np.int64]],
    period: npt.NDArray[np.int64] | None,
) -> tuple[Array, Covariance]:
    """Iteratively reweighted least squares with absorbed effects.

    Entities that never sold say nothing about price (their effect is minus infinity) and get no weight.
    """
    alive = np.bincount(entity, weights=units)[entity] > 0
    mean: Array = np.where(units > 0, units, 0.5)
    coefficients: Array = np.zeros(design.shape[1])
    for _ in range(200):
        log_mean = np.log(mean)
        weight = np.where(alive, mean, 1e-12)
        working = log_mean + (units - mean) / mean
        x = within(design, effects, weight)
        z = within(working[:, None], effects, weight)[:, 0]
        root = np.sqrt(weight)
        updated = np.linalg.lstsq(x * root[:, None], z * root, rcond=None)[0]
        residual = z - x @ updated
        mean = np.clip(np.exp(np.clip(working - residual, -20, 25)), 1e-8, None)
        moved = float(np.abs(updated - coefficients).max())
        coefficients = updated
        if moved < 1e-9:
            break
    else:
        raise Refusal("the Poisson model did not converge")
    weight = np.where(alive, mean, 1e-12)
    x = within(design, effects, weight)
    absorbed = sum(int(e.max()) + 1 for e in effects)
    return coefficients, covariance(x, np.where(alive, units - mean, 0.0), entity, period, absorbed, weight)


def diagnose(
    residual: Array, entity: npt.NDArray[np.int64], period: npt.NDArray[np.int64] | None
) -> dict[str, Any]:
    """Durbin-Watson within entities and the residuals' spread in logs."""
    found: dict[str, Any] = {"residual_sd_log": float(residual.std())}
    if period is not None:
        step = np.diff(residual)[np.diff(entity) == 0]
        found["durbin_watson"] = float((step**2).sum() / max(float((residual**2).sum()), 1e-300))
    return found
