"""Small and intermittent sales: a smoothed level in units times a seasonal factor, with no logarithm."""

from __future__ import annotations

import numpy as np

from modeling.forecast.candidates.smoothing import profile
from modeling.forecast.panel import Array
from modeling.forecast.prepare import View

RATES = (0.01, 0.03, 0.08, 0.2)


def level_factor(view: View) -> Array:
    """Ratio of smoothed sales to smoothed expected factors (as Syntetos-Boylan-Teunter, every period counted).

    The factor is the exponential of the regression's season, event and regressor effects; the level is
    sum(decay * y) / sum(decay * factor), which is unbiased for sparse counts. The rate is chosen per series by
    its one-step absolute error scaled, together with the pool's.
    """
    length = view.panel.length
    effect = np.clip(view.planned + profile(view) + view.weekly, -3.0, 3.0)
    factor = np.exp(effect)
    factor /= factor[:, :length].mean(axis=1, keepdims=True)
    y = np.where(view.use, np.maximum(np.nan_to_num(view.panel.y), 0.0), 0.0)
    seen = np.where(view.use, factor[:, :length], 0.0)
    rates = np.array(RATES) * (1.0 if view.panel.freq == "D" else 2.5)
    top = np.repeat((0.2 * view.level)[:, None], len(rates), axis=1)
    low = np.full_like(top, 0.2)
    loss = np.zeros_like(top)
    decay = 0.5 ** (3.0 / length)
    for t in range(length):
        on = view.use[:, t, None]
        guess = top / low * seen[:, t, None]
        loss = loss * decay + np.where(on, (y[:, t, None] - guess) ** 2, 0.0)
        top = np.where(on, top * (1 - rates) + rates * y[:, t, None], top)
        low = np.where(on, low * (1 - rates) + rates * seen[:, t, None], low)
    relative = loss / np.maximum(loss.min(axis=1, keepdims=True), 1e-12)
    mixed = 0.5 * relative + 0.5 * relative.mean(axis=0, keepdims=True)
    weight = np.exp(-20.0 * (mixed - mixed.min(axis=1, keepdims=True)))
    weight /= weight.sum(axis=1, keepdims=True)
    level = (weight * top / low).sum(axis=1)
    return np.asarray(level[:, None] * factor[:, length:])
