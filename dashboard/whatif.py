"""What happens when money moves between two channels, read off the stored response curves and plans.

The curves carry a mean and a 90 % interval at each spend level. Between levels the curve is interpolated
linearly. The planner computes its plans week by week, with carry-over and pacing, so a stored plan and the
curve at the same mean spend differ somewhat. Where a plan in ``fct_budget_scenario`` holds a channel at a
level, the answer at that level is the plan's; between two such levels the ratio of plan to curve is
interpolated, beyond the last it is kept.

A channel's uncertainty is taken as one factor along its curve (its interval moves up or down together) and as
independent between channels; the sum is treated as normal. That is an approximation and every reader of the
result is told so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

Z90 = 1.6448536269514722
METHOD = (
    "Read off the stored response curves by linear interpolation, tied to the stored plans where they hold a "
    "channel at that level; channels' uncertainty taken as independent and normal, so the interval is approximate."
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


def start(plans: pd.DataFrame) -> dict[str, float]:
    """Weekly spend by channel under the current plan, USD; empty where no current plan is stored."""
    now = plans[(plans["scenario"] == "current") & (plans["channel_id"] != "all")]
    return {
        str(r.channel_id): float(r.spend_usd) / float(r.horizon_weeks)
        for r in now.itertuples()
        if float(r.spend_usd) > 0
    }


def tie(plans: pd.DataFrame, curve: pd.DataFrame, channel: str, now: float) -> tuple[np.ndarray, np.ndarray]:
    """Levels of weekly spend at which a stored plan holds a channel, and the ratio of the plan's change to the curve's.

    Levels whose change is too small to carry a ratio (under 1 % of the spend, or opposite signs) are left out.
    """
    points: dict[float, float] = {}
    for row in plans[(plans["channel_id"] == channel) & (plans["scenario"] != "current")].itertuples():
        level, told = (
            float(x) / float(row.horizon_weeks) for x in (row.spend_usd, row.incremental_revenue_usd)
        )
        if abs(level - now) < 0.01 * now or level > float(curve["spend_per_week_usd"].max()):
            continue
        read = at(curve, level)[0] - at(curve, now)[0]
        if read * told > 0:
            points[level] = told / read
    levels = sorted(points)
    return np.array(levels), np.array([points[level] for level in levels])


def _change(
    curves: pd.DataFrame, spend: dict[str, float], name: str, change: float, plans: pd.DataFrame | None
) -> tuple[float, float, bool]:
    """Mean and variance of what a channel's change of weekly spend does to revenue, and whether it leaves observed spend."""
    curve = curves[curves["channel_id"] == name].sort_values("spend_per_week_usd")
    before, after = at(curve, spend[name]), at(curve, spend[name] + change)
    levels, ratios = (
        tie(plans, curve, name, spend[name]) if plans is not None else (np.array([]), np.array([]))
    )
    ratio = float(np.interp(spend[name] + change, levels, ratios)) if len(levels) else 1.0
    width = ratio * abs((after[2] - before[2]) - (after[1] - before[1]))
    seen = curve.loc[curve["is_observed"].astype(bool), "spend_per_week_usd"]
    beyond = bool(seen.empty or spend[name] + change > float(seen.max()) + 1e-6)
    return ratio * (after[0] - before[0]), (width / (2 * Z90)) ** 2, beyond


def shifts(
    curves: pd.DataFrame, spend: dict[str, float], amount: float, plans: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Net change of weekly revenue (USD) for every pair: rows give ``amount`` USD a week, columns take it.

    Each cell is what :func:`move` answers; empty on the diagonal, where the giver spends less, and beyond the curves.
    On straight curves there and back cancel, and two steps add up to the direct one; small shifts come near to both.
    """
    names = [c for c in dict.fromkeys(curves["channel_id"]) if spend.get(c, 0) > 0]

    def change(name: str, by: float) -> float:
        try:
            return _change(curves, spend, name, by, plans)[0] if spend[name] + by >= -1e-6 else math.nan
        except WhatIfError:
            return math.nan

    given, taken = (np.array([change(n, by) for n in names]) for by in (-amount, amount))
    net = given[:, None] + taken[None, :]
    np.fill_diagonal(net, np.nan)
    return pd.DataFrame(net, index=pd.Index(names, name="from"), columns=pd.Index(names, name="to"))


def move(
    curves: pd.DataFrame,
    spend: dict[str, float],
    from_channel: str,
    to_channel: str,
    amount: float,
    plans: pd.DataFrame | None = None,
) -> Move:
    """Move ``amount`` USD a week from one channel to another.

    Args:
        curves: rows of fct_response_curve (channel_id, spend_per_week_usd, incremental_revenue_usd, p05_usd, p95_usd,
            is_observed).
        spend: current weekly spend by channel, USD.
        plans: rows of fct_budget_scenario to agree with (scenario, channel_id, spend_usd, incremental_revenue_usd as the
            change against the current plan, horizon_weeks).

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
        mean, variance, outside = _change(curves, spend, name, change, plans)
        means.append(mean)
        variances.append(variance)
        beyond |= outside
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
