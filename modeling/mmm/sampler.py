"""Collapsed Gibbs sampling on the grid: each step redraws one channel's transformation, support and return.

Given the other channels, a channel's return enters the likelihood as a Gaussian, so for every one of its J
candidate transformations the integral over a positive return is closed form, and so is the alternative that
the channel does nothing. One draw therefore moves carryover, saturation family and shape, support and return
together, over the whole grid: no tuning and no rejected moves. Noise variance and the error model (how much
unseen demand drifts) are drawn from their exact conditionals with the nuisance integrated out. The prior of
returns is a mixture of truncated normals that follows a log-normal, around a common scale that is learned
(partial pooling); support is the spike-and-slab of Mitchell and Beauchamp (1988).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtri_exp

from modeling.mmm.baseline import Moments
from modeling.mmm.transforms import Array

# weights, means and spreads of the slab, relative to the common scale: close to a log-normal of log-sd 0.8
_SLAB_W = np.array([0.50, 0.37, 0.13])
_SLAB_M = np.array([0.60, 1.35, 3.0])
_SLAB_S = np.array([0.35, 0.70, 1.8])
_MODEL_SET = 15
_MODEL_DRAW = 8
_HEAT = 100.0
#: Rows beyond which more of them stop sharpening the posterior: no mix model is right to the last digit, so the
#: likelihood is raised to 1 / (1 + rows / this) (the coarsened posterior of Miller and Dunson 2019).
_COARSE_ROWS = 6000.0
_SLAB_NORM = log_ndtr(_SLAB_M / _SLAB_S)

# log Phi(z) + min(z, 0)^2 / 2 on a fine grid: the tail integral of every candidate without a special-function call
_TABLE_LOW, _TABLE_HIGH, _TABLE_STEP = -60.0, 8.0, 0.004
_TABLE_Z = np.arange(_TABLE_LOW, _TABLE_HIGH + _TABLE_STEP, _TABLE_STEP)
_TABLE = np.where(
    _TABLE_Z >= 0, log_ndtr(_TABLE_Z), np.log(0.5 * erfcx(-np.minimum(_TABLE_Z, 0) / np.sqrt(2.0)))
)


def log_tail_mass(z: Array) -> Array:
    """z^2 / 2 + log Phi(z), from a table (error below 1e-5; flat beyond z = -60)."""
    at = ((np.clip(z, _TABLE_LOW, _TABLE_HIGH) - _TABLE_LOW) * (1.0 / _TABLE_STEP)).astype(np.int32)
    return np.asarray(_TABLE[at] + 0.5 * np.square(np.maximum(z, 0.0)))


@dataclass(frozen=True)
class Prior:
    """Named prior choices.

    scale_center and scale_sd: log-normal prior of the common return scale (money per money); support: prior
    probability that a channel does anything; sign: "positive" truncates returns at zero, "free" does not.
    """

    scale_center: float = 1.3
    scale_sd: float = 1.0
    support: float = 0.85
    sign: str = "positive"


@dataclass(frozen=True)
class Block:
    """One unknown of the additive part: candidate columns coefs (R, J) over its slice of the moments' bases.

    log_prior (J,); lift_effect (L, J) with lift_mean, lift_sd (L,); support: prior probability of any effect;
    fixed_scale: the slab's scale when it is not the channels' learned return scale (a demand term).
    """

    coefs: Array
    log_prior: Array
    lift_effect: Array
    lift_mean: Array
    lift_sd: Array
    support: float
    fixed_scale: float | None = None


@dataclass
class Draws:
    """Posterior draws: candidate (S, C), gamma (S, C) return (zero when unsupported), model (S,), sigma2 (S,),
    support (C,): Rao-Blackwellised probability that the channel does anything, chain (S,).

    coefficient (S, C): what the model's linear scale multiplies; it differs from the return in the multiplicative form.
    """

    candidate: np.ndarray
    gamma: Array
    coefficient: Array
    model: np.ndarray
    sigma2: Array
    support: Array
    scale: Array
    chain: np.ndarray


def _slab_log_density(gamma: Array, scale: Array) -> Array:
    """log density of positive returns under the mixture: gamma (...,), scale broadcastable."""
    z = (gamma[..., None] / scale[..., None] - _SLAB_M) / _SLAB_S
    part = np.log(_SLAB_W) - 0.5 * z**2 - np.log(_SLAB_S * np.sqrt(2 * np.pi)) - _SLAB_NORM
    return np.asarray(np.logaddexp.reduce(part, axis=-1) - np.log(scale))


def _truncated_normal(mean: Array, sd: Array, rng: np.random.Generator) -> Array:
    """One draw each from N(mean, sd) cut to (0, inf), by inversion in logs."""
    log_tail = log_ndtr(mean / sd)
    u = np.log(rng.uniform(size=mean.shape)) + log_tail
    return np.asarray(np.maximum(mean - sd * ndtri_exp(u), 1e-12))


class _View:
    """A block during sampling: its live candidates and their squared norms under each error model, on demand."""

    def __init__(self, block: Block, where: slice, gram: Array) -> None:
        self.coefs, self.log_prior = block.coefs, block.log_prior
        self.lift_effect, self.lift_mean, self.lift_sd = block.lift_effect, block.lift_mean, block.lift_sd
        self.support, self.fixed_scale = block.support, block.fixed_scale
        self.index = np.arange(block.coefs.shape[1])
        self.mass = np.zeros(block.coefs.shape[1])
        self._gram, self._where = gram, where
        self._norms: dict[int, Array] = {}

    def norms(self, models: np.ndarray) -> Array:
        """(chains, J) squared norms of the live candidates."""
        for h in set(models.tolist()) - self._norms.keys():
            g = self._gram[h][self._where, self._where]
            self._norms[h] = np.maximum(((g @ self.coefs) * self.coefs).sum(axis=0), 1e-12)
        return np.stack([self._norms[int(h)] for h in models])

    def prune(self, keep: float = 0.998) -> None:
        """Drop the candidates that together held less than 1 - keep of the conditional mass while warming up."""
        if len(self.index) < 64 or self.mass.sum() <= 0:
            return
        order = np.argsort(-self.mass, kind="stable")
        covered = np.cumsum(self.mass[order]) / self.mass.sum()
        live = np.sort(order[: int(np.searchsorted(covered, keep)) + 1])
        self.coefs, self.log_prior = np.ascontiguousarray(self.coefs[:, live]), self.log_prior[live]
        self.lift_effect, self.index = self.lift_effect[:, live], self.index[live]
        self._norms = {h: n[live] for h, n in self._norms.items()}


def sample(
    moments: Moments,
    unknowns: list[Block],
    prior: Prior,
    *,
    seed: int,
    chains: int = 4,
    warmup: int = 100,
    keep: int = 250,
) -> Draws:
    """Draw from the posterior; `keep` sweeps per chain after `warmup`. Moments hold bases in order, KPI last."""
    rng = np.random.default_rng(seed)
    ranks = [d.coefs.shape[0] for d in unknowns]
    starts = np.concatenate([[0], np.cumsum(ranks)])
    blocks = [slice(int(a), int(b)) for a, b in itertools.pairwise(starts)]
    p = int(starts[-1])
    n_c, n_h = len(unknowns), len(moments.models)
    gram = moments.gram
    bottom = 0.5 * moments.dof
    coarse = 1.0 + moments.dof / _COARSE_ROWS

    views = [_View(d, b, gram) for d, b in zip(unknowns, blocks, strict=True)]
    grid_scale = np.exp(np.linspace(-2.6, 2.6, 41) * prior.scale_sd) * prior.scale_center
    grid_prior = -0.5 * (np.log(grid_scale / prior.scale_center) / prior.scale_sd) ** 2
    learned = np.array([d.fixed_scale is None for d in unknowns])

    s = np.zeros((chains, p))
    gamma = np.zeros((chains, n_c))
    candidate = np.zeros((chains, n_c), dtype=int)
    start_h = rng.integers(0, n_h, size=chains)
    h = start_h
    sigma2 = np.array([gram[k][p, p] / moments.dof for k in h])
    scale = np.full(chains, prior.scale_center)
    out_c = np.empty((keep, chains, n_c), dtype=int)
    out_g = np.empty((keep, chains, n_c))
    out_h = np.empty((keep, chains), dtype=int)
    out_s = np.empty((keep, chains))
    out_scale = np.empty((keep, chains))
    support = np.zeros(n_c)

    for sweep in range(warmup + keep):
        if sweep == warmup:
            for view in views:
                view.prune()
        # start hot: a larger noise variance lets the chains cross between transformations before they settle
        heat = float(_HEAT ** max(0.0, 1.0 - sweep / max(1.0, 0.5 * warmup)))
        hot = sigma2 * heat * coarse
        for c in rng.permutation(n_c):
            d, b = views[c], blocks[c]
            s[:, b] = 0.0
            cross = np.stack([gram[h[k]][b, p] - gram[h[k]][b, :p] @ s[k] for k in range(chains)])
            precision = d.norms(h) / hot[:, None]
            linear = (cross @ d.coefs) / hot[:, None]
            for test in range(len(d.lift_mean)):
                effect = d.lift_effect[test]
                precision = precision + (effect / d.lift_sd[test]) ** 2
                linear = linear + effect * d.lift_mean[test] / d.lift_sd[test] ** 2
            log_in, log_out = np.log(d.support), np.log1p(-d.support)
            own = scale if d.fixed_scale is None else np.full(chains, d.fixed_scale)
            m = _SLAB_M * own[:, None]
            v = (_SLAB_S * own[:, None]) ** 2
            constant = np.log(_SLAB_W) - _SLAB_NORM - 0.5 * m**2 / v - 0.5 * np.log(v) + log_in
            root = np.sqrt(precision[:, None, :] + (1.0 / v)[:, :, None])
            z = (linear[:, None, :] + (m / v)[:, :, None]) / root
            log_mass = log_tail_mass(z) - np.log(root) + constant[:, :, None] + d.log_prior
            flat = log_mass.reshape(chains, -1)
            top = np.maximum(flat.max(axis=1), log_out)
            weight = np.exp(flat - top[:, None])
            mass_in = weight.sum(axis=1)
            p_in = mass_in / (mass_in + np.exp(log_out - top))
            cumulative = np.cumsum(weight, axis=1)
            u = rng.uniform(size=chains) * cumulative[:, -1]
            pick = np.array([np.searchsorted(cumulative[k], u[k]) for k in range(chains)])
            pick = np.minimum(pick, flat.shape[1] - 1)
            slab, j = pick // d.coefs.shape[1], pick % d.coefs.shape[1]
            row = np.arange(chains)
            spread = 1.0 / root[row, slab, j]
            value = _truncated_normal(z[row, slab, j] * spread, spread, rng)
            inside = rng.uniform(size=chains) < p_in
            gamma[:, c] = np.where(inside, value, 0.0)
            candidate[:, c] = d.index[j]
            s[:, b] = gamma[:, c][:, None] * d.coefs[:, j].T
            if sweep >= warmup:
                support[c] += p_in.sum()
            elif 2 * sweep >= warmup:
                per_candidate = weight.reshape(chains, len(_SLAB_W), -1).sum(axis=1)
                d.mass += (per_candidate / mass_in[:, None]).sum(axis=0)
        vector = np.concatenate([s, np.full((chains, 1), -1.0)], axis=1)
        if n_h <= _MODEL_SET:
            every = ((gram @ vector.T) * vector.T).sum(axis=1)
        for k in range(chains):
            # a uniform random set that holds the current model, then an exact draw within it: reversible
            if n_h <= _MODEL_SET:  # the national grid has as many
                near, rss = np.arange(n_h), every[:, k]
            else:
                others = rng.choice(n_h - 1, size=_MODEL_DRAW - 1, replace=False)
                near = np.r_[h[k], others + (others >= h[k])]
                rss = np.array([vector[k] @ gram[i] @ vector[k] for i in near])
            rss = np.maximum(rss, 1e-12)
            log_p = (moments.logdet[near] - bottom * np.log(rss)) / coarse + moments.log_prior[near]
            weight_h = np.exp(log_p - log_p.max())
            at = min(int(np.searchsorted(np.cumsum(weight_h), rng.uniform() * weight_h.sum())), len(near) - 1)
            h[k] = near[at]
            sigma2[k] = 0.5 * rss[at] / rng.gamma(bottom)
            on = (gamma[k] > 0) & learned
            log_s = grid_prior.copy()
            if on.any():
                log_s = log_s + _slab_log_density(gamma[k][on][None, :], grid_scale[:, None]).sum(axis=1)
            weight_s = np.exp(log_s - log_s.max())
            scale[k] = grid_scale[np.searchsorted(np.cumsum(weight_s), rng.uniform() * weight_s.sum())]
        if sweep >= warmup:
            i = sweep - warmup
            out_c[i], out_g[i], out_h[i], out_s[i], out_scale[i] = candidate, gamma, h, sigma2, scale
    total = keep * chains
    return Draws(
        candidate=out_c.reshape(total, n_c),
        gamma=out_g.reshape(total, n_c),
        coefficient=out_g.reshape(total, n_c),
        model=out_h.reshape(total),
        sigma2=out_s.reshape(total),
        support=support / total,
        scale=out_scale.reshape(total),
        chain=np.tile(np.arange(chains), keep),
    )
