"""Plans from a fitted mix model: scenarios over a horizon, with carryover from the past, and what they bring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modeling.budget.optimise import Allocation, Curves, optimise, to_cents
from modeling.mmm.estimator import Posterior
from modeling.mmm.posterior import quantiles, recent_window, representatives, thin
from modeling.mmm.transforms import Array, adstock_series

_LEVELS = np.array(
    [0, 0.02, 0.05, 0.1, 0.175, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1.125, 1.25, 1.5, 1.75, 2, 2.5, 3.0]
)


@dataclass(frozen=True)
class Outlook:
    """What each channel's spend over the horizon earns.

    recent (C,): money the channel would spend over the horizon at its recent pace; spend (C, M) and draws
    (D, C, M): tabulated plan spend and the money it earns (carryover after the horizon included); observed_max
    (C,): the horizon spend that the highest observed pace gives.
    """

    names: tuple[str, ...]
    recent: Array
    spend: Array
    draws: Array
    observed_max: Array
    horizon: int

    def mean_curves(self) -> Curves:
        return Curves(self.spend, self.draws.mean(axis=0))

    def earn(self, plan: Array) -> Array:
        """(D, C) money that `plan` (C,) earns, for each draw (linear between tabulated levels)."""
        out = np.empty(self.draws.shape[:2])
        for c, s in enumerate(plan):
            x = self.spend[c]
            k = int(np.clip(np.searchsorted(x, s, side="right") - 1, 0, len(x) - 2))
            w = (s - x[k]) / (x[k + 1] - x[k])
            out[:, c] = (1 - w) * self.draws[:, c, k] + w * self.draws[:, c, k + 1]
        return out


def outlook(posterior: Posterior, horizon: int, n_draws: int = 200) -> Outlook:
    """Tabulate every channel's earnings over `horizon` periods of even spending, after the observed past.

    Prices (spend per exposure), the geographies' shares and the value of a KPI unit are those of the last year.
    """
    panel = posterior.panel
    index = thin(posterior, n_draws)
    n_c = posterior.n_channels
    window = recent_window(posterior)
    pace_window = slice(max(0, panel.shape[1] - max(horizon, 13 * panel.periods_per_week)), panel.shape[1])
    spend, draws = np.empty((n_c, len(_LEVELS))), np.empty((len(index), n_c, len(_LEVELS)))
    recent, top = np.empty(n_c), np.empty(n_c)
    for i, c in enumerate(posterior.channels):
        total = panel.spend[c].sum(axis=0)
        pace = float(total[pace_window].mean())
        if pace <= 0:
            pace = float(total.mean())
        recent[i] = float(total[pace_window].mean()) * horizon
        top[i] = float(total.max()) * horizon
        levels = _LEVELS * pace
        spend[i] = levels * horizon
        draws[:, i, :] = _earnings(posterior, i, c, levels, horizon, index, window)
    names = tuple(panel.channels[c] for c in posterior.channels)
    return Outlook(names, recent, spend, draws, top, horizon)


def _earnings(
    posterior: Posterior, i: int, c: int, levels: Array, horizon: int, index: Array, window: slice
) -> Array:
    """(D, M) money earned by spending `levels` (M,) per period for the horizon, over spending nothing."""
    panel, d = posterior.panel, posterior.dictionaries[i]
    if panel.spend[c][:, window].sum() <= 0:
        window = slice(0, panel.shape[1])
    paid = float(panel.spend[c][:, window].sum())
    money = panel.effect_money[:, window].mean(axis=1)
    length = d.grid.length
    out = np.empty((len(index), len(levels)))
    cache: dict[int, Array] = {}
    places: dict[int, tuple[Array, Array, Array]] = {}
    for row, s in enumerate(index):
        j = int(posterior.draws.candidate[s, i])
        if j not in cache:
            reading, a, sat = d.parts(j)
            if reading not in places:
                x = d.readings[reading] / d.reference[reading]
                level, weight = representatives(x[:, window].sum(axis=1) / paid, money)
                places[reading] = level, weight, typical_past(x[:, -length:], money)
            level, weight, past = places[reading]
            pulse, rest = even_pressure(d.grid.adstocks[a].weights(length), horizon, past)
            carry = np.multiply.outer(level / max(float(np.average(level, weights=weight)), 1e-300), rest)
            curve = d.grid.saturations[sat]
            planned = curve.apply(np.multiply.outer(np.multiply.outer(levels, level), pulse) + carry)
            cache[j] = d.scale[j] * ((planned - curve.apply(carry)).sum(axis=2) @ weight)
        out[row] = posterior.draws.gamma[s, i] * cache[j]
    return out


def even_pressure(kernel: Array, horizon: int, past: Array) -> tuple[Array, Array]:
    """Adstock of one unit a period over the horizon, and what `past` (newest last) still brings, until it has faded."""
    reach = int(np.searchsorted(np.cumsum(kernel), 0.995)) + 1
    total = np.concatenate([np.cumsum(kernel), np.full(horizon + reach, kernel.sum())])[: horizon + reach]
    pulse = total.copy()
    pulse[horizon:] = np.maximum(pulse[horizon:] - total[:reach], 0.0)
    rest = adstock_series(np.zeros(horizon + reach), kernel, past)
    return pulse, rest


def typical_past(past: Array, money: Array) -> Array:
    """The recent past of the typical geography (money-weighted mean)."""
    return np.asarray(np.average(past, axis=0, weights=np.maximum(money, 1e-300)))


def scenario_rows(
    name: str, look: Outlook, plan: Array, current: Array, budget: float
) -> list[dict[str, object]]:
    """A scenario's rows. `probability_of_gain`: that its revenue less spend beats the current plan's."""
    spend = to_cents(plan, budget)
    earned = look.earn(spend)
    low, _mid, high = quantiles(earned)
    gain = (earned.sum(axis=1) - spend.sum()) - (look.earn(current).sum(axis=1) - current.sum())
    chance = 0.0 if np.allclose(spend, current, atol=0.005) else float((gain > 0).mean())
    return [
        {
            "scenario": name,
            "channel": channel,
            "spend": spend[c],
            "incremental_revenue": float(earned[:, c].mean()),
            "p05": low[c],
            "p95": high[c],
            "probability_of_gain": chance,
            "spend_change": round(spend[c] - current[c], 2),
            "is_extrapolated": bool(spend[c] > look.observed_max[c] * (1 + 1e-9)),
        }
        for c, channel in enumerate(look.names)
    ]


def scenario_gain(name: str, look: Outlook, spend: Array, current: Array) -> list[dict[str, object]]:
    """A scenario's rows by channel and in all: revenue of the current plan, the change against it of any other."""
    base, earned = look.earn(current), look.earn(spend)
    is_current = name == "current"
    gain = earned if is_current else earned - base
    net = (earned - base).sum(axis=1) - float(spend.sum() - current.sum())
    chance = None if is_current else float((net > 0).mean())
    beyond = (spend > look.observed_max * (1 + 1e-9)) & (spend > 0)
    rows: list[dict[str, object]] = []
    for c, channel in enumerate((*look.names, "all")):
        whole = channel == "all"
        values = gain.sum(axis=1) if whole else gain[:, c]
        low, _, high = quantiles(values)
        own = (
            None
            if is_current
            else float(((earned[:, c] - base[:, c] - (spend[c] - current[c])) > 0).mean())
            if not whole
            else chance
        )
        money = float(spend.sum()) if whole else float(spend[c])
        before = float(current.sum()) if whole else float(current[c])
        rows.append(
            {
                "scenario": name,
                "channel_id": channel,
                "spend_usd": round(money, 2),
                "spend_change_usd": round(money - before, 2),
                "incremental_revenue_usd": float(values.mean()),
                "p05_usd": float(low),
                "p95_usd": float(high),
                "probability_of_gain": own,
                "is_extrapolated": bool(beyond.any() if whole else beyond[c]),
            }
        )
    return rows


