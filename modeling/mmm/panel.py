"""The estimator's input: one rectangular panel of geographies x periods, already checked and typed."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    controls that read demand with error.
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

    @property
    def shape(self) -> tuple[int, int, int]:
        """(G, T, C)"""
        return len(self.geos), len(self.dates), len(self.channels)

    def total_spend(self) -> Array:
        """(C,) money over the whole window."""
        return np.asarray(self.spend.sum(axis=(1, 2)), dtype=float)
