"""Batched counterparts of the two best-known single models, all series at once.

``harmonic_arma``: regression on waves, weekdays and regressors with ARMA(1, 1) errors and, on daily data, a weekly
seasonal autoregression: what SARIMAX(1, 0, 1)(1, 0, 0)_7 with regressors estimates, its likelihood concentrated over
the coefficients and searched on a grid. There is no trend: the level returns to the mean as fast as the errors say.
``trend_season``: piecewise-linear trend with many knots under a Laplace prior, waves, weekdays, events, regressors
and independent errors: Prophet's additive model (Taylor and Letham 2018), its mode found by reweighted ridge steps.
"""

from __future__ import annotations

import numpy as np

from modeling.forecast import calendars
from modeling.forecast.linear import CHUNK, Design
from modeling.forecast.panel import Array, Mask
from modeling.forecast.prepare import View

#: Grids of the autoregression, the moving average and the weekly seasonal autoregression.
AR = (0.0, 0.5, 0.75, 0.9, 0.97, 1.0)
MA = (0.0, -0.4, -0.8)
SEASONAL = (0.15, 0.0, 0.4)
#: Prior spread of the coefficients in units of the series' own spread, wide as in maximum likelihood.
WIDE = 3.0
#: Trend knots and the scale of their Laplace prior, in units of the series' largest value over the whole history.
KNOTS, BEND = {"D": 25, "W": 15}, 0.05
STEPS = 5


def harmonic_arma(view: View) -> Array:
    """(S, H) regression with ARMA errors around a fixed level."""
    panel = view.panel
    blocks: list[tuple[str, Array]] = [("level", np.ones((len(panel.dates), 1)))]
    if view.yearly:
        blocks.append(("year", calendars.fourier(panel.dates, 3)))
    if panel.freq == "D":
        blocks.append(("week", calendars.weekdays(panel.dates)))
    design = Design.build(blocks, view.exog)
    season = 7 if panel.freq == "D" else 0
    out = np.full((len(panel.names), panel.horizon), np.nan)
    for lo in range(0, len(out), CHUNK):
        hi = min(lo + CHUNK, len(out))
        use = view.use[lo:hi]
        path = _arma(design, slice(lo, hi), view.g[lo:hi], use, season)
        out[lo:hi] = np.where((use.sum(axis=1) >= 30)[:, None], path, np.nan)
    return view.back(out)


def _arma(design: Design, rows: slice, g: Array, use: Mask, season: int) -> Array:
    """(S, H) forecasts of some rows, averaged over the grid by likelihood: g and use (S, T)."""
    count, length = g.shape
    x = design.rows(rows.start, rows.stop, len(design.common))
    split = design.common.shape[1]
    common, own = design.common[None, :length], design.own[rows, :length]
    weight = use.astype(float)
    n = np.maximum(weight.sum(axis=1), 1.0)
    centre = (g * weight).sum(axis=1) / n
    spread = np.sqrt(((g - centre[:, None]) ** 2 * weight).sum(axis=1) / n) + 1e-6
    z = g / spread[:, None] * weight
    past = x[:, :length]
    # an unobserved period counts as its fitted value
    filled = np.where(use, z, _times(past, _ridge(past * weight[:, :, None], z)))

    def one(phi: float, theta: float, seasonal: float) -> tuple[Array, Array]:
        shared = np.broadcast_to(_filter(common, phi, theta, seasonal, season), (count, length, split))
        xw = np.concatenate([shared, _filter(own, phi, theta, seasonal, season)], axis=2) * weight[:, :, None]
        yw = _filter(filled[:, :, None], phi, theta, seasonal, season)[:, :, 0] * weight
        beta = _ridge(xw, yw)
        sigma2 = ((yw - _times(xw, beta)) ** 2).sum(axis=1) / n
        start = max((1 - phi**2) * (1 - seasonal**2) ** season, 1e-3)
        resid = np.where(use, z - _times(past, beta), 0.0)
        path = _times(x[:, length:], beta) + _ahead(resid, phi, theta, seasonal, season, x.shape[1] - length)
        return np.log(np.maximum(sigma2, 1e-9)) - np.log(start) / n, path

    pairs = [(phi, theta) for phi in AR for theta in MA if phi + theta >= 0]
    results = [one(phi, theta, SEASONAL[0] if season else 0.0) for phi, theta in pairs]
    if season:  # the seasonal part is searched at the few pairs that most series like
        liked = np.bincount(np.argmin(np.stack([r[0] for r in results]), axis=0), minlength=len(pairs))
        for k in np.argsort(-liked, kind="stable")[:3]:
            results += [one(pairs[k][0], pairs[k][1], seasonal) for seasonal in SEASONAL[1:]]
    loss, path = np.stack([r[0] for r in results]), np.stack([r[1] for r in results])
    odds = np.exp(-0.5 * n * (loss - loss.min(axis=0)))
    return np.asarray(np.einsum("gs,gsh->sh", odds / odds.sum(axis=0), path) * spread[:, None])


def _times(x: Array, beta: Array) -> Array:
    return np.asarray((x @ beta[:, :, None])[:, :, 0])


