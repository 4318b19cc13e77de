"""The fit: panel in, posterior out. No files, no SQL, no global state; equal inputs and seed, equal bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from modeling.mmm import baseline, sampler
from modeling.mmm.baseline import Deviations, ErrorModel, Frame
from modeling.mmm.demand import demand_controls, demand_term
from modeling.mmm.dictionary import ChannelDictionary, build_dictionary, refined
from modeling.mmm.panel import Panel
from modeling.mmm.sampler import Block, Draws, Prior
from modeling.mmm.signs import NEGATIVE_T, free_t_values
from modeling.mmm.threads import one_thread
from modeling.mmm.transforms import Array, candidate_grid

_SPREADS = np.array([0.03, 0.12, 0.25, 0.45, 0.8])
_MAX_DEVIATIONS = 170


@dataclass(frozen=True)
class Options:
    """Named choices of a fit.

    support_threshold: a channel is `supported` when the posterior probability that it does anything reaches
    this; chasing: prior probability that a channel's spend follows unseen demand (`chasers` get
    `chaser_prior`); chains x keep sweeps are kept after `warmup`.
    """

    prior: Prior = field(default_factory=Prior)
    support_threshold: float = 0.80
    chasing: float = 0.15
    chaser_prior: float = 0.5
    chasers: tuple[str, ...] = ()
    demand_scale: float = 0.03
    chains: int = 4
    warmup: int = 60
    keep: int = 150
    seed: int = 0


@dataclass(frozen=True)
class Posterior:
    """A fitted panel.

    channels: positions of the modelled channels (those with spend); dictionaries and draws in that order; draws'
    columns after the channels belong to the demand terms, of the channels at the positions `demand_of`; `blind`:
    draws of a short fit without experiments (geo panels), of the candidates of the dictionaries `first`.
    """

    panel: Panel
    options: Options
    channels: tuple[int, ...]
    dictionaries: tuple[ChannelDictionary, ...]
    demand_basis: tuple[Array, ...]
    frame: Frame
    draws: Draws
    models: list[ErrorModel]
    demand_of: tuple[int, ...] = ()
    blind: Draws | None = None
    first: tuple[ChannelDictionary, ...] = ()

    @cached_property
    def contradicted(self) -> NDArray[np.bool_]:
        """(C,) whether the data, asked without the sign constraint, put a modelled channel below zero."""
        if self.options.prior.sign != "positive":
            return np.zeros(len(self.channels), dtype=bool)
        return free_t_values(self.panel)[list(self.channels)] < NEGATIVE_T

    @property
    def n_channels(self) -> int:
        return len(self.channels)

    def returns(self) -> Array:
        """(S, C) draws of each modelled channel's return."""
        return self.draws.gamma[:, : self.n_channels]

    def support(self) -> Array:
        return self.draws.support[: self.n_channels]

    def demand_controlled(self, i: int) -> bool:
        """Whether the channel is a declared chaser whose shared demand was integrated out."""
        name = self.panel.channels[self.channels[i]]
        return any(n.startswith(f"demand:{name}:") for n in self.frame.nuisance_names)

    def modal_model(self) -> ErrorModel:
        """The error model drawn most often."""
        keys = [(m.kernel, m.national_white, m.national_drift, m.geo_drift) for m in self.models]
        counts: dict[tuple[int, float, float, float], int] = {}
        for h in self.draws.model:
            counts[keys[h]] = counts.get(keys[h], 0) + 1
        best = max(sorted(counts), key=lambda k: counts[k])
        return self.models[keys.index(best)]


def spent(panel: Panel) -> tuple[int, ...]:
    """Channels with any spend and any exposure."""
    return tuple(
        c for c in range(panel.shape[2]) if panel.spend[c].sum() > 0 and bool((panel.exposure[c] > 0).any())
    )


