"""One gradient-boosted tree model for all series (scikit-learn's HistGradientBoosting).

Rows are (series, origin, step) triples drawn from the history; the target is the log ratio of the outcome to the
recent same-weekday average, so that the model speaks of every series alike and follows its level. The number of
rows is bounded, so the cost is too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor

from modeling.forecast.panel import Array
from modeling.forecast.prepare import View

ROWS_PER_SERIES = 500
ROWS = {"D": (6_000, 60_000), "W": (6_000, 24_000)}
Index = npt.NDArray[np.int64]


def gradient_boosting(view: View) -> Array:
    """Direct forecasts for every step; the trees are fitted at the first origin asked for and every second after."""
    panel = view.panel
    count, length, horizon = len(panel.names), panel.length, panel.horizon
    season = 7 if panel.freq == "D" else 1
    base_window = 4 * season if panel.freq == "D" else 6
    if length < 3 * base_window + horizon:
        return np.full((count, horizon), np.nan)
    features = _Features(view, base_window, season)
    s = np.repeat(np.arange(count), horizon)
    h = np.tile(np.arange(1, horizon + 1), count)
    base, x = features.rows(s, np.full(len(s), length), h)
    model = _model(view, features, x.shape[1])
    out = (base + model.predict(x)).reshape(count, horizon)
    return view.back(out)


def _model(view: View, features: _Features, width: int) -> HistGradientBoostingRegressor:
    panel = view.panel
    fitted, stride = view.memory.models, view.memory.stride
    for age in range(panel.length, panel.length - stride - 1, -1):
        if age in fitted and fitted[age].n_features_in_ == width:
            return fitted[age]
    rng = np.random.default_rng([view.seed, panel.length])
    count, length, horizon = len(panel.names), panel.length, panel.horizon
    wanted = int(np.clip(ROWS_PER_SERIES * count, *ROWS[panel.freq]))
    first = min(features.window * 2, length // 3)
    oldest: int = max(first, length - int(3.2 * view.year))
    # recent and large series count more: by drawing them more often, since weights make binning slow
    draw = 2 * wanted
    size = np.clip(view.level / np.median(view.level), 0.1, 10.0) ** 0.5
    s = np.searchsorted(np.cumsum(size) / size.sum(), rng.random(draw)).clip(0, count - 1)
    h: Index = rng.integers(1, horizon + 1, draw)
    half_life = 1.5 * view.year
    span = (length - oldest - h).astype(float)
    depth = 1.0 - np.power(0.5, span / half_life)
    past = -half_life * np.log2(1.0 - rng.random(draw) * depth)
    origin = np.clip((length - h - past).astype(np.int64), oldest, length - h)
    good = view.use[s, origin + h - 1]
    s, h, origin = s[good][:wanted], h[good][:wanted], origin[good][:wanted]
    base, x = features.rows(s, origin, h)
    x[:, ~np.isfinite(x).any(axis=0)] = 0.0  # a feature that nobody has yet (last year's) is no feature
    target = view.g[s, origin + h - 1] - base
    keep = np.isfinite(target)
    spread = np.std(target[keep]) if keep.any() else 1.0
    model = HistGradientBoostingRegressor(
        loss="squared_error",
        learning_rate=0.1,
        max_iter=90,
        max_leaf_nodes=20,
        min_samples_leaf=40,
        l2_regularization=5.0,
        max_features=0.5,
        max_bins=127,
        early_stopping=False,
        random_state=view.seed,
    )
    clipped = np.clip(target[keep], -4 * spread, 4 * spread)
    model.fit(x[keep], clipped)
    fitted[length] = model
    return model


class _Features:
    """Features of (series, origin, step) triples, from arrays computed once per view."""

    def __init__(self, view: View, window: int, season: int) -> None:
        panel = view.panel
        self.view, self.window, self.season = view, window, season
        w = view.use.astype(float)
        g = np.where(view.use, view.g, 0.0)
        self.sum_g = np.concatenate([np.zeros((len(g), 1)), np.cumsum(g, axis=1)], axis=1)
        self.sum_w = np.concatenate([np.zeros((len(g), 1)), np.cumsum(w, axis=1)], axis=1)
        self.sum_gg = np.concatenate([np.zeros((len(g), 1)), np.cumsum(g * g, axis=1)], axis=1)
        zero = (panel.y == 0) & view.use
        self.sum_zero = np.concatenate([np.zeros((len(g), 1)), np.cumsum(zero, axis=1)], axis=1)
        exog = np.nan_to_num(view.exog)
        self.exog = exog
        self.sum_x = np.concatenate([np.zeros((len(g), 1, exog.shape[2])), np.cumsum(exog, axis=1)], axis=1)
        dates = panel.dates
        self.calendar = np.stack(
            [
                dates.dayofweek.to_numpy() if panel.freq == "D" else np.zeros(len(dates)),
                dates.day.to_numpy(),
                dates.dayofyear.to_numpy(),
                dates.month.to_numpy(),
            ],
            axis=1,
        ).astype(float)

    def _mean(self, s: Index, end: Index, width: int) -> Array:
        start = np.maximum(end - width, 0)
        size = self.sum_w[s, end] - self.sum_w[s, start]
        total = self.sum_g[s, end] - self.sum_g[s, start]
        return np.where(size > 0, total / np.maximum(size, 1), np.nan)

    def rows(self, s: Index, origin: Index, h: Index) -> tuple[Array, Array]:
        """Base level (N,) and features (N, F) for forecasting period ``origin + h - 1`` after ``origin`` periods."""
        view, window, year = self.view, self.window, self.view.year
        length = view.panel.length
        target = origin + h - 1
        level = self._mean(s, origin, window)
        level = np.where(np.isfinite(level), level, np.nan_to_num(self._mean(s, origin, 10**6)))
        if self.season > 1:
            same = [origin + (h - 1) % self.season - self.season * k for k in range(1, 5)]
            base = self._average(s, same, origin)
            base = np.where(np.isfinite(base), 0.8 * base + 0.2 * level, level)
        else:
            base = level
        ago = target - year
        valid = (ago >= 0) & (ago < origin)
        at = np.clip(ago, 0, length - 1)
        near = [at - self.season, at, np.minimum(at + self.season, origin - 1)]
        last_year = np.where(valid, self._average(s, near, origin), np.nan)
        same_day = np.where(valid & view.use[s, at], view.g[s, at], np.nan)
        old_origin = np.clip(origin - year, 0, length)
        old_level = np.where(origin - year >= window, self._mean(s, old_origin, window), np.nan)
        spread = self.sum_gg[s, origin] - self.sum_gg[s, np.maximum(origin - 8 * window, 0)]
        size = self.sum_w[s, origin] - self.sum_w[s, np.maximum(origin - 8 * window, 0)]
        mean8 = self._mean(s, origin, 8 * window)
        deviation = np.sqrt(np.maximum(spread / np.maximum(size, 1) - np.nan_to_num(mean8) ** 2, 0.0))
        zeros = (self.sum_zero[s, origin] - self.sum_zero[s, np.maximum(origin - 2 * window, 0)]) / (
            2 * window
        )
        columns = [
            h.astype(float),
            self._mean(s, origin, max(self.season, 2)) - level,
            self._mean(s, origin, 2 * window) - level,
            mean8 - level,
            level - base,
            last_year - old_level,
            same_day - old_level,
            old_level - level,
            deviation,
            zeros,
            np.log(view.level)[s],
            *self.calendar[target].T,
        ]
        if self.exog.shape[2]:
            start = np.maximum(origin - window, 0)
            usual = (self.sum_x[s, origin] - self.sum_x[s, start]) / np.maximum(origin - start, 1)[:, None]
            now = self.exog[s, target]
            columns += [*now.T, *(now - usual).T]
        return base, np.stack(columns, axis=1)

    def _average(self, s: Index, steps: list[Index], origin: Index) -> Array:
        total, size = np.zeros(len(s)), np.zeros(len(s))
        for step in steps:
            ok = (step >= 0) & (step < origin)
            at = np.clip(step, 0, self.view.panel.length - 1)
            on = ok & self.view.use[s, at]
            total += np.where(on, self.view.g[s, at], 0.0)
            size += on
        return np.where(size > 0, total / np.maximum(size, 1), np.nan)