def _ridge(x: Array, y: Array) -> Array:
    xt = np.swapaxes(x, 1, 2)
    gram = xt @ x
    idx = np.arange(gram.shape[1])
    gram[:, idx, idx] += 1.0 / WIDE**2
    return np.asarray(np.linalg.solve(gram, xt @ y[:, :, None])[:, :, 0])


def _filter(values: Array, phi: float, theta: float, seasonal: float, season: int) -> Array:
    """Innovations of (S, T, ...) values under an ARMA(1, 1) with a seasonal autoregression."""
    out = _lagged(values, 1, -phi)
    if season:
        out = _lagged(out, season, -seasonal)
    lag, power = 1, -theta
    while abs(power) > 1e-9 and lag < values.shape[1]:  # 1 / (1 - x) = (1 + x)(1 + x^2)(1 + x^4)...
        out = _lagged(out, lag, power)
        lag, power = 2 * lag, power**2
    out[:, 0] *= np.sqrt(max(1.0 - phi**2, 1e-3))
    return out


def _lagged(values: Array, lag: int, factor: float) -> Array:
    """(1 + factor * B^lag) applied along time."""
    out = values.copy()
    if factor and lag < values.shape[1]:
        out[:, lag:] += factor * values[:, :-lag]
    return out


def _ahead(resid: Array, phi: float, theta: float, seasonal: float, season: int, horizon: int) -> Array:
    count, length = resid.shape
    shock = _filter(resid[:, :, None], phi, theta, seasonal, season)[:, -1, 0]
    path = np.concatenate([resid, np.zeros((count, horizon))], axis=1)
    for t in range(length, length + horizon):
        path[:, t] = phi * path[:, t - 1] + (theta * shock if t == length else 0.0)
        if season:
            path[:, t] += seasonal * (path[:, t - season] - phi * path[:, t - season - 1])
    return path[:, length:]


def trend_season(view: View) -> Array:
    """(S, H) piecewise-linear trend, season, events and regressors with independent errors."""
    panel, length = view.panel, view.panel.length
    total = len(panel.dates)
    time = np.arange(total) / max(length - 1, 1)
    knots = np.linspace(0, 0.8, KNOTS[panel.freq] + 1)[1:]
    bends = np.maximum(time[:, None] - knots[None, :], 0.0)
    daily = panel.freq == "D"
    blocks: list[tuple[str, Array]] = [
        ("level", np.ones((total, 1))),
        ("slope", time[:, None]),
        ("bend", bends),
    ]
    if view.yearly:
        blocks.append(("year", calendars.fourier(panel.dates, calendars.WAVES[panel.freq])))
    if daily:
        blocks.append(("week", calendars.weekdays(panel.dates)))
    events, _ = calendars.event_matrix(panel.dates, length, view.country, panel.freq)
    if events.shape[1]:
        blocks.append(("event", events))
    design = Design.build(blocks, view.exog)
    prior = {
        "level": 5.0,
        "slope": 5.0,
        "bend": BEND,
        "year": 10.0,
        "week": 10.0,
        "event": 10.0 if daily else 0.1,
    }
    size = np.array([prior.get(name, 10.0) for name in design.groups])
    laplace = np.array([name == "bend" for name in design.groups])
    out = np.full((len(panel.names), panel.horizon), np.nan)
    for lo in range(0, len(out), CHUNK):
        hi = min(lo + CHUNK, len(out))
        use = view.use[lo:hi]
        path = _mode(design.rows(lo, hi, total), view.g[lo:hi], use, size, laplace)
        out[lo:hi] = np.where((use.sum(axis=1) >= 30)[:, None], path, np.nan)
    return view.back(out)


def _mode(x: Array, g: Array, use: Mask, size: Array, laplace: Mask) -> Array:
    count, length = g.shape
    weight = use.astype(float)
    scale = np.maximum(np.abs(g * weight).max(axis=1), 1e-6)
    z = g / scale[:, None] * weight
    n = np.maximum(weight.sum(axis=1), 1.0)
    past = x[:, :length] * weight[:, :, None]
    xt = np.swapaxes(past, 1, 2)
    gram, moment = xt @ past, (xt @ z[:, :, None])[:, :, 0]
    square = (z**2).sum(axis=1)
    idx = np.arange(gram.shape[1])
    penalty = np.tile(1.0 / size**2, (count, 1))
    sigma2 = np.maximum(square / n - (z.sum(axis=1) / n) ** 2, 1e-6) / 4
    for _ in range(STEPS):
        precision = gram / sigma2[:, None, None]
        precision[:, idx, idx] += penalty
        beta = np.linalg.solve(precision, (moment / sigma2[:, None])[:, :, None])[:, :, 0]
        fitted = (beta * moment).sum(axis=1) * 2 - np.einsum("sp,spq,sq->s", beta, gram, beta)
        sigma2 = np.clip((square - fitted) / n, 1e-6, 4.0)
        bend = 1.0 / (size * np.maximum(np.abs(beta), 1e-4))
        penalty = np.where(laplace, bend, 1.0 / size**2)
    return np.asarray(_times(x[:, length:], beta) * scale[:, None])
