"""Each channel's dictionary: what every candidate transformation does to the panel, in a compressed basis.

A channel's J candidate columns (one per adstock x saturation x reading of the exposure) are smooth functions
of one series, so they span a space of few dimensions. The columns are written as B @ coefs, where B holds R
of the candidates themselves (the skeleton, chosen by pivoted QR on a sample of rows), and only those R are
ever evaluated on all rows. Every column is scaled so that its coefficient is the channel's return on spend:
money caused over the window / money spent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

from modeling.mmm.panel import LiftTest, Panel
from modeling.mmm.refine import finer
from modeling.mmm.transforms import Array, Grid, adstock_series

_SAMPLE_ROWS = 1600
#: Relative error of a column that is written in the skeleton: far below what noise lets a curve be known.
_TOLERANCE = 1e-3
_OVERSAMPLING = 24


@dataclass(frozen=True)
class ChannelDictionary:
    """One channel's candidates.

    basis (R, G, T): skeleton columns, in KPI per unit of size and return; coefs (R, J); log_prior (J,);
    lift_effect (L, J): KPI in each lift test's window per unit of return; scale (J,): the factor that turned
    the raw curve into a return column; reference (V,): the exposure level of each reading.
    """

    basis: Array
    coefs: Array
    log_prior: Array
    lift_effect: Array
    lift_mean: Array
    lift_sd: Array
    scale: Array
    reference: Array
    readings: tuple[Array, ...]
    grid: Grid

    @property
    def n_candidates(self) -> int:
        return int(self.coefs.shape[1])

    def parts(self, j: int) -> tuple[int, int, int]:
        """(reading, adstock, saturation) of candidate j."""
        n_s = len(self.grid.saturations)
        reading, rest = divmod(j, len(self.grid.adstocks) * n_s)
        return reading, rest // n_s, rest % n_s

    def raw_curve(self, j: int, exposure: Array, carry_in: Array | None = None) -> Array:
        """Candidate j's saturation of the adstocked `exposure` (..., T), before scaling."""
        reading, a, s = self.parts(j)
        kernel = self.grid.adstocks[a].weights(self.grid.length)
        x = adstock_series(exposure / self.reference[reading], kernel, carry_in)
        return self.grid.saturations[s].apply(x)


def readings_of(panel: Panel, channel: int) -> tuple[Array, ...]:
    """The channel's exposure readings (G, T), per unit of geography size."""
    raw = (panel.exposure[channel], *panel.exposure_variants.get(channel, ()))
    return tuple(r / panel.size[:, None] for r in raw)


def _reference(reading: Array, length: int) -> float:
    """Mean of the positive exposure: the level at which a half-saturation scale of one bites."""
    positive = reading[reading > 0]
    return float(positive.mean()) if positive.size else 1.0


