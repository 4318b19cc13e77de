"""Adstock and saturation: the functions, and the grid of candidates that a fit averages over.

Every adstock kernel is normalised (its weights sum to one), so an adstocked series keeps the units of the
input. Saturations act on x / reference, so their constants are free of units. Sources: geometric and delayed
adstock and the Hill curve from Jin et al. (2017), "Bayesian Methods for Media Mix Modeling with Carryover
and Shape Effects"; the Weibull kernel from Robyn's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Adstock:
    """A carryover kernel: `kind` geometric | delayed | weibull, with its two constants (per period)."""

    kind: str
    decay: float
    delay: float = 0.0

    def weights(self, length: int) -> Array:
        """Kernel of `length` lags, lag 0 first, summing to one."""
        lag = np.arange(length, dtype=float)
        if self.kind == "geometric":
            w = np.where(lag == 0, 1.0, self.decay**lag if self.decay > 0 else 0.0)
        elif self.kind == "delayed":
            w = self.decay ** ((lag - self.delay) ** 2)
        elif self.kind == "weibull":
            # density of a Weibull with shape `decay` and scale `delay`, taken at lag + 1
            z = (lag + 1.0) / self.delay
            w = z ** (self.decay - 1.0) * np.exp(-(z**self.decay))
        else:
            raise ValueError(f"unknown adstock kind {self.kind!r}")
        total = float(w.sum())
        return np.asarray(w / total, dtype=float)

    @property
    def label(self) -> str:
        return f"{self.kind}({self.decay:g},{self.delay:g})"


@dataclass(frozen=True)
class Saturation:
    """A saturation curve: `kind` hill | negexp | logistic | log | linear, half-point `scale`, `shape` (hill)."""

    kind: str
    scale: float
    shape: float = 1.0

    def apply(self, x: Array) -> Array:
        """The curve at x >= 0 (units of the reference level); zero at zero and non-decreasing."""
        if self.kind == "linear":
            return np.asarray(x, dtype=float)
        z = x / self.scale
        if self.kind == "hill":
            p = z if self.shape == 1.0 else z**self.shape
            return np.asarray(p / (1.0 + p), dtype=float)
        if self.kind == "negexp":
            return np.asarray(-np.expm1(-np.log(2.0) * z), dtype=float)
        if self.kind == "logistic":
            return np.asarray(np.tanh(np.arctanh(0.5) * z), dtype=float)
        if self.kind == "log":
            return np.asarray(np.log1p(z), dtype=float)
        raise ValueError(f"unknown saturation kind {self.kind!r}")

    @property
    def label(self) -> str:
        return f"{self.kind}({self.scale:g},{self.shape:g})"


def adstock_series(x: Array, kernel: Array, carry_in: Array | None = None) -> Array:
    """Causal convolution along the last axis: y[t] = sum_l kernel[l] x[t-l].

    `carry_in` (..., L) is the input before the first period, newest last; without it the past is zero.
    """
    length = kernel.shape[0]
    if carry_in is not None and carry_in.shape[-1]:
        joined = np.concatenate([carry_in, x], axis=-1)
        return adstock_series(joined, kernel)[..., carry_in.shape[-1] :]
    out = kernel[0] * x
    for lag in range(1, min(length, x.shape[-1])):
        if kernel[lag] == 0.0:
            continue
        out[..., lag:] += kernel[lag] * x[..., :-lag]
    return np.asarray(out, dtype=float)


@dataclass(frozen=True)
class Grid:
    """The declared candidates: every adstock with every saturation, and the log prior of each pair.

    `adstocks` A, `saturations` S; candidate j is (j // S, j % S); `log_prior` has length A * S.
    """

    adstocks: tuple[Adstock, ...]
    saturations: tuple[Saturation, ...]
    log_prior: Array
    length: int

    def __len__(self) -> int:
        return len(self.adstocks) * len(self.saturations)

    def pair(self, j: int) -> tuple[Adstock, Saturation]:
        return self.adstocks[j // len(self.saturations)], self.saturations[j % len(self.saturations)]

    def kernels(self) -> Array:
        """(A, length) kernel matrix."""
        return np.stack([a.weights(self.length) for a in self.adstocks])


def candidate_grid(periods_per_week: int = 1, length: int = 26) -> Grid:
    """The grid of transformations with its prior. Families share the prior mass equally.

    The half-saturation point is relative to the mean non-zero adstocked level; its prior is log-normal around
    that level (log sd 0.75). Decays are per week and rescaled for daily data.
    """
    step = 1.0 / periods_per_week
    adstocks: list[Adstock] = []
    log_a: list[float] = []
    # fine steps: with little noise, a curve between two coarse ones would fall outside both
    decays = [0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.88]
    prior = np.array([1.4, 1.8, 1.5, *([1.1] * 9), 1.0, 1.0, 0.9, 0.6])
    for decay, p in zip(decays, 0.7 * prior / prior.sum(), strict=True):
        adstocks.append(Adstock("geometric", round(decay**step, 6) if decay else 0.0))
        log_a.append(float(np.log(p)))
    delayed = [(d, float(t)) for t in (1, 2, 3) for d in (0.3, 0.5, 0.7, 0.85)]
    for decay, delay in delayed:
        adstocks.append(Adstock("delayed", round(decay ** (step**2), 8), delay * periods_per_week))
        log_a.append(float(np.log(0.24 / len(delayed))))
    weibull = [(1.5, 2.0), (2.0, 4.0)]
    for shape, scale in weibull:
        adstocks.append(Adstock("weibull", shape, scale * periods_per_week))
        log_a.append(float(np.log(0.06 / len(weibull))))

    saturations: list[Saturation] = []
    log_s: list[float] = []

    def family(
        kind: str, scales: Array, shapes: tuple[float, ...], shape_p: tuple[float, ...], mass: float
    ) -> None:
        weight = np.exp(-0.5 * (np.log(scales) / 0.75) ** 2)
        weight = weight / weight.sum()
        for shape, sp in zip(shapes, shape_p, strict=True):
            for scale, w in zip(scales, weight, strict=True):
                saturations.append(Saturation(kind, float(round(scale, 6)), shape))
                log_s.append(float(np.log(mass * sp * w)))

    shapes = (0.7, 1.0, 1.5, 2.0, 3.0)
    family("hill", np.geomspace(0.2, 5.0, 13), shapes, (0.15, 0.35, 0.25, 0.20, 0.05), 0.48)
    family("negexp", np.geomspace(0.2, 4.0, 12), (1.0,), (1.0,), 0.22)
    family("logistic", np.geomspace(0.2, 4.0, 12), (1.0,), (1.0,), 0.22)
    family("log", np.geomspace(0.2, 5.0, 4), (1.0,), (1.0,), 0.05)
    saturations.append(Saturation("linear", 1.0))
    log_s.append(float(np.log(0.03)))
    joint = np.add.outer(np.array(log_a), np.array(log_s)).ravel()
    return Grid(tuple(adstocks), tuple(saturations), joint, length)
