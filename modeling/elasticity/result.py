"""What a demand fit found, and how its coefficients become statements about price and promotion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from modeling.elasticity.covariance import Array, Covariance

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def rounded(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high


@dataclass(frozen=True)
class ElasticityResult:
    """What a fit found; ``None`` where the panel cannot identify it, with the reason in ``notes``."""

    elasticity: Estimate
    promo_lift_pct: Estimate | None
    promo_lift_net_pct: Estimate | None
    interaction: Estimate | None
    std_error_kind: str
    method: str
    observations: int
    entities: int
    periods: int
    first_stage_f: float | None = None
    notes: tuple[str, ...] = ()
    diagnostics: dict[str, Any] = field(default_factory=dict)


def net_lift(names: list[str], coefficients: Array, depth: float) -> float:
    """Promotion lift (percent) less what was only bought ahead.

    What goes missing afterwards is compared with what was sold extra at the promotions' own mean depth, where both
    are seen, and that share is taken off the lift. Without depths in the model the dips themselves are.
    """
    value = dict(zip(names, coefficients.tolist(), strict=True))
    lags = [n.removeprefix("promo ") for n in names if n.startswith("promo lag")]
    dip = sum(float(np.expm1(value[f"promo {n}"] + depth * value.get(f"depth {n}", 0.0))) for n in lags)
    lift = float(np.expm1(value["promo"]))
    extra = float(np.expm1(value["promo"] + depth * (value["price"] + value.get("interaction", 0.0))))
    if "interaction" not in value or extra < 0.02 or lift <= 0:
        return 100 * (lift + dip)
    return 100 * lift * (1 + dip / extra)


def as_result(
    names: list[str],
    coefficients: Array,
    spread: Covariance,
    method: str,
    rows: int,
    entities: int,
    periods: int,
    first_stage: float | None,
    notes: tuple[str, ...],
    diagnostics: dict[str, Any],
    depth: float = 0.0,
) -> ElasticityResult:
    """Estimates from coefficients by name and their covariance; `depth` is the mean log price cut of promotions."""
    quantile = float(stats.t.ppf(0.5 + LEVEL / 2, spread.degrees))

    def of(name: str) -> Estimate:
        j = names.index(name)
        half = quantile * float(np.sqrt(max(spread.matrix[j, j], 0.0)))
        return Estimate(float(coefficients[j]), float(coefficients[j] - half), float(coefficients[j] + half))

    gross = net = None
    if "promo" in names:
        gross = Estimate(*(100 * float(np.expm1(v)) for v in of("promo").rounded()))
        if any(n.startswith("promo lag") for n in names):
            value = net_lift(names, coefficients, depth)
            step = np.sqrt(np.maximum(np.diag(spread.matrix), 1e-16)) * 1e-3
            gradient = (
                np.array(
                    [
                        (net_lift(names, coefficients + h, depth) - net_lift(names, coefficients - h, depth))
                        / 2
                        for h in np.diag(step)
                    ]
                )
                / step
            )
            half = quantile * float(np.sqrt(max(float(gradient @ spread.matrix @ gradient), 0.0)))
            net = Estimate(value, value - half, value + half)
    return ElasticityResult(
        of("price"),
        gross,
        net,
        of("interaction") if "interaction" in names else None,
        spread.kind,
        method,
        rows,
        entities,
        periods,
        first_stage,
        notes,
        diagnostics,
    )