@one_thread
def fit(panel: Panel, options: Options = Options()) -> Posterior:
    """Sample the posterior of the panel.

    Raises:
        ValueError: no channel has spend, or the nuisance columns are collinear beyond repair.
    """
    channels = spent(panel)
    if not channels:
        raise ValueError("no channel has any spend")
    g, t, _ = panel.shape
    grid = candidate_grid(panel.periods_per_week, length=min(t, 26 * panel.periods_per_week))
    rank = 48 if g * t * len(channels) < 60_000 and len(channels) <= 8 else 24
    dictionaries = tuple(build_dictionary(panel, c, grid, rank) for c in channels)
    marginal = {c: panel.channels[c] for c in channels if g > 1 and panel.channels[c] in options.chasers}
    frame = baseline.build_frame(panel, {n: demand_controls(panel, c) for c, n in marginal.items()})
    demand = _demand(panel, channels, marginal, options)
    design = _design(panel, dictionaries, demand, options)
    blind, first = None, dictionaries
    if g == 1:
        moments = baseline.moments(frame, design.columns, baseline.error_grid(g))
    else:
        pilot, kept = _pilot(frame, design, options, g)
        deviations = _deviations(panel, dictionaries, pilot)
        dictionaries = tuple(
            refined(panel, c, d, pilot.candidate[:, i], rank)
            for i, (c, d) in enumerate(zip(channels, dictionaries, strict=True))
        )
        design = _design(panel, dictionaries, demand, options)
        moments = baseline.moments(frame, design.columns, kept, deviations)
        blind = with_returns(panel, first, pilot)
    draws = sampler.sample(
        moments,
        design.unknowns,
        options.prior,
        seed=options.seed,
        chains=options.chains,
        warmup=options.warmup,
        keep=options.keep,
    )
    return Posterior(
        panel,
        options,
        channels,
        dictionaries,
        demand.basis,
        frame,
        with_returns(panel, dictionaries, draws),
        moments.models,
        demand.of,
        blind,
        first,
    )


@dataclass(frozen=True)
class _Design:
    """What is sampled: blocks of unknowns, and their columns (N, G, T) with the outcome last."""

    unknowns: list[Block]
    columns: Array


@dataclass(frozen=True)
class _Demand:
    """The demand terms: their columns (R, G, T), blocks of unknowns, and their channels' positions."""

    basis: tuple[Array, ...]
    blocks: list[Block]
    of: tuple[int, ...]


def _demand(
    panel: Panel, channels: tuple[int, ...], marginal: Mapping[int, str], options: Options
) -> _Demand:
    basis, blocks, positions = [], [], []
    empty = np.zeros(0)
    for i, c in enumerate(channels):
        odds = options.chaser_prior if panel.channels[c] in options.chasers else options.chasing
        if odds <= 0 or c in marginal:
            continue
        term = demand_term(panel, c, declared=panel.channels[c] in options.chasers)
        n = len(term.log_prior)
        basis.append(term.basis)
        blocks.append(
            Block(term.coefs, term.log_prior, np.zeros((0, n)), empty, empty, odds, options.demand_scale)
        )
        positions.append(i)
    return _Demand(tuple(basis), blocks, tuple(positions))


def _design(
    panel: Panel, dictionaries: tuple[ChannelDictionary, ...], demand: _Demand, options: Options
) -> _Design:
    blocks = [
        Block(d.coefs, d.log_prior, d.lift_effect, d.lift_mean, d.lift_sd, options.prior.support)
        for d in dictionaries
    ]
    columns = np.concatenate([*(d.basis for d in dictionaries), *demand.basis, panel.outcome[None]])
    return _Design([*blocks, *demand.blocks], columns)


