"""The plan in detail: how a budget is split over geographies, and over the periods of the horizon."""

from __future__ import annotations

import numpy as np
import pandas as pd

from modeling.budget.optimise import Allocation, Curves, optimise, to_cents
from modeling.budget.plan import even_pressure, typical_past
from modeling.mmm.estimator import Posterior
from modeling.mmm.posterior import recent_window, thin
from modeling.mmm.transforms import Array, Saturation, adstock_series

_LEVELS = np.array([0, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3.0])
_DRAWS = 40
_FORMS = 6


def place_curves(posterior: Posterior, horizon: int) -> tuple[Curves, Array, list[tuple[str, str]]]:
    """Mean response of every channel and geography that was paid for lately.

    Returns curves (N, M) over the horizon in money, recent spend (N,) and (channel, geo) labels. Each geography keeps
    its own carryover from the past and its own price of exposure.
    """
    panel = posterior.panel
    index = thin(posterior, _DRAWS)
    window = recent_window(posterior)
    pace_window = slice(max(0, panel.shape[1] - max(horizon, 13 * panel.periods_per_week)), panel.shape[1])
    money = panel.effect_money[:, window].mean(axis=1)
    spends, values, recent, labels = [], [], [], []
    for i, c in enumerate(posterior.channels):
        d = posterior.dictionaries[i]
        pace = panel.spend[c][:, pace_window].mean(axis=1)
        live = np.flatnonzero((pace > 0) & (panel.spend[c][:, window].sum(axis=1) > 0))
        if live.size == 0:
            continue
        total = np.zeros((live.size, len(_LEVELS)))
        cache: dict[int, Array] = {}
        for s in index:
            gamma, j = posterior.draws.gamma[s, i], int(posterior.draws.candidate[s, i])
            if gamma == 0.0:
                continue
            if j not in cache:
                reading, a, sat = d.parts(j)
                x = d.readings[reading][live] / d.reference[reading]
                each = x[:, window].sum(axis=1) / panel.spend[c][live][:, window].sum(axis=1)
                kernel, curve = d.grid.adstocks[a].weights(d.grid.length), d.grid.saturations[sat]
                pulse, _ = even_pressure(kernel, horizon, x[0, -len(kernel) :])
                rest = adstock_series(np.zeros((live.size, len(pulse))), kernel, x[:, -len(kernel) :])
                lit = curve.apply(
                    (each * pace[live])[:, None, None] * _LEVELS[:, None] * pulse + rest[:, None]
                )
                gain = (lit - curve.apply(rest)[:, None]).sum(axis=2)
                cache[j] = d.scale[j] * gain * money[live][:, None]
            total += gamma * cache[j] / len(index)
        spends.append(np.multiply.outer(pace[live] * horizon, _LEVELS))
        values.append(total)
        recent.append(pace[live] * horizon)
        labels += [(panel.channels[c], panel.geos[g]) for g in live]
    return Curves(np.concatenate(spends), np.concatenate(values)), np.concatenate(recent), labels


def place_plan(
    posterior: Posterior,
    horizon: int,
    *,
    total: float | None = None,
    min_share: float = 0.5,
    max_share: float = 1.5,
    geo_bounds: dict[str, tuple[float, float]] | None = None,
) -> tuple[pd.DataFrame, Allocation]:
    """The best split over channels and geographies: channel, geo, current, spend, incremental_revenue (both plans).

    Shares bound each channel's spend in each geography relative to its recent spend there; `geo_bounds` overrides
    them for a geography (0, 0 leaves it dark; 1, 1 fixes it).

    Raises:
        ValueError: an unknown geography, or a budget that the bounds cannot hold.
    """
    curves, recent, labels = place_curves(posterior, horizon)
    budget = float(np.round(recent.sum() if total is None else total, 2))
    current = to_cents(recent, float(np.round(recent.sum(), 2)))
    low, high = current * min_share, current * max_share
    for name, (a, b) in (geo_bounds or {}).items():
        if name not in posterior.panel.geos:
            raise ValueError(f"bounds name an unknown geography {name!r}")
        mine = np.array([geo == name for _, geo in labels])
        low[mine], high[mine] = current[mine] * a, current[mine] * b
    found = optimise(curves, budget, low, high)
    value = np.array(
        [np.interp(s, x, y) for s, x, y in zip(found.spend, curves.spend, curves.value, strict=True)]
    )
    before = np.array(
        [np.interp(s, x, y) for s, x, y in zip(current, curves.spend, curves.value, strict=True)]
    )
    frame = pd.DataFrame(labels, columns=["channel", "geo"]).assign(
        current=current,
        spend=to_cents(found.spend, budget),
        current_revenue=before,
        incremental_revenue=value,
    )
    return frame, found


