"""Shapley values of channels, for two games on the sets of channels that paths contain.

``conversions``: a coalition earns the conversions of all paths whose channels it contains. Its value is a sum
of unanimity games, so the Shapley value is exact for any number of channels: each path's conversions are
divided equally among its distinct channels (Shapley 1953; used for paths by Zhao, Mahboobi and Bagheri 2018).

``rate``: a coalition earns the conversion rate of those paths, times all journeys. It needs every coalition:
exact up to :data:`EXACT_CHANNELS` channels by a subset-sum transform, beyond that by sampled permutations
with the standard error of the mean.
"""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
from scipy import sparse

from modeling.attribution.paths import Floats, Ints, Paths, weight_by

EXACT_CHANNELS = 16


def channel_sets(paths: Paths) -> sparse.csr_array:
    """(P, C) sparse 0/1: which channels each path contains."""
    shape = (len(paths.lengths), len(paths.channels))
    found = sparse.coo_array(
        (np.ones(len(paths.codes)), (paths.path_of_touch, paths.codes)), shape=shape
    ).tocsr()
    found.sum_duplicates()
    found.data[:] = 1.0
    return found


def equal_division(paths: Paths) -> sparse.csr_array:
    """(P, C) sparse: each path's credit divided equally among its distinct channels; rows sum to 1."""
    sets = channel_sets(paths)
    sizes = np.asarray(sets.sum(axis=1)).ravel()
    return (sparse.diags_array(1.0 / sizes) @ sets).tocsr()


def rate_game(paths: Paths, *, permutations: int = 4_000, seed: int = 0) -> tuple[Floats, Floats]:
    """Shapley values of the conversion-rate game, scaled to sum to all conversions.

    Returns:
        (C,) credited conversions (may be negative: a channel whose paths convert worse) and (C,) standard
        errors, zero where the answer is exact.
    """
    count = len(paths.channels)
    sets = channel_sets(paths)
    if count <= EXACT_CHANNELS:
        return _exact(sets, paths, count), np.zeros(count)
    return _sampled(sets, paths, count, permutations, seed)


def _coalition_table(sets: sparse.csr_array, paths: Paths, count: int) -> tuple[Floats, Floats]:
    bits = 1 << np.arange(count, dtype=np.int64)
    mask = np.asarray(sets @ bits, dtype=np.int64)
    won = weight_by(mask, paths.conversions, 1 << count)
    seen = weight_by(mask, paths.conversions + paths.nulls, 1 << count)
    for bit in range(count):  # sum over subsets, one channel at a time
        for table in (won, seen):
            view = table.reshape(-1, 2, 1 << bit)
            view[:, 1, :] += view[:, 0, :]
    return won, seen


def _exact(sets: sparse.csr_array, paths: Paths, count: int) -> Floats:
    won, seen = _coalition_table(sets, paths, count)
    worth = np.divide(won, seen, out=np.zeros_like(won), where=seen > 0) * seen[-1]
    members = np.array([int(m).bit_count() for m in range(1 << count)], dtype=np.int64)
    weight = np.array([1.0 / (count * comb(count - 1, s)) for s in range(count)])
    credit = np.empty(count)
    for channel in range(count):
        view = worth.reshape(-1, 2, 1 << channel)
        size = members.reshape(-1, 2, 1 << channel)[:, 0, :]
        credit[channel] = float((weight[size] * (view[:, 1, :] - view[:, 0, :])).sum())
    return credit


def _sampled(
    sets: sparse.csr_array, paths: Paths, count: int, permutations: int, seed: int
) -> tuple[Floats, Floats]:
    """Antithetic permutations: each order and its reverse form one draw, which lowers the variance."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"key": _set_keys(sets), "c": paths.conversions, "n": paths.nulls})
    first = frame.groupby("key", sort=False).agg(
        c=("c", "sum"), n=("n", "sum"), at=("key", lambda k: k.index[0])
    )
    distinct = sets[first["at"].to_numpy()].tocoo()
    won, seen = first["c"].to_numpy(), (first["c"] + first["n"]).to_numpy()
    draws = np.empty((permutations // 2, count))
    for draw in range(len(draws)):
        order = rng.permutation(count)
        draws[draw] = 0.5 * (
            _marginals(order, distinct, won, seen) + _marginals(order[::-1], distinct, won, seen)
        )
    return draws.mean(axis=0), draws.std(axis=0, ddof=1) / np.sqrt(len(draws))


def _set_keys(sets: sparse.csr_array) -> list[bytes]:
    indptr, indices = sets.indptr, sets.indices
    return [np.sort(indices[indptr[p] : indptr[p + 1]]).tobytes() for p in range(sets.shape[0])]


def _marginals(order: Ints, distinct: sparse.coo_array, won: Floats, seen: Floats) -> Floats:
    """Gain of each channel when it joins in this order: a set is complete when its last channel joins."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    complete = np.zeros(len(won), dtype=np.int64)
    np.maximum.at(complete, distinct.row, place[distinct.col])
    won_at = np.cumsum(np.bincount(complete, weights=won, minlength=len(order)))
    seen_at = np.cumsum(np.bincount(complete, weights=seen, minlength=len(order)))
    worth = np.divide(won_at, seen_at, out=np.zeros_like(won_at), where=seen_at > 0) * seen_at[-1]
    gain = np.empty(len(order))
    gain[order] = np.diff(worth, prepend=0.0)
    return gain
