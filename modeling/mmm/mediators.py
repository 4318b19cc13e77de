"""Mediators in the mix: keep what channels cause out of the controls, so that their returns are total effects.

A mediator that enters the model as a control takes away the part of a channel's effect that runs through it. Its
own variation, though, is worth controlling for. The mediator is therefore split: what the channels' adstocked
exposure, the seasons and the trend predict (out of fold) is left to the channels, the rest becomes a control.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modeling.mmm.baseline import seasonal_columns, standardise
from modeling.mmm.panel import Mediator, Panel
from modeling.mmm.transforms import Adstock, Array, adstock_series

_DECAYS = (0.0, 0.4, 0.8)


def mediator_design(panel: Panel, mediator: Mediator) -> Array:
    """(N, P) predictors of the mediator: constant, trend, seasons, controls, the channels' adstocked exposure."""
    g, t, _ = panel.shape
    season, _ = seasonal_columns(panel, 2)
    columns = [np.ones((g, t)), np.broadcast_to(np.linspace(-1, 1, t), (g, t))]
    columns += [np.broadcast_to(s, (g, t)) for s in season]
    columns += [standardise(c) for c in panel.controls]
    for c in mediator.channels:
        x = panel.exposure[c] / panel.size[:, None]
        x = x / (float(x.mean()) or 1.0)
        for decay in _DECAYS:
            a = adstock_series(x, Adstock("geometric", decay).weights(min(t, 26 * panel.periods_per_week)))
            columns += [a, np.log1p(a)]
    return np.stack([np.asarray(c).ravel() for c in columns], axis=1)


def out_of_fold(design: Array, target: Array, block: NDArray[np.int_], ridge: float = 1.0) -> Array:
    """Ridge predictions of target (N,) for each block of rows from all others; the first column is the constant."""
    predicted = np.empty_like(target)
    centre, scale = design.mean(axis=0), design.std(axis=0)
    z = (design - centre) / np.where(scale > 0, scale, 1.0)
    z[:, 0] = 1.0
    penalty = np.full(z.shape[1], ridge)
    penalty[0] = 0.0
    for b in np.unique(block):
        test = block == b
        a = z[~test]
        coef = np.linalg.solve(a.T @ a + np.diag(penalty), a.T @ target[~test])
        predicted[test] = z[test] @ coef
    return predicted


def own_part(panel: Panel, mediator: Mediator, folds: int = 5) -> Array:
    """(G, T) of the mediator that neither the channels nor season and trend predict, out of fold (time blocks)."""
    g, t, _ = panel.shape
    values = mediator.values / panel.size[:, None]
    design = mediator_design(panel, mediator)
    block = np.tile(np.arange(t) * folds // t, g)
    return values - out_of_fold(design, values.ravel(), block).reshape(g, t)


def with_mediators(panel: Panel) -> Panel:
    """The panel with each mediator's own part as one more control of the mediator's name."""
    apart = [m for m in panel.mediators if m.name not in panel.channels]
    if not apart:
        return panel
    extra = np.stack([own_part(panel, m) for m in apart])
    return replace(
        panel,
        controls=np.concatenate([panel.controls, extra]),
        control_names=(*panel.control_names, *(m.name for m in apart)),
    )