def pacing(posterior: Posterior, spend: dict[str, float], horizon: int) -> pd.DataFrame:
    """When to spend each channel's money: channel, period (1 = the first after the data), spend, even_spend.

    Carryover from the past still works in the first periods; where returns saturate it pays to wait for it to fade.
    The mean over the likeliest forms is maximised by SLSQP between nothing and three times the even pace, revenue
    after the horizon included.
    """
    from scipy.optimize import minimize  # a slow import, needed only here

    panel = posterior.panel
    window = recent_window(posterior)
    money = panel.effect_money[:, window].mean(axis=1)
    rows: list[dict[str, object]] = []
    for i, c in enumerate(posterior.channels):
        name = panel.channels[c]
        even = spend.get(name, 0.0) / horizon
        plan = np.full(horizon, even)
        paid = float(panel.spend[c][:, window].sum())
        if even > 0 and paid > 0 and horizon > 1:
            forms = _likely_forms(posterior, i, money, paid, window, horizon)
            result = minimize(
                _loss,
                np.ones(horizon),
                args=(forms, even),
                bounds=[(0.0, 3.0)] * horizon,
                constraints=[{"type": "eq", "fun": lambda z: z.sum() - len(z)}],
                method="SLSQP",
                options={"maxiter": 60, "ftol": 1e-10},
            )
            if result.success and _loss(result.x, forms, even) < -1.001:  # the even pace scores -1
                plan = np.clip(result.x, 0.0, 3.0) * even
        plan = to_cents(plan * (even * horizon / max(float(plan.sum()), 1e-300)), round(even * horizon, 2))
        rows += [
            {"channel": name, "period": k + 1, "spend": plan[k], "even_spend": round(even, 2)}
            for k in range(horizon)
        ]
    return pd.DataFrame(rows, columns=["channel", "period", "spend", "even_spend"])


_Form = tuple[float, Array, Array, Saturation]


def _likely_forms(
    posterior: Posterior, i: int, money: Array, paid: float, window: slice, horizon: int
) -> list[_Form]:
    """(weight, pressure of money by lag matrix (H+R, H), rest of the past (H+R,), curve) of the likeliest candidates."""
    d = posterior.dictionaries[i]
    picks, counts = np.unique(posterior.draws.candidate[:, i], return_counts=True)
    best = np.argsort(-counts, kind="stable")[:_FORMS]
    out: list[_Form] = []
    for j, n in zip(picks[best], counts[best], strict=True):
        reading, a, sat = d.parts(int(j))
        kernel = d.grid.adstocks[a].weights(d.grid.length)
        past = typical_past((d.readings[reading] / d.reference[reading])[:, -len(kernel) :], money)
        each = float(np.average(d.readings[reading][:, window].sum(axis=1), weights=money))
        each /= paid * d.reference[reading]
        _, rest = even_pressure(kernel, horizon, past)
        lags = np.subtract.outer(np.arange(len(rest)), np.arange(horizon))
        inside = (lags >= 0) & (lags < len(kernel))
        matrix = np.where(inside, kernel[np.clip(lags, 0, len(kernel) - 1)], 0.0) * each
        out.append((float(n) * float(d.scale[int(j)]), matrix, rest, d.grid.saturations[sat]))
    return out


def _loss(z: Array, forms: list[_Form], even: float) -> float:
    """Minus the revenue of pacing z (H,) relative to the even pace's, up to a constant."""
    got = base = 0.0
    for weight, matrix, rest, curve in forms:
        got += weight * float(curve.apply(np.maximum(matrix @ (z * even) + rest, 0.0)).sum())
        base += weight * float(curve.apply(matrix @ np.full(len(z), even) + rest).sum())
    return -got / max(abs(base), 1e-300)
