"""Small panels with known truth for the mix model's tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from modeling.mmm.panel import Panel


def carryover(x: np.ndarray, decay: float, length: int = 13) -> np.ndarray:
    """Normalised geometric adstock along the last axis, written independently of the package."""
    weights = decay ** np.arange(length)
    weights = weights / weights.sum()
    out = np.zeros_like(x)
    for lag, w in enumerate(weights):
        out[..., lag:] += w * x[..., : x.shape[-1] - lag]
    return out


def simple_world(
    seed: int = 0,
    geos: int = 1,
    periods: int = 120,
    channels: int = 3,
    noise: float = 0.02,
    zero: bool = True,
) -> tuple[Panel, np.ndarray]:
    """A panel and each channel's true return; the last channel does nothing when `zero`."""
    rng = np.random.default_rng(seed)
    t = np.arange(periods)
    size = np.exp(rng.normal(0, 0.4, geos)) if geos > 1 else np.ones(1)
    base = 1000.0 * (1 + 0.1 * np.sin(2 * np.pi * t / 52.18) + 0.05 * t / periods)
    walk = np.cumsum(rng.normal(0, 3.0, periods))
    kpi = (base + walk)[None] * size[:, None]
    spend = np.zeros((channels, geos, periods))
    truth = np.zeros(channels)
    for c in range(channels):
        x = np.exp(rng.normal(0, 0.8, (geos, periods))) * size[:, None]
        effect = carryover(x / size[:, None], 0.3 + 0.15 * c)
        effect = effect / (effect + 1.5) * size[:, None]
        spend[c] = x * 40.0
        if zero and c == channels - 1:
            continue
        effect = effect * 250.0
        truth[c] = effect.sum() / spend[c].sum()
        kpi = kpi + effect
    price = rng.normal(0, 1, (geos, periods))
    kpi = kpi - 20 * price * size[:, None]
    kpi = kpi + rng.normal(0, noise * 1000, (geos, periods)) * size[:, None]
    panel = Panel(
        dates=pd.date_range("2023-01-01", periods=periods, freq="7D"),
        geos=tuple(f"g{i:02d}" for i in range(geos)),
        channels=tuple(f"c{i}" for i in range(channels)),
        kpi=kpi,
        spend=spend,
        exposure=spend,
        size=size,
        money_per_kpi=np.ones((geos, periods)),
        controls=price[None],
        control_names=("price",),
    )
    return panel, truth


def as_table(panel: Panel) -> tuple[pd.DataFrame, dict[str, object]]:
    """The panel as the command's data file and spec."""
    g, t, _ = panel.shape
    rows: dict[str, object] = {"week": np.tile(panel.dates.strftime("%Y-%m-%d"), g)}
    if g > 1:
        rows["geo"] = np.repeat(panel.geos, t)
        rows["population"] = np.repeat(panel.size * 1e5, t)
    rows["revenue"] = panel.kpi.ravel()
    for c, name in enumerate(panel.channels):
        rows[f"{name}_spend"] = panel.spend[c].ravel()
    for k, name in enumerate(panel.control_names):
        rows[name] = panel.controls[k].ravel()
    spec: dict[str, object] = {
        "date": "week",
        "kpi": "revenue",
        "channels": [{"name": n, "spend": f"{n}_spend"} for n in panel.channels],
        "controls": list(panel.control_names),
    }
    if g > 1:
        spec |= {"geo": "geo", "population": "population"}
    return pd.DataFrame(rows), spec


Lost = Callable[[int, slice], np.ndarray]


def level_world(seed: int, form: str, periods: int = 156) -> tuple[Panel, np.ndarray, Lost]:
    """A national panel that grows and swings with the season, in either form: panel, returns, and what is lost (T,)
    if a channel is dark in a window.

    Multiplicative: each of two channels multiplies sales, as do season, growth, price and noise.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(periods)
    level = 0.6 * t / periods + 0.35 * np.sin(2 * np.pi * t / 52.18)
    price, noise = rng.normal(0, 1, periods), rng.normal(0, 0.015, periods)
    x = np.exp(rng.normal(0, 0.8, (2, periods))) * (rng.random((2, periods)) > 0.15)
    spend = 60.0 * x[:, None]

    def pressure(c: int, given: np.ndarray) -> np.ndarray:
        pressed = carryover(given, 0.3 + 0.2 * c)
        return (0.25 + 0.1 * c) * pressed / (pressed + 1.2)

    share = np.stack([pressure(c, x[c]) for c in range(2)])
    if form == "multiplicative":
        clean = 1000 * np.exp(level + share.sum(axis=0) - 0.03 * price)
        kpi = clean * np.exp(noise)
    else:
        clean = 1000 * (1 + level - 0.03 * price) + 1500 * share.sum(axis=0)
        kpi = clean + 1500 * noise

    def lost(c: int, window: slice) -> np.ndarray:
        dark = x[c].copy()
        dark[window] = 0.0
        gone = share[c] - pressure(c, dark)
        return np.asarray(-clean * np.expm1(-gone) if form == "multiplicative" else 1500 * gone)

    one = np.ones((1, periods))
    panel = Panel(
        dates=pd.date_range("2022-01-02", periods=periods, freq="7D"),
        geos=("all",),
        channels=("c0", "c1"),
        kpi=kpi[None],
        spend=spend,
        exposure=spend,
        size=np.ones(1),
        money_per_kpi=one,
        controls=price[None, None],
        control_names=("price",),
    )
    truth = np.array([lost(c, slice(None)).sum() for c in range(2)]) / spend.sum(axis=(1, 2))
    return panel, truth, lost
