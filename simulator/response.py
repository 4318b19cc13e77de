"""Carryover and saturation, the two transformations between money and sales."""

from __future__ import annotations

import numpy as np

from simulator.config import Channel

KERNEL_WEEKS = 14


def kernel(channel: Channel) -> np.ndarray:
    """Weights of the present and the 13 weeks before it, summing to one.

    Geometric: ``decay**lag``. Delayed: ``decay**((lag-peak)**2)``. Source: Jin, Wang, Sun, Chan and Koehler (2017),
    "Bayesian methods for media mix modeling with carryover and shape effects", equations 2 and 3.
    """
    lag = np.arange(KERNEL_WEEKS, dtype=float)
    power = (lag - channel.peak) ** 2 if channel.kind == "delayed" else lag
    weights = channel.decay**power
    return np.asarray(weights / weights.sum())


def carryover(spend: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Carry spend over the last axis; nothing was spent before the first week. Shape (..., T) to (..., T)."""
    out = np.zeros_like(spend, dtype=float)
    for lag, weight in enumerate(weights):
        if lag >= spend.shape[-1]:
            break
        out[..., lag:] += weight * spend[..., : spend.shape[-1] - lag]
    return out


def saturate(pressure: np.ndarray, channel: Channel) -> np.ndarray:
    """Hill curve of carried-over pressure relative to its launch mean: 0 at 0, towards 1."""
    powered = np.maximum(pressure, 0.0) ** channel.hill
    return np.asarray(powered / (powered + channel.half**channel.hill))
