"""Panels with planted elasticity, promotion lift, dip and interaction."""

from __future__ import annotations

import numpy as np
import pandas as pd

ELASTICITY, LIFT, INTERACTION, DIP = -1.24, 0.14, -0.2, -0.04


def panel(
    seed: int, *, entities: int = 14, periods: int = 104, common: bool = False, zeros: bool = False
) -> pd.DataFrame:
    """Units from the model itself, with AR(1) errors within entities and a random walk that moves all of them."""
    rng = np.random.default_rng(seed)
    time = np.arange(periods)
    drift, shared = np.cumsum(rng.normal(0, 0.03, periods)), np.exp(rng.normal(0, 0.1, periods))
    parts = []
    for entity in range(entities):
        regular = float(np.exp(rng.normal(2, 0.2)))
        promo = (rng.random(periods) < 0.12).astype(float)
        price = regular * (shared if common else np.exp(rng.normal(0, 0.08, periods)))
        price = price * np.where(promo > 0, np.exp(-np.abs(rng.normal(0.15, 0.05, periods))), 1)
        error, shock = np.zeros(periods), rng.normal(0, 0.12, periods)
        for t in range(1, periods):
            error[t] = 0.6 * error[t - 1] + shock[t]
        mean = (
            rng.normal(1 if zeros else 6, 0.5) + ELASTICITY * np.log(price) + LIFT * promo
            + INTERACTION * promo * np.log(price / regular) + DIP * np.r_[0, promo[:-1]]
            + drift + 0.1 * np.sin(2 * np.pi * time / 52) + error
        )  # fmt: skip
        units = rng.poisson(np.exp(mean)) if zeros else np.exp(mean)
        dates = pd.Timestamp("2024-01-07") + pd.to_timedelta(7 * time, unit="D")
        parts.append(
            pd.DataFrame({"sku": f"s{entity}", "week": dates, "units": units, "price": price, "promo": promo})
        )
    return pd.concat(parts, ignore_index=True)
