"""The estimator's input: one rectangular panel of geographies x periods, already checked and typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from modeling.mmm.transforms import Array


@dataclass(frozen=True)
class LiftTest:
    """One experiment: `incremental` KPI caused by `channel` in periods [first, last] of the geos, +- `std_error`.

    Periods and geos are positions in the panel. Without `spend_change` the counterfactual is the channel dark in
    that window and those geos, with its earlier carryover intact. With it, the counterfactual is the spend without
    the test's change (a holdout has a negative change and a negative effect), spread over the window and geos like
    the spend of the twelve weeks before.
    """

    channel: int
    first: int
    last: int
    geos: tuple[int, ...]
    incremental: float
    std_error: float
    label: str = ""
    spend_change: float | None = None


@dataclass(frozen=True)
class Mediator:
    """A variable caused by some channels and by itself a cause of sales; `values` (G, T)."""

    name: str
    channels: tuple[int, ...]
    values: Array


@dataclass(frozen=True)
class Panel:
    """G geographies x T periods x C channels.

    kpi (G, T) in its own unit; money_per_kpi (G, T) turns it into money; spend and exposure (C, G, T), money
    and any unit; exposure_variants maps a channel to further readings of its exposure (reach x frequency);
    controls (K, G, T); size (G,) positive, scales a geography (population, or mean KPI). `periods_per_week`
    is 1 for weekly and 7 for daily data. demand_proxies names the
    controls that read demand with error. `form`: "additive", or "multiplicative" where media, seasons and noise act in
    proportion to the outcome's level (the model is then linear in the outcome's logarithm).
    """

    dates: pd.DatetimeIndex
    geos: tuple[str, ...]
    channels: tuple[str, ...]
    kpi: Array
    spend: Array
    exposure: Array
    size: Array
    money_per_kpi: Array
    controls: Array
    control_names: tuple[str, ...] = ()
    exposure_variants: dict[int, tuple[Array, ...]] = field(default_factory=dict)
    lift_tests: tuple[LiftTest, ...] = ()
    mediators: tuple[Mediator, ...] = ()
    periods_per_week: int = 1
    size_source: str = "one"
    warnings: tuple[str, ...] = ()
    demand_proxies: tuple[str, ...] = ()
    form: str = "additive"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(G, T, C)"""
        return len(self.geos), len(self.dates), len(self.channels)

    @cached_property
    def typical(self) -> Array:
        """(G, 1) geometric mean of the KPI per size; the multiplicative form is linear around it."""
        return np.asarray(
            np.exp(np.log(self.kpi / self.size[:, None]).mean(axis=1, keepdims=True)), dtype=float
        )

    @cached_property
    def outcome(self) -> Array:
        """(G, T) what the model explains, in KPI per size.

        Multiplicative: typical x (1 + log(y / typical)), so that a change of one is one KPI unit at the typical level.
        """
        per_size = self.kpi / self.size[:, None]
        if self.form == "additive":
            return np.asarray(per_size, dtype=float)
        return np.asarray(self.typical * (1.0 + np.log(per_size / self.typical)), dtype=float)

    def from_outcome(self, outcome: Array) -> Array:
        """KPI per size of values on the model's scale; the inverse of :attr:`outcome`."""
        if self.form == "additive":
            return outcome
        return np.asarray(self.typical * np.exp(outcome / self.typical - 1.0), dtype=float)

    @cached_property
    def effect_kpi(self) -> Array:
        """(G, T) KPI per unit of effect on the model's scale: the size, and in the multiplicative form also the level."""
        size = np.broadcast_to(self.size[:, None], self.kpi.shape)
        if self.form == "additive":
            return np.asarray(size, dtype=float)
        return np.asarray(self.kpi / self.typical, dtype=float)

    @cached_property
    def effect_money(self) -> Array:
        """(G, T) money per unit of effect on the model's scale."""
        return np.asarray(self.effect_kpi * self.money_per_kpi, dtype=float)

    def total_spend(self) -> Array:
        """(C,) money over the whole window."""
        return np.asarray(self.spend.sum(axis=(1, 2)), dtype=float)