def with_returns(panel: Panel, dictionaries: tuple[ChannelDictionary, ...], draws: Draws) -> Draws:
    """The draws with gamma as returns: what would be lost if a channel went dark, over its spend.

    Where effects multiply, a log effect x takes y (1 - exp(-x)) away, not y x. The mean over the panel is
    (1 - exp(-z)) / z at the effect-weighted mean z of x, exact to second order.
    """
    if panel.form == "additive":
        return draws
    gamma = draws.gamma.copy()
    for i, d in enumerate(dictionaries):
        flat = d.basis.reshape(len(d.basis), -1)
        weight = panel.effect_money
        first = flat @ weight.ravel()
        second = (flat * (weight / panel.typical).ravel()) @ flat.T
        picks = draws.candidate[:, i]
        coefs = d.coefs[:, picks]
        linear = np.maximum(first @ coefs, 1e-300)
        z = np.maximum(draws.coefficient[:, i] * ((second @ coefs) * coefs).sum(axis=0) / linear, 1e-12)
        gamma[:, i] = draws.coefficient[:, i] * -np.expm1(-z) / z
    return replace(draws, gamma=gamma)


def _pilot(frame: Frame, design: _Design, options: Options, g: int) -> tuple[Draws, list[ErrorModel]]:
    """A short fit of a geo panel without experiments or own effects of places, and the error models worth keeping."""
    models = [m for m in baseline.error_grid(g) if m.national_white in (0.0, 0.5) and m.geo_drift != 0.001]
    moments = baseline.moments(frame, design.columns, models)
    none = np.zeros(0)
    untested = [
        replace(u, lift_effect=u.lift_effect[:0], lift_mean=none, lift_sd=none) for u in design.unknowns
    ]
    pilot = sampler.sample(
        moments, untested, options.prior, seed=options.seed + 1, chains=2, warmup=25, keep=30
    )
    return pilot, _nearby(moments.models, pilot.model, baseline.error_grid(g))


def _deviations(panel: Panel, dictionaries: tuple[ChannelDictionary, ...], pilot: Draws) -> Deviations:
    """Columns for the places' own effects around each channel's typical transformation in the pilot.

    The deviations' spend-weighted mean is held at zero, so that the channel's coefficient stays the realised
    national return.
    """
    g = panel.shape[0]
    n_groups = min(g, max(2, _MAX_DEVIATIONS // len(dictionaries)))
    order = np.argsort(-panel.size, kind="stable")
    group = np.empty(g, dtype=int)
    group[order] = np.arange(g) % n_groups if n_groups < g else np.arange(g)
    columns = []
    money = panel.effect_money
    for c, d in enumerate(dictionaries):
        effect = pilot.gamma[:, c]
        level = max(float(np.median(effect)), 0.25 * float(np.median(pilot.scale)))
        typical = np.zeros(d.basis.shape[0])
        for s in range(len(effect)):
            typical += d.coefs[:, pilot.candidate[s, c]]
        curve = level * np.einsum("r,rgt->gt", typical / len(effect), d.basis)
        share = np.array([float((curve * money)[group == k].sum()) for k in range(n_groups)])
        share = share / share.sum() if share.sum() > 0 else np.full(n_groups, 1.0 / n_groups)
        for k in range(n_groups):
            own = np.where((group == k)[:, None], curve, 0.0)
            columns.append(own - share[k] * curve)
    noise = float(np.median(pilot.sigma2))
    return Deviations(np.stack(columns), noise / _SPREADS**2, np.zeros(len(_SPREADS)))


def _nearby(models: list[ErrorModel], drawn: np.ndarray, grid: list[ErrorModel]) -> list[ErrorModel]:
    """Error models within one grid step of those that the pilot visited often enough (at most 27)."""
    axes = [
        sorted({getattr(m, name) for m in grid}) for name in ("national_white", "national_drift", "geo_drift")
    ]

    def position(m: ErrorModel) -> np.ndarray:
        values = (m.national_white, m.national_drift, m.geo_drift)
        return np.array([axis.index(v) for axis, v in zip(axes, values, strict=True)])

    counts = np.bincount(drawn, minlength=len(models))
    centre = position(models[int(np.argmax(counts))])
    return [m for m in grid if np.abs(position(m) - centre).max() <= 1]
