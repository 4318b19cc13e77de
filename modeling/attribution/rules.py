"""Rule models: how one conversion is divided among the touches of its path.

Every rule gives each touch a share of its path; the shares of a path sum to 1, so credited conversions and
credited value add up to the totals whatever the rule.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from modeling.attribution.paths import Floats, Paths, touch_positions

RULES = ("first_touch", "last_touch", "linear", "time_decay", "position_based")


def touch_shares(paths: Paths, rule: str, *, half_life: float = 7.0, ends: float = 0.4) -> Floats:
    """(L,) share of its path's credit that each touch receives; shares of a path sum to 1.

    Args:
        rule: one of :data:`RULES`.
        half_life: time decay: days after which a touch weighs half. Where the paths carry no touch times one
            touch back counts as one day back.
        ends: position based: share of the first and of the last touch; the rest is spread over the middle.
            With two touches the middle's share is split between the ends.

    Raises:
        ValueError: unknown rule, half_life not positive, or ends outside 0 to 0.5.
    """
    before, after = touch_positions(paths)
    if rule == "first_touch":
        return np.asarray(before == 0, dtype=np.float64)
    if rule == "last_touch":
        return np.asarray(after == 0, dtype=np.float64)
    if rule == "linear":
        return 1.0 / np.repeat(paths.lengths, paths.lengths)
    if rule == "time_decay":
        if not half_life > 0:
            raise ValueError("half_life must be positive")
        back = after.astype(np.float64) if paths.lags is None else paths.lags
        # Relative to the path's latest touch, so that a long lag cannot underflow to a path without weight.
        back = back - np.repeat(np.minimum.reduceat(back, paths.offsets[:-1]), paths.lengths)
        raw = np.exp2(-back / half_life)
    elif rule == "position_based":
        if not 0 <= ends <= 0.5:
            raise ValueError("ends must be between 0 and 0.5")
        length = np.repeat(paths.lengths, paths.lengths)
        middle = (1.0 - 2.0 * ends) / np.maximum(length - 2, 1)
        raw = np.where((before == 0) | (after == 0), ends, middle)
        raw = np.where(length <= 2, 1.0, raw)
    else:
        raise ValueError(f"unknown rule {rule!r}")
    total = np.add.reduceat(raw, paths.offsets[:-1])
    return np.asarray(raw / np.repeat(total, paths.lengths), dtype=np.float64)


def credit_matrix(paths: Paths, shares: Floats) -> sparse.csr_array:
    """(P, C) sparse: credit of each channel for one conversion on each path; rows sum to 1."""
    shape = (len(paths.lengths), len(paths.channels))
    return sparse.coo_array((shares, (paths.path_of_touch, paths.codes)), shape=shape).tocsr()