def _evaluate(grid: Grid, adstocked: Array, candidates: Array | None = None) -> Array:
    """Raw curves for adstocked inputs (A, N): (J, N), or only the listed candidates."""
    n_s = len(grid.saturations)
    if candidates is None:
        out = np.empty((len(grid), adstocked.shape[1]))
        for s, saturation in enumerate(grid.saturations):
            out[s::n_s] = saturation.apply(adstocked)
        return out
    return np.stack([grid.saturations[j % n_s].apply(adstocked[j // n_s]) for j in candidates])


def _adstock_all(grid: Grid, x: Array) -> Array:
    """(A, N) adstocked copies of x (G, T), flattened by rows of geographies."""
    kernels = grid.kernels()
    g, t = x.shape
    lags = min(grid.length, t)
    padded = np.concatenate([np.zeros((g, lags - 1)), x], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, lags, axis=1)[:, :, ::-1]
    return np.asarray(np.tensordot(kernels[:, :lags], windows, axes=(1, 2)).reshape(len(kernels), g * t))


def _skeleton(sample: Array, tolerance: float, max_rank: int) -> tuple[Array, Array]:
    """Skeleton indices (R,) of the sampled columns (J, N), and coefs (R, J) of all in the skeleton by least squares.

    The skeleton is chosen by pivoted QR in the principal directions of random mixtures of the rows, a few more than
    the rank asked for (Halko, Martinsson and Tropp 2011, section 5.2): the same span at a fraction of the cost.
    """
    norms = np.sqrt(np.einsum("jn,jn->j", sample, sample))
    norms[norms == 0] = 1.0
    unit = sample / norms[:, None]
    mixtures = max_rank + _OVERSAMPLING
    mixed = unit
    if mixtures < unit.shape[1]:
        mixed = unit @ np.random.default_rng(0).standard_normal((unit.shape[1], mixtures))
    values, vectors = np.linalg.eigh(mixed.T @ mixed)
    # without what is below the tolerance, where which column comes next would hang on the last digits of the input
    reduced = (mixed @ vectors[:, values > values[-1] * tolerance**2]).T
    r, pivot = qr(reduced, mode="r", pivoting=True)
    diagonal = np.abs(np.diag(r))
    rank = int(min(max_rank, np.sum(diagonal > tolerance * diagonal[0])))
    chosen = pivot[:rank]
    q, own = np.linalg.qr(unit[chosen].T)
    coefs = solve_triangular(own, q.T @ unit.T)
    return chosen, coefs * norms[None, :] / norms[chosen][:, None]


def build_dictionary(panel: Panel, channel: int, grid: Grid, max_rank: int = 48) -> ChannelDictionary:
    """The channel's dictionary for this panel. Raises ValueError when the channel has no exposure or spend."""
    g, t, _ = panel.shape
    spend = float(panel.spend[channel].sum())
    readings = readings_of(panel, channel)
    references = np.array([_reference(r, grid.length) for r in readings])
    if spend <= 0 or not any((r > 0).any() for r in readings):
        raise ValueError(f"channel {panel.channels[channel]} has no spend or no exposure")
    rng = np.random.default_rng(1)
    n_sample = max(1, min(g, _SAMPLE_ROWS // t))
    sample_geos = np.sort(rng.choice(g, size=n_sample, replace=False)) if n_sample < g else np.arange(g)

    sampled = np.concatenate(
        [
            _evaluate(grid, _adstock_all(grid, r[sample_geos] / ref))
            for r, ref in zip(readings, references, strict=True)
        ]
    )
    if sampled.shape[1] > 450 and n_sample < g:
        sampled = sampled[:, :: max(1, sampled.shape[1] // 450)]
    chosen, coefs = _skeleton(sampled, _TOLERANCE, max_rank)
    basis = np.empty((len(chosen), g, t))
    n_s, per_reading = len(grid.saturations), len(grid)
    for v, (reading, ref) in enumerate(zip(readings, references, strict=True)):
        mine = np.nonzero(chosen // per_reading == v)[0]
        for a in np.unique((chosen[mine] % per_reading) // n_s):
            adstocked = adstock_series(reading / ref, grid.adstocks[a].weights(grid.length))
            for k in mine[(chosen[mine] % per_reading) // n_s == a]:
                basis[k] = grid.saturations[chosen[k] % n_s].apply(adstocked)

    money = panel.effect_money
    totals = coefs.T @ np.einsum("rgt,gt->r", basis, money)
    scale = np.where(totals > 0, spend / np.where(totals > 0, totals, 1.0), 0.0)
    coefs = coefs * scale[None, :]

    tests = [test for test in panel.lift_tests if test.channel == channel]
    effect = (
        np.stack([lift_effect(panel, grid, readings, references, test) * scale for test in tests])
        if tests
        else np.zeros((0, len(scale)))
    )
    return ChannelDictionary(
        basis=basis,
        coefs=coefs,
        log_prior=np.tile(grid.log_prior, len(readings)) - np.log(len(readings)),
        lift_effect=effect,
        lift_mean=np.array([first_order(panel, test)[0] for test in tests]),
        lift_sd=np.array([first_order(panel, test)[1] for test in tests]),
        scale=scale,
        reference=references,
        readings=readings,
        grid=grid,
    )


def refined(
    panel: Panel, channel: int, first: ChannelDictionary, drawn: NDArray[np.int_], max_rank: int
) -> ChannelDictionary:
    """The channel's dictionary on a finer grid around the candidates `drawn` (S,); `first` itself where they are many."""
    share = np.bincount(drawn % len(first.grid), minlength=len(first.grid)) / len(drawn)
    grid = finer(first.grid, share)
    return first if grid is first.grid else build_dictionary(panel, channel, grid, max_rank)


def first_order(panel: Panel, test: LiftTest) -> tuple[float, float]:
    """A test's result and standard error as the model's linear scale reads them.

    In the multiplicative form the log effect is -log(1 - share of the window's sales), not the share itself.
    """
    if panel.form == "additive":
        return test.incremental, test.std_error
    sold = float(panel.kpi[np.array(test.geos), test.first : test.last + 1].sum())
    kept = max(1.0 - test.incremental / sold, 0.05)
    return -sold * float(np.log(kept)), test.std_error / kept


def _without_change(panel: Panel, test: LiftTest, reading: Array) -> Array:
    """Exposure (per size) of the tested geos in the window, had the test not changed the spend."""
    geos = np.array(test.geos)
    first, n = test.first, test.last + 1 - test.first
    weeks = 12 * panel.periods_per_week
    before = slice(max(0, first - weeks), first) if first > 0 else slice(0, panel.shape[1])
    spend = panel.spend[test.channel][geos]
    pace = spend[:, before].sum(axis=1)
    if pace.sum() <= 0:
        before = slice(0, panel.shape[1])
        pace = spend.sum(axis=1)
    change = float(test.spend_change or 0.0) * pace / max(float(pace.sum()), 1e-300) / n
    per_money = reading[:, before].sum(axis=1) / np.maximum(pace, 1e-300)
    window = reading[:, first : test.last + 1]
    return np.asarray(np.maximum(window - (change * per_money)[:, None], 0.0))


def lift_effect(
    panel: Panel, grid: Grid, readings: tuple[Array, ...], references: Array, test: LiftTest
) -> Array:
    """(J,) KPI that each raw candidate gives the test's window and geos over the dark counterfactual."""
    geos = np.array(test.geos)
    window = slice(test.first, test.last + 1)
    out = []
    for reading, ref in zip(readings, references, strict=True):
        lit = reading[geos] / ref
        dark = lit.copy()
        if test.spend_change is None:
            dark[:, window] = 0.0
        else:
            dark[:, window] = _without_change(panel, test, reading[geos]) / ref
        n_w = test.last + 1 - test.first
        both = []
        for x in (lit, dark):
            a = _adstock_all(grid, x[:, : test.last + 1]).reshape(len(grid.adstocks), len(geos), -1)
            both.append(_evaluate(grid, a[:, :, window].reshape(len(grid.adstocks), -1)))
        weight = panel.effect_kpi[geos][:, window].reshape(len(geos) * n_w)
        out.append((both[0] - both[1]) @ weight)
    return np.concatenate(out)
