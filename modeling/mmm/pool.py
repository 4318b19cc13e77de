"""Geographies summed: the nation, or a few parts of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modeling.mmm.panel import Panel
from modeling.mmm.transforms import Array


def pooled(panel: Panel, groups: int = 1) -> Panel:
    """The panel summed over geographies (sizes as weights of the controls): national, or `groups` parts."""
    g = panel.shape[0]
    order = np.argsort(-panel.size, kind="stable")
    part = np.empty(g, dtype=int)
    part[order] = np.arange(g) % groups
    share = panel.size / np.array([panel.size[part == k].sum() for k in range(groups)])[part]

    def summed(x: Array) -> Array:
        return np.stack([x[..., part == k, :].sum(axis=-2) for k in range(groups)], axis=-2)

    size = np.array([panel.size[part == k].sum() for k in range(groups)])
    return replace(
        panel,
        geos=tuple(f"part {k + 1}" for k in range(groups)) if groups > 1 else ("all",),
        kpi=summed(panel.kpi * panel.money_per_kpi),
        money_per_kpi=np.ones((groups, panel.shape[1])),
        spend=summed(panel.spend),
        exposure=summed(panel.exposure),
        controls=summed(panel.controls * share[:, None]),
        size=size / size.mean(),
        exposure_variants={},
        lift_tests=(),
        mediators=(),
    )
