"""Exponential smoothing and Theta on the working scale, all series and all parameter sets at once.

Additive-error state space form (Hyndman et al. 2008, ch. 2) run as one loop over time on (S, G) arrays, G sets of
parameters. A series' forecast is the mean over the sets, each weighted by the likelihood of its discounted one-step
errors. No set has a trend: over eight weeks a smoothed trend cost more than it caught. Missing periods leave the states
where they are, and a jump beyond three typical errors counts as three.
"""

from __future__ import annotations

import itertools

import numpy as np

from modeling.forecast.panel import Array, Mask
from modeling.forecast.prepare import View

#: Rates of level and season.
_LEVEL = (0.03, 0.08, 0.16, 0.3, 0.5, 0.75)
_SEASON = (0.03, 0.1, 0.25)


def smooth(z: Array, use: Mask, season: int, horizon: int) -> Array:
    """(S, H) forecasts of additive exponential smoothing.

    Args:
        z: (S, T) values, any where not used.
        use: (S, T) true where observed.
        season: length of the season; 1 for none.
        horizon: H.
    """
    count, length = z.shape
    seasons = _SEASON if season > 1 else (0.0,)
    grid = np.array(list(itertools.product(_LEVEL, seasons)))
    alpha, gamma = grid[:, 0], grid[:, 1]
    level, state, scale = _start(z, use, season)
    sets = len(grid)
    l_ = np.repeat(level[:, None], sets, axis=1)
    s_ = np.repeat(state[:, :, None], sets, axis=2)
    loss = np.zeros((count, sets))
    weight = np.zeros(count)
    decay = 0.5 ** (1.0 / max(length / 3.0, 1.0))
    bound = 3.0 * scale[:, None]
    values = np.where(use, z, 0.0)
    for t in range(length):
        k = t % season
        on = use[:, t]
        error = values[:, t, None] - (l_ + s_[:, k])
        error = np.where(on[:, None], error, 0.0)
        kept = np.clip(error, -bound, bound)
        loss = loss * decay + kept**2
        weight = weight * decay + on
        l_ += alpha * kept
        s_[:, k] += gamma * (1.0 - alpha) * kept
    odds = -0.5 * weight[:, None] * np.log(np.maximum(loss, 1e-12))
    odds = np.exp(odds - odds.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    index = (length + np.arange(horizon)) % season
    return np.asarray((odds * l_).sum(axis=1)[:, None] + (s_ * odds[:, None]).sum(axis=2)[:, index])


def _start(z: Array, use: Mask, season: int) -> tuple[Array, Array, Array]:
    """Level (S,), season (S, m) and typical one-season difference (S,) from the first cycles."""
    count, length = z.shape
    head = min(length, max(4 * season, 12))
    begin = np.argmax(use, axis=1)
    offset = np.minimum(begin[:, None] + np.arange(head)[None, :], length - 1)
    rows = np.arange(count)[:, None]
    w = use[rows, offset].astype(float)
    v = np.where(w > 0, z[rows, offset], 0.0)
    level = v.sum(axis=1) / np.maximum(w.sum(axis=1), 1)
    state = np.zeros((count, season))
    if season > 1:
        for k in range(season):
            at = (offset % season == k) * w
            state[:, k] = ((v - level[:, None]) * at).sum(axis=1) / (at.sum(axis=1) + 0.25)
        state -= state.mean(axis=1, keepdims=True)
    gap = season if length > 2 * season else 1
    both = use[:, gap:] & use[:, :-gap]
    difference = np.abs(z[:, gap:] - z[:, :-gap])
    typical = np.where(both, difference, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    total = use.sum(axis=1)
    centre = np.where(use, z, 0.0).sum(axis=1) / np.maximum(total, 1)
    spread = np.sqrt((np.where(use, z - centre[:, None], 0.0) ** 2).sum(axis=1) / np.maximum(total, 1))
    return level, state, np.maximum(typical, 0.1 * spread + 1e-6)


def _damping(view: View) -> float:
    return 0.97 if view.panel.freq == "D" else 0.92


def _short_season(view: View) -> int:
    return 7 if view.panel.freq == "D" else 1


def ets(view: View) -> Array:
    """Exponential smoothing with a weekday season (daily), no regressors."""
    return view.back(smooth(view.g, view.use, _short_season(view), view.panel.horizon))


def _adjusted(view: View, effect: Array) -> Array:
    length = view.panel.length
    path = smooth(view.g - effect[:, :length], view.use, _short_season(view), view.panel.horizon)
    return view.back(path + effect[:, length:])


def ets_exog(view: View) -> Array:
    """Exponential smoothing of what regressors and events leave, their planned effect added back."""
    return _adjusted(view, view.planned)


def mstl_ets(view: View) -> Array:
    """Exponential smoothing after removing regressors, events and the yearly profile (weekday season inside)."""
    return _adjusted(view, view.planned + profile(view))


def theta(view: View) -> Array:
    """Theta method (Assimakopoulos and Nikolopoulos 2000) on data adjusted for season, regressors and events.

    Simple smoothing plus half the slope of the linear trend of the last year, the slope drawn towards zero where
    it is uncertain.
    """
    length, horizon = view.panel.length, view.panel.horizon
    effect = view.planned + profile(view) + view.weekly
    z = np.where(view.use, view.g - effect[:, :length], 0.0)
    path = smooth(z, view.use, 1, horizon)
    recent = min(length, view.year)
    w = view.use[:, -recent:].astype(float)
    time = np.arange(recent) - (recent - 1) / 2.0
    mean_t = (w * time).sum(axis=1) / np.maximum(w.sum(axis=1), 1)
    centred = (time[None, :] - mean_t[:, None]) * w
    total = (centred**2).sum(axis=1) + 1e-9
    slope = (centred * z[:, -recent:]).sum(axis=1) / total
    mean_z = (w * z[:, -recent:]).sum(axis=1) / np.maximum(w.sum(axis=1), 1)
    error = (z[:, -recent:] - mean_z[:, None] - slope[:, None] * (time - mean_t[:, None])) * w
    # errors of retail levels last for weeks: the effective number of observations is far below n
    variance = 6.0 * (error**2).sum(axis=1) / np.maximum(w.sum(axis=1) - 2, 1) / total
    shrink = slope**2 / (slope**2 + variance + 1e-12)
    drift = 0.5 * slope * shrink
    damped = np.cumsum(_damping(view) ** np.arange(1, horizon + 1) ** 0.5)
    return view.back(path + drift[:, None] * damped[None, :] + effect[:, length:])


def profile(view: View) -> Array:
    """(S, T + H) yearly profile by week of the year: what waves miss, as far as it repeats between years.

    The mean over the years of what a centred year-long average leaves, drawn towards the pool's profile by the
    share of its variance that repeats, on top of the fitted waves. Zero below two years of history.
    """
    wave = view.wave
    panel = view.panel
    length, total = panel.length, len(panel.dates)
    if length < 1.9 * view.year:
        return wave
    effect = (view.planned + wave + view.weekly)[:, :length]
    rest = np.where(view.use, view.g - effect, 0.0)
    w = view.use.astype(float)
    span = view.year // 4
    rest = (rest - _moving(rest, w, span)) * w
    phase = _phase(panel.dates.dayofyear.to_numpy(), panel.dates.month.to_numpy())
    bins = 53
    sums, sizes, squares = (np.zeros((len(rest), bins)) for _ in range(3))
    years = (np.arange(length) - length) // view.year
    for year in np.unique(years):
        at = years == year
        part, weight = np.zeros((len(rest), bins)), np.zeros((len(rest), bins))
        np.add.at(part.T, phase[:length][at], rest[:, at].T)
        np.add.at(weight.T, phase[:length][at], w[:, at].T)
        value = np.where(weight > 0, part / np.maximum(weight, 1), 0.0)
        sums += value
        squares += value**2
        sizes += weight > 0
    own = sums / np.maximum(sizes, 1)
    repeat = _repeat(sums, squares, sizes)
    pool = own.mean(axis=0, keepdims=True) if len(own) >= 5 else np.zeros((1, bins))
    pool_share = (
        _repeat(
            sums.mean(axis=0, keepdims=True),
            squares.mean(axis=0, keepdims=True),
            sizes.mean(axis=0, keepdims=True),
        )
        if len(own) >= 5
        else 0.0
    )
    shape = pool * np.clip(pool_share, 0.0, 1.0) + (own - pool) * repeat[:, None]
    return np.asarray(wave + shape[:, phase[:total]])


def _phase(day_of_year: Array, month: Array) -> Array:
    return np.minimum((day_of_year - 1) // 7, 52).astype(int)


def _repeat(sums: Array, squares: Array, sizes: Array) -> Array:
    """(S,) share of the profile's variance that comes back each year (one-way random effects)."""
    n = np.maximum(sizes, 1)
    twice = sizes >= 2
    within = np.where(twice, (squares - sums**2 / n) / np.maximum(n - 1, 1), 0.0).sum(axis=1) / np.maximum(
        twice.sum(axis=1), 1
    )
    between = np.where(twice, (sums / n) ** 2, 0.0).sum(axis=1) / np.maximum(twice.sum(axis=1), 1)
    years = np.where(twice, n, 0).sum(axis=1) / np.maximum(twice.sum(axis=1), 1)
    noise = within / np.maximum(years, 1)
    return np.asarray(np.clip(1.0 - noise / np.maximum(between, 1e-12), 0.0, 0.95))


def _moving(values: Array, weight: Array, span: int) -> Array:
    """Centred moving average (S, T) over ``2 * span + 1`` periods, by observed values."""
    total = np.cumsum(np.pad(values * weight, ((0, 0), (span + 1, span)), mode="constant"), axis=1)
    size = np.cumsum(np.pad(weight, ((0, 0), (span + 1, span)), mode="constant"), axis=1)
    width = 2 * span + 1
    return np.asarray(
        (total[:, width:] - total[:, :-width]) / np.maximum(size[:, width:] - size[:, :-width], 1)
    )
