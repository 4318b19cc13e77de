"""Covariance of least-squares coefficients when errors are tied together in time, within entities, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
#: Fewer clusters than this, and their number is too small for clustering by entity to be trusted.
FEW_ENTITIES = 10
#: Fewer periods than this, and a bandwidth cannot be estimated.
FEW_PERIODS = 20


@dataclass(frozen=True)
class Covariance:
    """Covariance matrix, the kind it is of, and the degrees of freedom for its t quantile."""

    matrix: Array
    kind: str
    degrees: float


def _bandwidth(scores: Array) -> int:
    """Lag length of the Bartlett kernel by Andrews' (1991) AR(1) plug-in, the largest over the scores' columns.

    Args:
        scores: (periods, coefficients), in time order.
    """
    periods = len(scores)
    longest = 1.0
    for column in scores.T:
        past, now = column[:-1], column[1:]
        rho = float(np.clip(past @ now / max(past @ past, 1e-300), -0.97, 0.97))
        alpha = 4 * rho**2 / ((1 - rho) ** 2 * (1 + rho) ** 2)
        longest = max(longest, 1.1447 * (alpha * periods) ** (1 / 3))
    return int(min(np.ceil(longest), periods // 3))


def _kernel_sum(scores: Array) -> Array:
    """Newey and West (1987): Bartlett-weighted sum of the scores' autocovariances."""
    lags = _bandwidth(scores)
    total = scores.T @ scores
    for lag in range(1, lags + 1):
        product = scores[lag:].T @ scores[:-lag]
        total = total + (1 - lag / (lags + 1)) * (product + product.T)
    return total


def _by(labels: npt.NDArray[np.int64], scores: Array) -> Array:
    """Sums of scores by label: (labels, coefficients)."""
    total = np.zeros((int(labels.max()) + 1, scores.shape[1]))
    np.add.at(total, labels, scores)
    return total


def _positive(matrix: Array) -> Array:
    """Nearest positive semi-definite matrix: a two-way difference can lose definiteness in small samples."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    nearest: Array = (vectors * np.clip(values, 0, None)) @ vectors.T
    return nearest


def covariance(
    design: Array,
    residuals: Array,
    entity: npt.NDArray[np.int64],
    period: npt.NDArray[np.int64] | None,
    absorbed: int,
    weights: Array | None = None,
) -> Covariance:
    """Sandwich covariance suited to the panel's shape.

    Ten or more entities: clustered by entity, and by period too where there are 20 or more (Cameron, Gelbach and
    Miller 2011). Fewer: Driscoll and Kraay (1998), the scores summed over entities and Newey-West in time; one entity
    is Newey-West itself. Without periods: heteroscedasticity-robust (HC1), or clustered by entity.

    Args:
        design: (rows, coefficients) after absorbing the fixed effects.
        residuals: (rows,).
        entity, period: integer labels from 0, periods in time order; no periods where the panel has no dates.
        absorbed: parameters spent on fixed effects.
        weights: (rows,) working weights of a generalised linear model; 1 when omitted.
    """
    rows, width = design.shape
    weighted = design if weights is None else design * weights[:, None]
    bread = np.linalg.pinv(design.T @ weighted)
    scores: Array = design * residuals[:, None]
    meat: Array
    entities = int(entity.max()) + 1
    periods = 0 if period is None else int(period.max()) + 1
    spent = rows / max(rows - width - absorbed, 1)
    if entities >= FEW_ENTITIES:
        clustered = _by(entity, scores)
        meat = clustered.T @ clustered * entities / (entities - 1)
        degrees, kind = float(entities - 1), f"clustered by entity ({entities})"
        if period is not None and periods >= FEW_PERIODS:
            meat = _positive(meat + _kernel_sum(_by(period, scores)) - scores.T @ scores)
            degrees, kind = (
                float(min(entities, periods) - 1),
                f"clustered by entity ({entities}) and period ({periods})",
            )
    elif period is not None and periods >= FEW_PERIODS:
        meat = _kernel_sum(_by(period, scores)) * periods / max(periods - width, 1)
        degrees = float(max(periods - width - 1, 1))
        kind = "HAC (Newey-West)" if entities == 1 else f"Driscoll-Kraay HAC over {entities} entities"
    else:
        meat = scores.T @ scores
        degrees, kind = float(max(rows - width - absorbed, 1)), "heteroscedasticity-robust (HC1)"
    return Covariance(bread @ meat @ bread * spent, kind, degrees)
