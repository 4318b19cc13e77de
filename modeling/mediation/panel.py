"""Mediation on a mix model's panel: every mediator that the spec declares, through every channel it names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from modeling.errors import Refusal
from modeling.mediation.estimator import Array, averaged, mediate
from modeling.mmm.baseline import seasonal_columns
from modeling.mmm.panel import Panel
from modeling.mmm.transforms import Adstock, adstock_series

_DECAYS = (0.2, 0.6)
COLUMNS = (
    "mediator",
    "channel",
    "direct_effect",
    "direct_p05",
    "direct_p95",
    "indirect_effect",
    "indirect_p05",
    "indirect_p95",
    "share_mediated",
    "share_p05",
    "share_p95",
    "robustness_value",
    "verdict",
)


def _pressure(panel: Panel, channel: int, decay: float) -> Array:
    """(G, T) log of adstocked exposure per size, zero without exposure."""
    x = panel.exposure[channel] / panel.size[:, None]
    x = x / (float(x.mean()) or 1.0)
    kernel = Adstock("geometric", decay ** (1.0 / panel.periods_per_week)).weights(
        min(x.shape[1], 13 * panel.periods_per_week)
    )
    return np.log1p(adstock_series(x, kernel))


def mediation_table(panel: Panel, *, seed: int, draws: int = 150) -> tuple[pd.DataFrame, list[str]]:
    """One row per mediator and channel, in money over the window, and warnings for what could not be seen.

    Forms (carryover, mediator in logs or as it is) are averaged over. Controls named in `panel.demand_proxies` are
    taken as readings of demand that carry error.
    """
    g, t, _ = panel.shape
    rows: list[dict[str, object]] = []
    warnings: list[str] = []
    money = panel.kpi * panel.money_per_kpi / panel.size[:, None]
    season, _ = seasonal_columns(panel, 2)
    shared = [
        np.broadcast_to(np.linspace(-1.0, 1.0, t), (g, t)),
        *(np.broadcast_to(s, (g, t)) for s in season),
    ]
    plain = [
        c for c, n in zip(panel.controls, panel.control_names, strict=True) if n not in panel.demand_proxies
    ]
    proxies = [
        c for c, n in zip(panel.controls, panel.control_names, strict=True) if n in panel.demand_proxies
    ]
    for mediator in panel.mediators:
        values = mediator.values / panel.size[:, None]
        forms = [values, np.log1p(values / (float(values.mean()) or 1.0))] if values.min() >= 0 else [values]
        for cause in mediator.channels:
            readings, scales = [], []
            try:
                for decay in _DECAYS:
                    x = _pressure(panel, cause, decay)
                    others = [
                        _pressure(panel, c, decay)
                        for c in range(panel.shape[2])
                        if c != cause and panel.channels[c] != mediator.name
                    ]
                    controls = np.stack([*plain, *others, *shared])
                    scales.append(float((x * panel.size[:, None]).sum() / max(float(x.sum()), 1e-300)))
                    for m in forms:
                        demand = np.stack(proxies) if proxies else None
                        readings.append(
                            mediate(x, m, money, controls, seed=seed, proxies=demand, draws=draws)
                        )
            except Refusal as refusal:
                warnings.append(f"mediation {panel.channels[cause]} through {mediator.name}: {refusal}")
                continue
            found, scale = averaged(readings), float(np.mean(scales))
            row: dict[str, object] = {"mediator": mediator.name, "channel": panel.channels[cause]}
            for name, effect in (("direct", found.direct), ("indirect", found.indirect)):
                row |= {
                    f"{name}_effect": effect.value * scale,
                    f"{name}_p05": effect.low * scale,
                    f"{name}_p95": effect.high * scale,
                }
            row |= {
                "share_mediated": found.share.value,
                "share_p05": found.share.low,
                "share_p95": found.share.high,
                "robustness_value": found.robustness,
                "verdict": found.verdict,
            }
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS)), warnings
