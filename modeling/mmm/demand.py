"""Demand that spend chases: control terms that separate a channel's effect from the demand it follows.

A channel whose budget follows unseen demand (search, retargeting, retail media) carries that demand in the
slow part of its spend. Its effect is identified by the fast part. Each channel therefore gets one more unknown:
a smooth of its own (log) exposure, entering sales directly, with a spike-and-slab prior so that it counts only
where the fast and the slow part of the exposure disagree. This is Mundlak's (1978) device and the idea of the
Hausman test, averaged over instead of tested.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from modeling.mmm.baseline import standardise
from modeling.mmm.panel import Panel
from modeling.mmm.transforms import Adstock, Array, adstock_series

_SPANS = (2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class DemandTerm:
    """basis (R, G, T) in KPI per size (unit spread x KPI level), coefs (R, R) identity, log_prior (R,)."""

    basis: Array
    coefs: Array
    log_prior: Array


def demand_term(panel: Panel, channel: int, *, declared: bool = False) -> DemandTerm:
    """Smooths of the channel's exposure, in logs and in levels, at spans from two to sixteen weeks.

    A channel that is `declared` to chase demand may follow it within the week: its unsmoothed exposure counts too.
    """
    own = np.abs(panel.outcome).mean(axis=1, keepdims=True)
    x = panel.exposure[channel] / panel.size[:, None]
    mean = float(x.mean()) or 1.0
    columns = []
    for series in (np.log1p(x / mean), x / mean):
        for span in (0.0, *_SPANS) if declared else _SPANS:
            width = span * panel.periods_per_week
            smooth = gaussian_filter1d(series, width, axis=1, mode="nearest") if width > 0 else series
            columns.append(standardise(smooth) * own)
    n = len(columns)
    return DemandTerm(np.stack(columns), np.eye(n), np.full(n, -np.log(n)))


_DECLARED_SPANS = (0.0, 3.0, 10.0)


def demand_controls(panel: Panel, channel: int, known: int | None = None) -> Array:
    """(3, G, T) log exposure of a declared chaser, raw and smoothed, centred and scaled over the first `known` periods.

    With many geographies these enter as ridge controls that are integrated out: what the channel's exposure shares
    with demand is then never read as its effect, at the price of a wider interval.
    """
    x = panel.exposure[channel] / panel.size[:, None]
    series = np.log1p(x / (float(x[:, :known].mean()) or 1.0))
    out = []
    for span in _DECLARED_SPANS:
        width = span * panel.periods_per_week
        smooth = gaussian_filter1d(series, width, axis=1, mode="nearest") if width > 0 else series
        base = smooth[:, :known]
        sd = float(base.std())
        out.append((smooth - base.mean()) / (sd if sd > 0 else 1.0))
    causes = [x for m in panel.mediators if m.name == panel.channels[channel] for x in m.channels]
    return _without_causes(panel, np.stack(out), causes)


def _without_causes(panel: Panel, columns: Array, causes: list[int]) -> Array:
    """The columns less what the channels that drive this one explain: their effect must not be controlled away."""
    if not causes:
        return columns
    explained = [np.ones(panel.kpi.shape)]
    for c in causes:
        x = panel.exposure[c] / panel.size[:, None]
        x = x / (float(x.mean()) or 1.0)
        for decay in (0.0, 0.4, 0.8):
            a = adstock_series(x, Adstock("geometric", decay).weights(min(x.shape[1], 26)))
            explained += [a, np.log1p(a)]
    design = np.stack([e.ravel() for e in explained], axis=1)
    flat = columns.reshape(len(columns), -1).T
    coef = np.linalg.lstsq(design, flat, rcond=None)[0]
    return np.asarray((flat - design @ coef).T.reshape(columns.shape))
