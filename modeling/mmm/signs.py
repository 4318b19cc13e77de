"""Would the data call a channel's effect positive if the model did not insist on it?

Returns are positive by a named choice, and a posterior that is cut at zero cannot say that the data point below zero.
This check asks least squares without any sign, prior or selection: declared simple forms (linear and log exposure,
three carryovers), all channels and controls together, each geography's own level, with the season or with every
period's mean taken out, standard errors clustered by geography (Liang and Zeger 1986) or robust to
autocorrelation where there is one (Newey and West 1987).
"""

from __future__ import annotations

import numpy as np

from modeling.mmm.baseline import seasonal_columns, standardise
from modeling.mmm.panel import Panel
from modeling.mmm.transforms import Adstock, Array, adstock_series

_DECAYS = (0.0, 0.2, 0.5)
_HARMONICS = 3
#: Below this the data contradict a positive effect: one-sided, ten in a hundred for a channel that does nothing.
NEGATIVE_T = -1.2816


def free_t_values(panel: Panel) -> Array:
    """(C,) median over the declared forms of each channel's t value, NaN for a channel without exposure."""
    g, t, n = panel.shape
    y = panel.outcome
    live = [c for c in range(n) if panel.exposure[c].std() > 0]
    season = [
        np.broadcast_to(s, (g, t))
        for s in (*seasonal_columns(panel, _HARMONICS if t >= 60 * panel.periods_per_week else 0)[0],)
    ]
    trend = [np.broadcast_to(np.linspace(-1.0, 1.0, t), (g, t))]
    controls = [standardise(c) for c in panel.controls]
    found = []
    for decay in _DECAYS:
        kernel = Adstock("geometric", decay ** (1.0 / panel.periods_per_week) if decay else 0.0).weights(
            min(t, 13 * panel.periods_per_week)
        )
        pressed = [adstock_series(panel.exposure[c] / panel.size[:, None], kernel) for c in live]
        for media in (pressed, [np.log1p(x / max(float(x.mean()), 1e-300)) for x in pressed]):
            found.append(_t_values([*media, *controls, *season, *trend], y, both=False)[: len(live)])
            if g >= 10:
                found.append(_t_values([*media, *controls], y, both=True)[: len(live)])
    out = np.full(n, np.nan)
    out[live] = np.median(found, axis=0)
    return out


def _t_values(columns: list[Array], target: Array, *, both: bool) -> Array:
    """t values of least squares within geographies, or within geographies and periods (`both`)."""
    g, t = target.shape

    def within(v: Array) -> Array:
        v = v - v.mean(axis=1, keepdims=True)
        return v - v.mean(axis=0, keepdims=True) if both else v

    x = np.stack([within(c).ravel() for c in columns], axis=1)
    sd = x.std(axis=0)
    x = x / np.where(sd > 0, sd, 1.0)
    y = within(target).ravel()
    gram = x.T @ x
    inverse = np.linalg.pinv(gram, hermitian=True, rcond=1e-10)
    beta = inverse @ (x.T @ y)
    score = (x * (y - x @ beta)[:, None]).reshape(g, t, -1)
    if g >= 10:
        total = score.sum(axis=1)
        middle = total.T @ total
    else:
        lags = max(1, int(4 * (t / 100) ** (2 / 9)))
        middle = np.einsum("gtp,gtq->pq", score, score)
        for k in range(1, lags + 1):
            cross = np.einsum("gtp,gtq->pq", score[:, k:], score[:, :-k])
            middle += (1 - k / (lags + 1)) * (cross + cross.T)
    variance = np.einsum("ij,jk,ki->i", inverse, middle, inverse)
    return np.asarray(beta / np.sqrt(np.maximum(variance, 1e-300)))
