"""What all candidates share at one origin: the working scale, the calendar and the regressors' effects.

Working scale of a series: ``g = log(y / m + d)`` with ``m`` its level and ``d`` small where sales are many and
large where they are few, so that the scale runs from logarithmic to nearly linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from modeling.forecast import calendars
from modeling.forecast.linear import Design, Fit, fit_design
from modeling.forecast.panel import SEASON, YEAR, Array, Mask, Panel

#: Share of a year that must be seen before yearly waves are fitted.
YEAR_SEEN = 1.2


@dataclass
class Memory:
    """Estimates that are kept across origins.

    Attributes:
        models: periods known at the fit -> fitted trees.
        starts: model and series -> parameters of an earlier origin to start a search from.
        stride: how many periods old boosted trees may be when they are used again.
    """

    models: dict[int, Any] = field(default_factory=dict)
    starts: dict[str, Array] = field(default_factory=dict)
    stride: int = 0


@dataclass
class View:
    """One origin: the panel up to it, and derived arrays that candidates read.

    Attributes:
        panel: history (S, T) and regressors (S, T + H).
        country: whose public holidays count.
        memory: per-run store for estimates that are kept across origins.
    """

    panel: Panel
    country: str = "US"
    seed: int = 0
    memory: Memory = field(default_factory=lambda: Memory())

    @property
    def season(self) -> int:
        return SEASON[self.panel.freq]

    @property
    def year(self) -> int:
        return YEAR[self.panel.freq]

    @cached_property
    def use(self) -> Mask:
        """(S, T) observations to learn from; isolated zeros of a busy series are closures, not demand."""
        usable = self.panel.usable
        zero = usable & (self.panel.y == 0)
        share = zero.sum(axis=1) / np.maximum(usable.sum(axis=1), 1)
        isolated = zero & ((share < 0.03) & (self.level > 5 * self._integer))[:, None]
        return np.asarray(usable & ~isolated)

    @cached_property
    def _integer(self) -> Array:
        y = np.nan_to_num(self.panel.y)
        return np.where((y == np.round(y)).all(axis=1), 1.0, 0.0)

    @cached_property
    def level(self) -> Array:
        """(S,) mean of the last year's usable observations, above zero."""
        usable = self.panel.usable.copy()
        recent = usable.copy()
        recent[:, : max(0, self.panel.length - self.year)] = False
        enough = recent.sum(axis=1) >= 8
        use = np.where(enough[:, None], recent, usable)
        y = np.where(use, np.maximum(np.nan_to_num(self.panel.y), 0.0), 0.0)
        mean = y.sum(axis=1) / np.maximum(use.sum(axis=1), 1)
        positive = mean[mean > 0]
        return np.asarray(np.maximum(mean, 1e-3 * (positive.mean() if positive.size else 1.0)))

    @cached_property
    def offset(self) -> Array:
        """(S,) the ``d`` of the working scale."""
        usable = self.panel.usable
        zeros = (usable & (self.panel.y <= 0)).sum(axis=1) / np.maximum(usable.sum(axis=1), 1)
        counts = np.where(self._integer > 0, 1.0 / self.level, 0.0)
        return np.clip(np.maximum(counts, np.where(zeros > 0.03, 0.1 + 2.0 * zeros, 0.0)), 0.01, 2.0)

    @cached_property
    def g(self) -> Array:
        """(S, T) observations on the working scale, 0-filled where not usable."""
        y = np.maximum(np.nan_to_num(self.panel.y), 0.0)
        g = np.log(y / self.level[:, None] + self.offset[:, None])
        if (self.offset < 0.05).any():  # a lone near-zero must not dominate a logarithm
            floor = np.log(0.03)
            g = np.maximum(g, floor)
        return np.where(self.use, g, 0.0)

    def back(self, g: Array) -> Array:
        """From the working scale (S, ...) to units; never below zero."""
        shape = (-1,) + (1,) * (g.ndim - 1)
        bounded = np.clip(g, -12.0, np.log(30.0))
        return np.maximum(np.exp(bounded) - self.offset.reshape(shape), 0.0) * self.level.reshape(shape)

    @cached_property
    def yearly(self) -> bool:
        return bool(self.panel.length >= YEAR_SEEN * self.year)

    @cached_property
    def design(self) -> Design:
        """Common and series-wise regressors over T + H with their groups."""
        panel = self.panel
        total, length = len(panel.dates), panel.length
        blocks: list[tuple[str, Array]] = [("level", np.ones((total, 1)))]
        time = (np.arange(total) - length + 1.0) / self.year
        blocks.append(("slope", time[:, None]))
        knots: Array = (
            np.arange(-max(1, round(2 * length / self.year)) / 2 + 0.5, -0.2, 0.5)
            if length > self.year / 2
            else np.zeros(0)
        )
        if len(knots):
            hinges = np.stack([np.maximum(time - k, 0.0) for k in knots], axis=1)
            blocks.append(("bend", hinges))
        if self.yearly:
            blocks.append(("year", calendars.fourier(panel.dates, calendars.WAVES[panel.freq])))
        if panel.freq == "D":
            blocks.append(("week", calendars.weekdays(panel.dates)))
            blocks.append(("payday", calendars.paydays(panel.dates)))
        events, _ = calendars.event_matrix(panel.dates, length, self.country, panel.freq)
        if events.shape[1] and length >= 0.9 * self.year:
            blocks.append(("event", events))
        return Design.build(blocks, self.exog)

    @cached_property
    def exog(self) -> Array:
        """(S, T + H, K) regressors, centred per series where they are not flags, and of unit spread."""
        panel = self.panel
        raw, length = panel.exog, panel.length
        kept: list[Array] = []
        for k in range(raw.shape[2]):
            x = raw[:, :, k]
            past = x[:, :length]
            if np.ptp(past) == 0:
                continue
            if np.isin(np.unique(past), (0.0, 1.0)).all():
                kept.append(x.copy())
                continue
            if past.min() > 0:
                x = np.log(np.maximum(x, past.min() / 10))
            elif past.min() == 0 and (past == 0).mean() > 0.2:
                x = np.log1p(np.maximum(x, 0.0) / past[past > 0].mean())
            past = x[:, :length]
            centre = past.mean(axis=1, keepdims=True)
            spread = float(np.sqrt(((past - centre) ** 2).mean()))
            if spread <= 1e-12:
                continue
            low, high = past.min(), past.max()
            room = 0.25 * (high - low)
            kept.append((np.clip(x, low - room, high + room) - centre) / spread)
        if not kept:
            return np.zeros((len(raw), raw.shape[1], 0))
        return np.stack(kept, axis=2)

    @cached_property
    def fits(self) -> tuple[Fit, Fit]:
        """The harmonic regression with autoregressive errors: drawn towards the pool, and pooled."""
        return fit_design(self.design, self.g, self.use, self.season)

    @property
    def fit(self) -> Fit:
        """The regression whose effects several candidates read."""
        return self.fits[0]

    @cached_property
    def planned(self) -> Array:
        """(S, T + H) effect of regressors and events on the working scale."""
        return self.fit.effect(self.design, ("exog", "event"))

    @cached_property
    def wave(self) -> Array:
        """(S, T + H) yearly effect on the working scale."""
        return self.fit.effect(self.design, ("year",))

    @cached_property
    def weekly(self) -> Array:
        """(S, T + H) weekday and payday effect on the working scale."""
        return self.fit.effect(self.design, ("week", "payday"))
