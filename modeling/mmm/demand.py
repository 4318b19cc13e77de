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
from modeling.mmm.transforms import Array

_SPANS = (2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class DemandTerm:
    """basis (R, G, T) in KPI per size (unit spread x KPI level), coefs (R, R) identity, log_prior (R,)."""

    basis: Array
    coefs: Array
    log_prior: Array


def demand_term(panel: Panel, channel: int) -> DemandTerm:
    """Smooths of the channel's exposure, in logs and in levels, at spans from two to sixteen weeks."""
    level = float(np.abs(panel.kpi / panel.size[:, None]).mean()) or 1.0
    x = panel.exposure[channel] / panel.size[:, None]
    mean = float(x.mean()) or 1.0
    columns = []
    for series in (np.log1p(x / mean), x / mean):
        for span in _SPANS:
            smooth = gaussian_filter1d(series, span * panel.periods_per_week, axis=1, mode="nearest")
            columns.append(standardise(smooth) * level)
    n = len(columns)
    return DemandTerm(np.stack(columns), np.eye(n), np.full(n, -np.log(n)))
