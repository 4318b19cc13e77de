"""What is not media: trend, seasons, controls and unseen demand, integrated out in closed form.

The panel is scaled so that every geography has a like noise level, then rotated twice. Over geographies: one
direction carries what all share (the national mode), the rest carry what sets them apart. Over periods: the
eigenvectors of a centred demand kernel (random walk, or a mean-reverting drift), whose constant direction is
dropped: each geography's level is thereby a free fixed effect. In these coordinates every error model below is
diagonal, so its likelihood costs one weighted cross product. Unseen demand is a local level (Harvey 1989,
"Forecasting, Structural Time Series Models and the Kalman Filter"); the generalised least squares over the
linear nuisance columns is the usual one with a weak ridge on the higher seasonal harmonics.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from modeling.mmm.panel import Panel
from modeling.mmm.transforms import Array

_GROUPS = 22
_BLOCK = 64


@dataclass(frozen=True)
class ErrorModel:
    """One point of the error grid, in units of the idiosyncratic variance of a geography's period.

    kernel: which demand kernel; national_white, national_drift, geo_drift: variance ratios (drift per period).
    """

    kernel: int
    national_white: float
    national_drift: float
    geo_drift: float
    log_prior: float


@dataclass(frozen=True)
class Frame:
    """The rotation of one panel.

    loading (G,): scaled shared direction; row_scale (G,): 1 / (size x noise level); vectors (K, T, T) and values
    (K, T) of the demand kernels; nuisance (G, T, P) in KPI per size, names and ridge (P,).
    """

    row_scale: Array
    geo_rotation: Array
    vectors: Array
    values: Array
    nuisance: Array
    nuisance_names: tuple[str, ...]
    ridge: Array
    kernel_names: tuple[str, ...]
    shared_gain: float
    own_level: Array

    def rotate(self, columns: Array, kernel: int) -> tuple[Array, Array]:
        """(N, G, T) columns in KPI per size -> national rows (T, N) and geography rows (G-1, T, N)."""
        turned = np.empty(columns.shape)
        for start in range(0, len(columns), _BLOCK):  # a few columns at a time: large panels fit into memory
            part = columns[start : start + _BLOCK] * self.row_scale[None, :, None]
            if len(self.row_scale) > 1:
                part = np.matmul(self.geo_rotation, part)
            turned[start : start + _BLOCK] = part @ self.vectors[kernel]
        return turned[:, 0, :].T, np.transpose(turned[:, 1:, :], (1, 2, 0))


def demand_kernels(periods: int, periods_per_week: int) -> tuple[Array, Array, tuple[str, ...]]:
    """Centred kernels' eigenvectors (K, T, T) and eigenvalues (K, T), constant first with value zero.

    Random walk with unit steps, and a mean-reverting (AR 1) drift with the same step variance whose memory is
    about six weeks.
    """
    t = np.arange(periods, dtype=float)
    walk = np.minimum.outer(t, t) + 1.0
    phi = float(0.85 ** (1.0 / periods_per_week))
    drift = phi ** np.abs(np.subtract.outer(t, t)) / (1.0 - phi**2)
    centre = np.eye(periods) - 1.0 / periods
    vectors, values = [], []
    for kernel in (walk, drift):
        lam, vec = np.linalg.eigh(centre @ kernel @ centre)
        order = np.argsort(-lam)
        lam, vec = lam[order], vec[:, order]
        constant = np.ones(periods) / np.sqrt(periods)
        at = int(np.argmax(np.abs(vec.T @ constant)))
        vec[:, at] = constant
        order = np.r_[at, [i for i in range(periods) if i != at]]
        lam, vec = np.clip(lam[order], 0.0, None), vec[:, order]
        lam[0] = 0.0
        sign = np.sign(vec[np.argmax(np.abs(vec), axis=0), np.arange(periods)])
        vectors.append(vec * sign)
        values.append(lam)
    return np.stack(vectors), np.stack(values), ("walk", "drift")


def seasonal_columns(panel: Panel, harmonics: int) -> tuple[Array, list[str]]:
    """(P, T) Fourier terms by day of year, and day-of-week dummies for daily data."""
    dates = panel.dates
    year = np.where(dates.is_leap_year, 366.0, 365.0)
    phase = 2.0 * np.pi * (np.asarray(dates.dayofyear, dtype=float) - 1.0) / year
    columns, names = [], []
    for k in range(1, harmonics + 1):
        columns += [np.sin(k * phase), np.cos(k * phase)]
        names += [f"season_sin{k}", f"season_cos{k}"]
    if panel.periods_per_week == 7:
        for day in range(1, 7):
            columns.append(np.asarray(dates.dayofweek == day, dtype=float))
            names.append(f"weekday_{day}")
    return (np.stack(columns) if columns else np.zeros((0, len(dates)))), names


def _noise_levels(per_size: Array) -> Array:
    """(G,) robust noise scale of each geography from its second differences, half shrunk to the common level."""
    if per_size.shape[0] == 1 or per_size.shape[1] < 8:
        return np.ones(per_size.shape[0])
    steps = np.diff(per_size, axis=1)
    steps = steps - np.median(steps, axis=0, keepdims=True)
    mad = np.median(np.abs(steps - np.median(steps, axis=1, keepdims=True)), axis=1)
    mad = np.maximum(mad, np.median(mad) * 0.05 + 1e-300)
    log = np.log(mad)
    return np.asarray(np.exp(log.mean() + 0.8 * (log - log.mean())), dtype=float)


def build_frame(panel: Panel, demand: dict[str, Array] | None = None, demand_scale: float = 0.05) -> Frame:
    """Rotation and nuisance columns for the panel.

    `demand`: ridge controls (n, G, T) by channel, of unit spread, whose effects have prior spread `demand_scale`
    (relative to the KPI's level).
    """
    g, t, _ = panel.shape
    per_size = panel.outcome
    level = float(np.abs(per_size).mean()) or 1.0
    # what all geographies share (season, shocks, controls) acts on each in proportion to its own level
    own_level = np.maximum(np.abs(per_size).mean(axis=1), 0.05 * level) if g > 1 else np.array([level])
    noise = _noise_levels(per_size)
    row_scale = 1.0 / noise
    row_scale = row_scale / np.sqrt(np.mean(row_scale**2)) / level
    loading = row_scale * own_level
    loading = loading / np.linalg.norm(loading)
    if g > 1:
        # Householder reflection: first row is the shared direction, the rest an orthonormal complement
        v = loading.copy()
        v[0] += np.copysign(1.0, v[0])
        rotation = np.eye(g) - 2.0 * np.outer(v, v) / (v @ v)
        if rotation[0] @ loading < 0:
            rotation = -rotation
    else:
        rotation = np.ones((1, 1))
    vectors, values, names = demand_kernels(t, panel.periods_per_week)

    weeks = t / panel.periods_per_week
    harmonics = 0 if weeks < 40 else (3 if weeks < 90 else 5)
    season, season_names = seasonal_columns(panel, harmonics)
    trend = np.linspace(-1.0, 1.0, t)[None, :]
    shared = np.concatenate([trend, season])
    columns = [np.broadcast_to(c, (g, t)) * own_level[:, None] for c in shared]
    ridge = [1e-6]
    for name in season_names:
        order = int(name[10:]) if name.startswith("season") else 1
        ridge.append(1e-4 if order <= 2 else 0.02 * order**2)
    column_names = ["trend", *season_names]
    for k, name in enumerate(panel.control_names):
        columns.append(standardise(panel.controls[k]) * own_level[:, None])
        ridge.append(1e-4)
        column_names.append(name)
    rough = np.diff(per_size, axis=1) * row_scale[:, None]
    variance = float(np.median(np.median(np.abs(rough), axis=1)) * 1.4826) ** 2 / 2.0
    for name, series in (demand or {}).items():
        for k, column in enumerate(series):
            columns.append(column * own_level[:, None])
            ridge.append(max(variance, 1e-12) / demand_scale**2)
            column_names.append(f"demand:{name}:{k}")
    return Frame(
        row_scale=row_scale,
        geo_rotation=rotation,
        vectors=vectors,
        values=values,
        nuisance=np.stack(columns, axis=2),
        nuisance_names=tuple(column_names),
        ridge=np.array(ridge),
        kernel_names=names,
        shared_gain=float(np.sum((row_scale * own_level) ** 2)),
        own_level=own_level,
    )


def standardise(x: Array) -> Array:
    """Centre and scale to unit spread; a constant column stays zero."""
    centred = x - x.mean()
    sd = float(centred.std())
    return np.asarray(centred / sd if sd > 0 else centred, dtype=float)


def error_grid(n_geos: int) -> list[ErrorModel]:
    """The declared grid of error models with log prior.

    National panels: two drift kernels x a scale of step variances, from none to as large as the noise. Geo
    panels add the shared white shock and each geography's own drift.
    """
    out: list[ErrorModel] = []
    steps = [0.0, 0.0015, 0.005, 0.015, 0.04, 0.1, 0.25, 0.6, 1.5]
    if n_geos == 1:
        for kernel in (0, 1):
            for q in steps:
                if kernel == 1 and q < 0.01:
                    continue
                out.append(ErrorModel(kernel, 0.0, q, 0.0, float(np.log(0.6 if kernel == 0 else 0.4))))
        return out
    for white in (0.0, 0.1, 0.5, 2.0):
        for drift in (0.0, 0.003, 0.02, 0.1, 0.5):
            for own in (0.0, 0.001, 0.005, 0.02, 0.08, 0.3):
                out.append(ErrorModel(0, white, drift, own, 0.0))
    return out


@dataclass
class Moments:
    """Cross products under every error model, nuisance projected out.

    gram (H, N, N) over the N columns given (bases then KPI); logdet (H,): minus half the log determinants of
    error covariance and projected nuisance; dof: rows that carry information.
    """

    gram: Array
    logdet: Array
    log_prior: Array
    dof: float
    models: list[ErrorModel]


def weights_of(model: ErrorModel, values: Array, gain: float) -> tuple[Array, Array]:
    """(T,) precisions of the national rows and of the geography rows; the constant row weighs nothing.

    `gain` is the squared length of the shared direction in noise units: a shock common to all geographies of
    variance v has variance v x gain in the national mode.
    """
    nat = 1.0 + gain * model.national_white + (gain * model.national_drift + model.geo_drift) * values
    geo = 1.0 + model.geo_drift * values
    nat, geo = 1.0 / nat, 1.0 / geo
    nat[0] = geo[0] = 0.0
    return nat, geo


def _groups(values: Array) -> list[Array]:
    """Time modes grouped by like eigenvalue: the leading ones alone, the tail in geometric bands."""
    t = len(values)
    edges = np.unique(np.r_[1:9, np.geomspace(9, t, _GROUPS - 8).astype(int), t])
    return [np.arange(a, b) for a, b in itertools.pairwise(edges)]


@dataclass(frozen=True)
class Deviations:
    """A geography's own deviation of each channel's effect: columns (E, G, T) with prior variance ratio tau^2.

    ridge (K,): the candidates' penalties (noise variance / tau^2), with their log prior.
    """

    columns: Array
    ridge: Array
    log_prior: Array


def moments(
    frame: Frame, columns: Array, models: list[ErrorModel], deviations: Deviations | None = None
) -> Moments:
    """Project the nuisance out of the cross products of `columns` (N, G, T) for each error model.

    With `deviations`, each error model is crossed with each spread of the effects between geographies.
    """
    n_cols, g, t = columns.shape
    stacked = np.concatenate([columns, np.transpose(frame.nuisance, (2, 0, 1))])
    if deviations is not None:
        stacked = np.concatenate([stacked, deviations.columns])
    variants: list[tuple[Array, float]]
    if deviations is None:
        variants = [(frame.ridge, 0.0)]
    else:
        n_dev = len(deviations.columns)
        variants = [
            (np.concatenate([frame.ridge, np.full(n_dev, r)]), float(lp))
            for r, lp in zip(deviations.ridge, deviations.log_prior, strict=True)
        ]
    gain = frame.shared_gain if g > 1 else 1.0
    grams, logdets, priors, out_models = [], [], [], []
    cache_kernel, national, values = -1, np.empty(0), np.empty(0)
    blocks: list[Array] = []
    for model in models:
        if model.kernel != cache_kernel:
            cache_kernel = model.kernel
            national, geo = frame.rotate(stacked, model.kernel)
            values = frame.values[model.kernel].copy()
            blocks = []
            if g > 1:
                for group in _groups(values):
                    values[group] = values[group].mean()
                    rows = geo[:, group, :].reshape(-1, geo.shape[2])
                    blocks.append(rows.T @ rows)
        w_nat, w_geo = weights_of(model, values, gain)
        total = (national * w_nat[:, None]).T @ national
        if g > 1:
            for group, block in zip(_groups(values), blocks, strict=True):
                total += w_geo[group[0]] * block
        base = 0.5 * np.log(w_nat[1:]).sum() + 0.5 * (g - 1) * np.log(w_geo[1:]).sum()
        for ridge, log_prior in variants:
            chol = np.linalg.cholesky(total[n_cols:, n_cols:] + np.diag(ridge))
            half = solve_triangular(chol, total[n_cols:, :n_cols], lower=True)
            grams.append(total[:n_cols, :n_cols] - half.T @ half)
            logdets.append(base - np.log(np.diag(chol)).sum() + 0.5 * np.log(ridge).sum())
            priors.append(model.log_prior + log_prior)
            out_models.append(model)
    free = int(np.sum(frame.ridge <= 1e-3))
    return Moments(
        np.stack(grams), np.array(logdets), np.array(priors), float(g * (t - 1) - free), out_models
    )