def most_profit(curves: Curves, low: Array, high: Array, margin: float) -> Allocation:
    """Spend (N,) that maximises margin x revenue - spend within the bounds.

    Money kept is one more channel: a dollar of it is worth 1 / margin of revenue, so that the common marginal return
    of the optimum is 1 / margin wherever no bound holds.
    """
    cap = float(high.sum())
    kept = np.linspace(0.0, cap, curves.spend.shape[1])
    both = Curves(np.vstack([curves.spend, kept]), np.vstack([curves.value, kept / margin]))
    found = optimise(both, cap, np.append(low, 0.0), np.append(high, cap - float(low.sum())))
    value = found.value - float(found.spend[-1]) / margin
    return Allocation(found.spend[:-1], value, found.price, found.kkt_gap, found.solver, found.converged)


@dataclass(frozen=True)
class Plan:
    """All scenarios as rows, and each optimiser's proof."""

    frame: pd.DataFrame
    proofs: dict[str, Allocation]


def make_plan(
    look: Outlook,
    *,
    total: float | None = None,
    min_share: float = 0.5,
    max_share: float = 1.5,
    moves: tuple[tuple[str, str, str, float], ...] = (),
    dark: bool = False,
    custom: dict[str, float] | None = None,
    channel_bounds: dict[str, tuple[float, float]] | None = None,
    margin: float | None = None,
) -> Plan:
    """Scenarios: current, optimal, plus_10pct, minus_10pct, and as asked: custom, moves, each channel dark.

    `total` (money over the horizon) makes the `custom` scenario: that budget split in the best way; without it the
    optimum redistributes the current budget. Shares are relative to the recent spend of each channel;
    `channel_bounds` overrides them by channel. `moves` are (scenario, from, to, money).
    `margin` (gross profit per money of revenue) adds `max_profit`: as much as pays for itself within the bounds.

    Raises:
        ValueError: a budget that the bounds cannot hold, an unknown channel, or a negative spend.
    """
    current = to_cents(look.recent, float(np.round(look.recent.sum(), 2)))
    budget = float(np.round(current.sum(), 2))
    curves = look.mean_curves()
    low, high = current * min_share, current * max_share
    for name, (a, b) in (channel_bounds or {}).items():
        if name not in look.names:
            raise ValueError(f"bounds name an unknown channel {name!r}")
        i = look.names.index(name)
        low[i], high[i] = current[i] * a, current[i] * b
    proofs: dict[str, Allocation] = {}
    rows = scenario_rows("current", look, current, current, budget)

    def best(name: str, money: float) -> None:
        money = float(np.round(money, 2))
        factor = money / budget if budget > 0 else 1.0
        lo, hi = low * min(factor, 1.0), high * max(factor, 1.0)
        if name == "custom":
            lo, hi = (low, high) if low.sum() <= money <= high.sum() else (low * factor, high * factor)
        proofs[name] = optimise(curves, money, lo, hi)
        rows.extend(scenario_rows(name, look, proofs[name].spend, current, money))

    if budget > 0:
        best("optimal", budget)
        best("plus_10pct", budget * 1.1)
        best("minus_10pct", budget * 0.9)
        if total is not None:
            best("custom", total)
        if margin is not None:
            proofs["max_profit"] = most_profit(curves, low, high, margin)
            spent = proofs["max_profit"].spend
            rows.extend(scenario_rows("max_profit", look, spent, current, float(np.round(spent.sum(), 2))))
    if custom:
        plan = current.copy()
        for name, money in custom.items():
            if name not in look.names:
                raise ValueError(f"the custom plan names an unknown channel {name!r}")
            if money < 0:
                raise ValueError(f"the custom plan gives {name!r} a negative spend")
            plan[look.names.index(name)] = money
        rows.extend(scenario_rows("custom", look, plan, current, float(np.round(plan.sum(), 2))))
    for scenario, source, target, money in moves:
        for name in (source, target):
            if name not in look.names:
                raise ValueError(f"a move names an unknown channel {name!r}")
        plan = current.copy()
        money = min(money, float(plan[look.names.index(source)]))
        plan[look.names.index(source)] -= money
        plan[look.names.index(target)] += money
        rows.extend(scenario_rows(scenario, look, plan, current, budget))
    if dark:
        for i, name in enumerate(look.names):
            plan = current.copy()
            plan[i] = 0.0
            rows.extend(scenario_rows(f"dark_{name}", look, plan, current, float(np.round(plan.sum(), 2))))
    return Plan(pd.DataFrame(rows), proofs)
