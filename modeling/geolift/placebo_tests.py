"""A/A tests: the analysis on history in which nothing was tested. It should cry wolf at its stated rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from modeling.errors import Refusal
from modeling.geolift.analysis import Options, analyse
from modeling.geolift.panel import Panel


@dataclass(frozen=True)
class PlaceboRate:
    """Outcome of many A/A tests: how many came out significant, with a Clopper-Pearson 95 % interval."""

    tests: int
    significant: int
    low: float
    high: float
    mean_abs_lift: float
    first: str
    last: str

    @property
    def rate(self) -> float:
        """Share of tests that found something."""
        return self.significant / self.tests


def placebo_rate(
    panel: Panel,
    duration: int,
    *,
    tests: int = 500,
    method: str = "did_log",
    donors: int = 12,
    treated: Sequence[int] = (1, 2, 4),
    min_history: int = 40,
    busy: Sequence[tuple[str, str, str]] = (),
    seed: int = 0,
) -> PlaceboRate:
    """Draw windows, treated sets and donors at random from the history and test each.

    Args:
        duration: periods of a test.
        donors, treated: donors per test, and sizes of the treated set to draw from.
        min_history: periods before the earliest window.
        busy: (geography, first, last period) of real tests: a geography is not drawn into a window that it
            overlaps with.
        seed: of the draws.

    Raises:
        Refusal: not enough history or geographies.
    """
    count = len(panel.periods)
    starts = np.arange(min_history, count - duration + 1)
    if not len(starts) or len(panel.geos) < donors + max(treated):
        raise Refusal(
            f"{count} periods of {len(panel.geos)} geographies are too few for A/A tests of {duration}"
        )
    rng = np.random.default_rng(seed)
    found, sizes = 0, []
    for _ in range(tests):
        begin = int(rng.choice(starts))
        first, last = panel.periods[begin], panel.periods[begin + duration - 1]
        taken = {geo for geo, low, high in busy if low <= last and high >= first}
        free = [g for g in panel.geos if g not in taken]
        size = int(rng.choice(list(treated)))
        if len(free) < donors + size:
            free = list(panel.geos)
        drawn = [free[i] for i in rng.choice(len(free), size=donors + size, replace=False)]
        at = [panel.geos.index(g) for g in drawn]
        part = Panel(
            panel.periods[: begin + duration],
            drawn,
            panel.values[: begin + duration, at],
            covariates={name: x[: begin + duration, at] for name, x in panel.covariates.items()},
        )
        result = analyse(part, drawn[:size], first, last, Options(method=method))
        found += int(result.p_value < 0.05)
        sizes.append(abs(result.lift or 0.0))
    low = float(stats.beta.ppf(0.025, found, tests - found + 1)) if found else 0.0
    high = float(stats.beta.ppf(0.975, found + 1, tests - found)) if found < tests else 1.0
    earliest, latest = panel.periods[int(starts[0])], panel.periods[-1]
    return PlaceboRate(tests, found, low, high, float(np.mean(sizes)), earliest, latest)
