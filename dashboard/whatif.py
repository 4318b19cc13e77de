"""What happens when money moves between two channels, read off the stored response curves.

The curves carry a mean and a 90 % interval at each spend level. Between levels the curve is interpolated
linearly. A channel's uncertainty is taken as one factor along its curve (its interval moves up or down
together) and as independent between channels; the sum is treated as normal. That is an approximation and
every reader of the result is told so. Scenarios that the planner has computed in full are in
``fct_budget_scenario``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

Z90 = 1.6448536269514722
METHOD = (
    "Read off the stored response curves by linear interpolation; channels' uncertainty taken as independent "
    "and normal, so the interval is approximate."
)


class WhatIfError(ValueError):
    """A move that the stored curves cannot answer; the message is one plain line."""


@dataclass(frozen=True)
class Move:
    """Result of a move, per week: gains in incremental revenue (USD) with a 90 % interval."""

    from_channel: str
    to_channel: str
    amount_per_week_usd: float
    lost_usd: float
    gained_usd: float
    net_usd: float
    p05_usd: float
    p95_usd: float
    probability_of_gain: float
    is_extrapolated: bool


def at(curve: pd.DataFrame, spend: float) -> tuple[float, float, float]:
    """Mean, P05 and P95 of weekly incremental revenue at a weekly spend within the stored curve.

    Raises:
        WhatIfError: the spend is outside the stored curve.
    """
    xs = curve["spend_per_week_usd"].to_numpy(dtype=float)
    if not len(xs) or spend < xs[0] - 1e-9 or spend > xs[-1] + 1e-9:
        limit = f"{xs[0]:,.0f} to {xs[-1]:,.0f}" if len(xs) else "none"
        raise WhatIfError(f"Weekly spend of {spend:,.0f} USD is outside the stored curve ({limit}).")
    return tuple(
        float(np.interp(spend, xs, curve[c].to_numpy(dtype=float)))  # type: ignore[return-value]
        for c in ("incremental_revenue_usd", "p05_usd", "p95_usd")
    )


def move(
    curves: pd.DataFrame, spend: dict[str, float], from_channel: str, to_channel: str, amount: float
) -> Move:
    """Move ``amount`` USD a week from one channel to another.

    Args:
        curves: rows of fct_response_curve (channel_id, spend_per_week_usd, incremental_revenue_usd, p05_usd, p95_usd,
            is_observed).
        spend: current weekly spend by channel, USD.

    Raises:
        WhatIfError: unknown channel, the same channel twice, an amount that is not positive or exceeds what the
            giving channel spends, or a level outside the stored curves.
    """
    known = set(curves["channel_id"]) & set(spend)
    for name in (from_channel, to_channel):
        if name not in known:
            raise WhatIfError(f"No response curve for channel {name!r}.")
    if from_channel == to_channel:
        raise WhatIfError("The two channels must differ.")
    if not math.isfinite(amount) or amount <= 0:
        raise WhatIfError("The amount must be a positive number of USD a week.")
    if amount > spend[from_channel] + 1e-6:
        raise WhatIfError(
            f"{from_channel} spends {spend[from_channel]:,.0f} USD a week; no more than that can move."
        )
    means, variances, beyond = [], [], False
    for name, change in ((from_channel, -amount), (to_channel, amount)):
        curve = curves[curves["channel_id"] == name].sort_values("spend_per_week_usd")
        before, after = at(curve, spend[name]), at(curve, spend[name] + change)
        means.append(after[0] - before[0])
        width = abs((after[2] - before[2]) - (after[1] - before[1]))
        variances.append((width / (2 * Z90)) ** 2)
        seen = curve.loc[curve["is_observed"].astype(bool), "spend_per_week_usd"]
        beyond |= bool(seen.empty or spend[name] + change > float(seen.max()) + 1e-6)
    net, sd = sum(means), math.sqrt(sum(variances))
    chance = 0.5 * (1 + math.erf(net / sd / math.sqrt(2))) if sd > 0 else float(net > 0)
    return Move(
        from_channel,
        to_channel,
        amount,
        -means[0],
        means[1],
        net,
        net - Z90 * sd,
        net + Z90 * sd,
        chance,
        beyond,
    )
