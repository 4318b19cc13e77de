"""Markov attribution by exact removal effects: linear algebra on the transition counts, no simulation.

States are the last k channels of a path (k = order, shorter at its start). Removing a channel sends every
transition into a state that ends in it to "null". The removal effect is the share of conversion probability
that is lost (Anderl, Becker, von Wangenheim and Schumann 2016); credit is proportional to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import splu

from modeling.attribution.paths import Floats, Ints, Paths, weight_by
from modeling.errors import Refusal

START, CONVERSION, NULL = "(start)", "(conversion)", "(null)"
DENSE_LIMIT = 1_500  # states up to which one dense inverse is cheaper than a sparse factorisation per channel


@dataclass(frozen=True)
class Chain:
    """Transition counts of an order-k chain over S states (start excluded) and C channels.

    Attributes:
        states: (S, k) channel codes, oldest first, -1 where the path is still shorter than k.
        start: (S,) weight of journeys whose first state this is.
        counts: (S, S) sparse weight of transitions between states.
        conversion, null, value: (S,) weight (and value) that leaves to conversion or to null.
    """

    states: Ints
    start: Floats
    counts: sparse.csr_array
    conversion: Floats
    null: Floats
    value: Floats

    @property
    def ends_in(self) -> Ints:
        """(S,) channel code that each state ends in."""
        return np.asarray(self.states[:, -1], dtype=np.int64)


def state_codes(paths: Paths, order: int) -> tuple[Ints, Ints]:
    """k-gram state of every touch.

    Returns:
        (L,) state number of each touch, and (S, k) channel codes of each state (-1 = before the first touch).
    """
    base = len(paths.channels) + 1
    if base**order > np.iinfo(np.int64).max:
        raise Refusal(f"{len(paths.channels)} channels are too many for an order-{order} chain")
    before = np.arange(len(paths.codes)) - np.repeat(paths.offsets[:-1], paths.lengths)
    key = np.zeros(len(paths.codes), dtype=np.int64)
    for back in range(order - 1, -1, -1):
        code = np.zeros(len(paths.codes), dtype=np.int64)
        inside = before >= back
        code[inside] = paths.codes[np.flatnonzero(inside) - back] + 1
        key = key * base + code
    found, number = np.unique(key, return_inverse=True)
    states = np.empty((len(found), order), dtype=np.int64)
    for place in range(order - 1, -1, -1):
        states[:, place] = found % base - 1
        found = found // base
    return number.astype(np.int64), states


def build_chain(paths: Paths, order: int = 1) -> Chain:
    """Count transitions of an order-k chain; a journey that converted c times and failed n times weighs c + n.

    Raises:
        ValueError: order outside 1 to 4.
    """
    if not 1 <= order <= 4:
        raise ValueError("order must be between 1 and 4")
    number, states = state_codes(paths, order)
    size = len(states)
    first, last = paths.offsets[:-1], paths.offsets[1:] - 1
    weight = paths.conversions + paths.nulls
    inner = np.ones(len(number), dtype=bool)
    inner[last] = False
    source = np.flatnonzero(inner)
    counts = sparse.coo_array(
        (np.repeat(weight, paths.lengths)[source], (number[source], number[source + 1])), shape=(size, size)
    ).tocsr()
    counts.sum_duplicates()
    return Chain(
        states=states,
        start=weight_by(number[first], weight, size),
        counts=counts,
        conversion=weight_by(number[last], paths.conversions, size),
        null=weight_by(number[last], paths.nulls, size),
        value=weight_by(number[last], paths.value, size),
    )


def chain_from_table(moves: pd.DataFrame, channels: tuple[str, ...]) -> Chain:
    """First-order chain from transition counts made in the warehouse.

    Args:
        moves: channel_from, channel_to, journeys, value_usd; start, conversion and null as :data:`START`,
            :data:`CONVERSION` and :data:`NULL`.
        channels: names in the order of the chain's states.

    Raises:
        KeyError: a channel that is not listed.
    """
    code = {name: i for i, name in enumerate(channels)}
    size = len(channels)
    weight = moves["journeys"].to_numpy(dtype=np.float64)
    source, goal = moves["channel_from"].to_numpy(), moves["channel_to"].to_numpy()

    def leaving(end: str, amounts: Floats) -> Floats:
        hit = goal == end
        return weight_by(np.array([code[c] for c in source[hit]], dtype=np.int64), amounts[hit], size)

    begin = source == START
    inner = ~begin & (goal != CONVERSION) & (goal != NULL)
    rows = np.array([code[c] for c in source[inner]], dtype=np.int64)
    columns = np.array([code[c] for c in goal[inner]], dtype=np.int64)
    return Chain(
        states=np.arange(size, dtype=np.int64)[:, None],
        start=weight_by(np.array([code[c] for c in goal[begin]], dtype=np.int64), weight[begin], size),
        counts=sparse.coo_array((weight[inner], (rows, columns)), shape=(size, size)).tocsr(),
        conversion=leaving(CONVERSION, weight),
        null=leaving(NULL, weight),
        value=leaving(CONVERSION, moves["value_usd"].to_numpy(dtype=np.float64)),
    )


def removal_effects(chain: Chain, channels: int, *, reward: str = "conversion") -> Floats:
    """(C,) share of conversions (or of value) lost when each channel is removed, exactly.

    Args:
        channels: number of channels C.
        reward: "conversion", or "value": each conversion then pays the mean value of conversions that leave
            from the same state.

    Raises:
        Refusal: nothing converts, so there is nothing to lose.
    """
    paid = chain.conversion if reward == "conversion" else chain.value
    out = np.asarray(chain.counts.sum(axis=1)).ravel() + chain.conversion + chain.null
    live = out > 0
    scale = np.divide(1.0, out, out=np.zeros_like(out), where=live)
    total_start = chain.start.sum()
    if not total_start > 0 or not paid.sum() > 0:
        raise Refusal(f"no {reward} in the paths: removal effects do not exist")
    begin = chain.start / total_start
    exits = paid * scale
    moves = (sparse.diags_array(scale) @ chain.counts).tocsr()
    if chain.states.shape[1] == 1 and len(begin) <= DENSE_LIMIT:
        lost = _first_order_loss(moves.toarray(), begin, exits, chain.ends_in, channels)
    else:
        lost = _loss_by_solving(moves, begin, exits, chain.ends_in, channels)
    reached = begin @ _solve(moves, exits)
    return np.asarray(lost / reached, dtype=np.float64)


def _first_order_loss(moves: Floats, begin: Floats, exits: Floats, ends_in: Ints, channels: int) -> Floats:
    """Loss per channel from one inverse: P(visit c) * E[reward from c], by the strong Markov property."""
    visits = np.linalg.inv(np.eye(len(begin)) - moves)
    reward = visits @ exits
    visited = (begin @ visits) / np.diag(visits)
    lost = np.zeros(channels)
    lost[ends_in] = visited * reward
    return lost


def _loss_by_solving(
    moves: sparse.csr_array, begin: Floats, exits: Floats, ends_in: Ints, channels: int
) -> Floats:
    full = float(begin @ _solve(moves, exits))
    lost = np.zeros(channels)
    for channel in np.unique(ends_in):
        keep = np.flatnonzero(ends_in != channel)
        rest = float(begin[keep] @ _solve(moves[keep][:, keep], exits[keep])) if len(keep) else 0.0
        lost[channel] = full - rest
    return lost


def _solve(moves: sparse.csr_array, exits: Floats) -> Floats:
    """Expected reward from each state: (I - Q) x = r."""
    size = len(exits)
    if size <= 200:
        return np.asarray(np.linalg.solve(np.eye(size) - moves.toarray(), exits))
    return np.asarray(splu((sparse.eye_array(size) - moves).tocsc()).solve(exits))


def log_likelihood(chain: Chain) -> tuple[float, int]:
    """Log likelihood of the observed moves and the number of free probabilities (for a BIC between orders)."""
    moves = chain.counts.tocoo()
    out = np.asarray(chain.counts.sum(axis=1)).ravel() + chain.conversion + chain.null
    total = 0.0
    free = 0
    for counts, base in (
        (moves.data, out[moves.row]),
        (chain.conversion, out),
        (chain.null, out),
        (chain.start, np.full_like(chain.start, chain.start.sum())),
    ):
        used = counts > 0
        total += float((counts[used] * np.log(counts[used] / base[used])).sum())
        free += int(used.sum())
    return total, free - int((out > 0).sum()) - 1
