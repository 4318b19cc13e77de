"""Batched regression with autoregressive errors and coefficients shrunk towards the pool.

Every series has its own ridge regression; the prior of each coefficient is the pool's mean and spread, estimated
from all series as in a random-effects meta-analysis (Efron and Morris 1975; DerSimonian and Laird 1986). Errors
follow an autoregression (Yule-Walker) and the regression is refitted on the prewhitened data (Prais and Winsten
1954). All series are solved together; there is no loop over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modeling.forecast.panel import Array, Mask

CHUNK = 64
#: Factor on the spread between series under which they are pooled almost completely.
POOLED = 0.25
#: Spread of the coefficients before any data, by group, in units of the series' own spread.
PRIOR = {
    "level": 10.0,
    "slope": 0.7,
    "bend": 0.35,
    "year": 0.6,
    "week": 1.0,
    "payday": 0.3,
    "event": 1.0,
    "exog": 1.0,
}
#: Groups whose coefficients are the series' own business and are not drawn towards a pool mean.
OWN = ("level", "slope", "bend")


@dataclass(frozen=True)
class Design:
    """Regressors over T + H: ``common`` (T + H, P) for all series and ``own`` (S, T + H, K) for each."""

    common: Array
    own: Array
    groups: list[str]

    @staticmethod
    def build(blocks: list[tuple[str, Array]], own: Array) -> Design:
        groups = [name for name, block in blocks for _ in range(block.shape[1])]
        common = np.concatenate([block for _, block in blocks], axis=1)
        return Design(common, own, groups + ["exog"] * own.shape[2])

    def rows(self, lo: int, hi: int, end: int) -> Array:
        """(hi - lo, end, P + K) regressors of some series up to a time."""
        count = hi - lo
        common = np.broadcast_to(self.common[None, :end], (count, end, self.common.shape[1]))
        return np.concatenate([common, self.own[lo:hi, :end]], axis=2)


@dataclass(frozen=True)
class Fit:
    """Coefficients and errors of all series.

    Attributes:
        beta: (S, Q) coefficients on the working scale.
        pool: (Q,) mean of the coefficients over the series.
        ar: (S, L) autoregression of the errors at ``lags``.
        resid: (S, T) errors, 0 where not observed.
        sigma: (S,) standard deviation of the innovations.
    """

    beta: Array
    pool: Array
    ar: Array
    lags: tuple[int, ...]
    resid: Array
    sigma: Array
    groups: tuple[str, ...]

    def effect(self, design: Design, groups: tuple[str, ...]) -> Array:
        """(S, T + H) contribution of the named groups."""
        pick = np.array([g in groups for g in self.groups])
        split = design.common.shape[1]
        shared, own = pick[:split], pick[split:]
        out = self.beta[:, :split][:, shared] @ design.common[:, shared].T
        if own.any():
            out = out + np.einsum("stk,sk->st", design.own[:, :, own], self.beta[:, split:][:, own])
        return np.asarray(out)


def fit_design(design: Design, g: Array, use: Mask, season: int) -> tuple[Fit, Fit]:
    """Fit all series twice: drawn towards the pool as far as the data say, and pooled almost completely.

    Args:
        design: regressors over at least T periods.
        g: (S, T) observations, 0 where not used.
        use: (S, T) true where observed.
        season: length of the short season, whose lag enters the errors.
    """
    count, length = g.shape
    spread = _spread(g, use)
    z = g / spread[:, None]
    prior = np.array([PRIOR[name] for name in design.groups])
    zero = np.zeros((count, len(prior)))
    ones = np.ones_like(zero)
    no_ar = np.zeros((count, 1))
    wide = (zero, ones * prior**2)
    (first,), _, (noise,) = _solve(design, z, use, no_ar, (1,), [wide], np.full(count, 0.5), passes=2)
    resid = _residuals(design, z, use, first)
    lags = _lags(length, season)
    ar = yule_walker(resid, use, lags)
    (beta,), variance, (noise,) = _solve(
        design, z, use, ar, lags, [wide], noise, previous=first, with_variance=True
    )
    pool, between = _pool(beta, variance, prior, design.groups)
    free = np.array([name not in OWN for name in design.groups])
    priors = []
    for pooling in (1.0, POOLED):
        spread_between = np.where(free, np.maximum(between * pooling**2, 1e-6), prior**2)
        priors.append((np.where(free, pool, 0.0) * ones, spread_between * ones))
    drawn, _, left = _solve(design, z, use, ar, lags, priors, noise, previous=beta)
    if count == 1:  # nothing to be drawn towards
        drawn[0], left[0] = beta, noise
    fits = []
    for own, sigma2 in zip(drawn, left, strict=True):
        resid = _residuals(design, z, use, own)
        fits.append(
            Fit(
                own * spread[:, None],
                pool,
                yule_walker(resid, use, lags),
                lags,
                resid * spread[:, None],
                np.sqrt(sigma2) * spread,
                tuple(design.groups),
            )
        )
    return fits[0], fits[1]


def _spread(g: Array, use: Mask) -> Array:
    n = np.maximum(use.sum(axis=1), 1)
    mean = g.sum(axis=1) / n
    sd = np.sqrt((np.where(use, g - mean[:, None], 0.0) ** 2).sum(axis=1) / n)
    typical = float(np.median(sd[sd > 0])) if (sd > 0).any() else 1.0
    return np.asarray(np.maximum(np.where(n >= 20, sd, typical), 0.05 * typical + 1e-9))


def _lags(length: int, season: int) -> tuple[int, ...]:
    if season == 7:
        return (1, 2, 3, 6, 7, 8, 14) if length >= 60 else (1, 7)
    return (1, 2, 3, 4) if length >= 40 else (1,)


def yule_walker(resid: Array, use: Mask, lags: tuple[int, ...]) -> Array:
    """(S, L) autoregression at chosen lags from autocovariances, shrunk where a series is short, stationary."""
    count, length = resid.shape
    top = max(lags)
    n = np.maximum(use.sum(axis=1), 1)
    cov = np.zeros((count, top + 1))
    for lag in range(min(top, length - 1) + 1):
        pairs = (use[:, lag:] & use[:, : length - lag]).sum(axis=1)
        product = (resid[:, lag:] * resid[:, : length - lag]).sum(axis=1)
        cov[:, lag] = product / np.maximum(pairs, 1) * (pairs > 0)
    base = np.maximum(cov[:, :1], 1e-12)
    rho = cov / base * (1.0 - np.arange(top + 1) / (n[:, None] + top + 1.0))
    rho *= (n / (n + 10.0))[:, None]
    rho[:, 0] = 1.0
    index = np.abs(np.subtract.outer(np.array(lags), np.array(lags)))
    matrix = rho[:, index] + 0.02 * np.eye(len(lags))
    phi = np.linalg.solve(matrix, rho[:, np.array(lags)][:, :, None])[:, :, 0]
    total = np.abs(phi).sum(axis=1, keepdims=True)
    return np.asarray(phi * np.minimum(1.0, 0.98 / np.maximum(total, 1e-9)))


def _whiten(values: Array, ar: Array, lags: tuple[int, ...]) -> Array:
    """Values (S, T, ...) less their autoregressive prediction; the first periods keep what is there."""
    out = values.copy()
    shape = (-1,) + (1,) * (values.ndim - 1)
    for k, lag in enumerate(lags):
        if lag < values.shape[1]:
            out[:, lag:] -= ar[:, k].reshape(shape) * values[:, :-lag]
    return out


def _solve(
    design: Design,
    z: Array,
    use: Mask,
    ar: Array,
    lags: tuple[int, ...],
    priors: list[tuple[Array, Array]],
    noise: Array,
    *,
    previous: Array | None = None,
    passes: int = 1,
    with_variance: bool = False,
) -> tuple[list[Array], Array, list[Array]]:
    """Posterior means (S, Q) and innovation variances (S,) under each prior, and the variance under the last.

    The prewhitened moments are the dear part and serve all priors.

    Args:
        priors: (mean, variance) of the coefficients, each (S, Q).
        noise: (S,) innovation variance to start from.
        previous: (S, Q) coefficients whose errors say which observations are outliers.
        passes: how often the innovation variance is estimated anew.
        with_variance: also give the posterior variance (zeros otherwise).
    """
    count, length = z.shape
    beta = [np.zeros_like(mean) for mean, _ in priors]
    sigma2 = [np.zeros(count) for _ in priors]
    variance = np.zeros_like(priors[-1][0])
    for lo in range(0, count, CHUNK):
        hi = min(lo + CHUNK, count)
        x = design.rows(lo, hi, length)
        w = use[lo:hi]
        target = np.where(w, z[lo:hi], 0.0)
        weight = w.astype(float)
        if previous is not None:  # an unobserved period counts as its fitted value in its neighbours' lags
            fitted = (x @ previous[lo:hi][:, :, None])[:, :, 0]
            target = np.where(w, target, fitted)
            weight = weight * _huber(_whiten(target - fitted, ar[lo:hi], lags), w)
        xw, yw = _whiten(x, ar[lo:hi], lags), _whiten(target, ar[lo:hi], lags)
        xt = np.swapaxes(xw * weight[:, :, None], 1, 2)
        gram, moment = xt @ xw, (xt @ yw[:, :, None])[:, :, 0]
        n, idx = weight.sum(axis=1), np.arange(gram.shape[1])
        for k, (mean, var) in enumerate(priors):
            s2 = noise[lo:hi]
            for _ in range(passes):
                precision = gram / s2[:, None, None]
                precision[:, idx, idx] += 1.0 / var[lo:hi]
                right = moment / s2[:, None] + mean[lo:hi] / var[lo:hi]
                b = np.linalg.solve(precision, right[:, :, None])[:, :, 0]
                error = (yw - (xw @ b[:, :, None])[:, :, 0]) ** 2 * weight
                s2 = np.clip((error.sum(axis=1) + 0.5) / (n + 2.0), 1e-4, 4.0)
            beta[k][lo:hi], sigma2[k][lo:hi] = b, s2
            if with_variance:
                variance[lo:hi] = np.linalg.inv(precision)[:, idx, idx]
    return beta, variance, sigma2


def _huber(innovation: Array, use: Mask) -> Array:
    """Weights that bound the pull of outliers (Huber 1964, at 3 median absolute deviations)."""
    size = np.abs(np.where(use, innovation, 0.0))
    typical = size.sum(axis=1, keepdims=True) / np.maximum(use.sum(axis=1, keepdims=True), 1)
    bound = 3.0 * 1.2533 * np.maximum(typical, 1e-9)
    return np.asarray(np.minimum(1.0, bound / np.maximum(size, 1e-12)))


def _residuals(design: Design, z: Array, use: Mask, beta: Array) -> Array:
    count, length = z.shape
    out = np.zeros_like(z)
    for lo in range(0, count, CHUNK):
        hi = min(lo + CHUNK, count)
        fitted = (design.rows(lo, hi, length) @ beta[lo:hi][:, :, None])[:, :, 0]
        out[lo:hi] = np.where(use[lo:hi], z[lo:hi] - fitted, 0.0)
    return out


def _pool(beta: Array, variance: Array, prior: Array, groups: list[str]) -> tuple[Array, Array]:
    """Mean (Q,) and between-series variance (Q,) of the coefficients, variance averaged within a group."""
    count = len(beta)
    shrunk = np.clip(1.0 - variance / prior**2, 0.02, 1.0)  # undo the first prior's pull towards zero
    raw, se2 = beta / shrunk, variance / shrunk
    tau2 = 0.25 * prior**2
    for _ in range(3):
        weight = 1.0 / (se2 + tau2)
        mean = (weight * raw).sum(axis=0) / (weight.sum(axis=0) + 1.0 / prior**2)
        excess = (weight**2 * ((raw - mean) ** 2 - se2)).sum(axis=0) / (weight**2).sum(axis=0)
        own = np.maximum(excess, 0.0)
        blend = np.zeros_like(own)
        for group in set(groups):
            at = np.array([g == group for g in groups])
            blend[at] = own[at].mean()
        tau2 = (3.0 * 0.05 * prior**2 + count * (0.5 * own + 0.5 * blend)) / (3.0 + count)
        tau2 = np.maximum(tau2, 1e-4 * prior**2)
    return mean, tau2


def forecast_errors(fit: Fit, horizon: int) -> Array:
    """(S, H) expected errors ahead, from the autoregression."""
    count, length = fit.resid.shape
    path = np.concatenate([fit.resid, np.zeros((count, horizon))], axis=1)
    for h in range(horizon):
        t = length + h
        for k, lag in enumerate(fit.lags):
            if t - lag >= 0:
                path[:, t] += fit.ar[:, k] * path[:, t - lag]
    return path[:, length:]
