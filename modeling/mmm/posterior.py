"""What the draws say: returns, marginal returns, response curves, decomposition. Frames out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modeling.mmm import baseline
from modeling.mmm.estimator import Posterior
from modeling.mmm.transforms import Array, adstock_series

_CURVE_DRAWS = 200
_REPRESENTATIVES = 24


def thin(posterior: Posterior, n: int = _CURVE_DRAWS) -> Array:
    """Indices of `n` draws, evenly spaced over all chains."""
    total = len(posterior.draws.sigma2)
    return np.unique(np.linspace(0, total - 1, min(n, total)).round().astype(int))


def quantiles(values: Array, axis: int = 0) -> tuple[Array, Array, Array]:
    """5 %, 50 % and 95 % points."""
    q = np.quantile(values, [0.05, 0.5, 0.95], axis=axis)
    return q[0], q[1], q[2]


def money_weight(posterior: Posterior) -> Array:
    """(G, T): money per unit of a dictionary column."""
    return posterior.panel.effect_money


def marginal_ratio(
    posterior: Posterior, channel: int, candidates: NDArray[np.int_], step: float = 0.01
) -> Array:
    """Marginal over average return of each candidate: the gain of `step` more exposure in every period."""
    d = posterior.dictionaries[channel]
    weight = money_weight(posterior)
    out = np.empty(len(candidates))
    pressed: dict[tuple[int, int], Array] = {}
    for i, j in enumerate(candidates):
        reading, a, s = d.parts(int(j))
        if (reading, a) not in pressed:
            pressed[reading, a] = adstock_series(
                d.readings[reading] / d.reference[reading], d.grid.adstocks[a].weights(d.grid.length)
            )
        x = pressed[reading, a]
        curve = d.grid.saturations[s]
        here = float((curve.apply(x) * weight).sum())
        more = float((curve.apply(x * (1.0 + step)) * weight).sum())
        out[i] = (more - here) / (step * here) if here > 0 else 0.0
    return out


def mean_effects(posterior: Posterior, draws: Array) -> tuple[Array, Array]:
    """(C, G, T) posterior mean effect on the model's scale, and (C,) money per unit of it that is lost in the dark.

    From the skeleton columns, exact for the mean. The factor is one in the additive form.
    """
    out, kept = [], []
    found = posterior.draws
    for c, d in enumerate(posterior.dictionaries):
        coef = d.coefs[:, found.candidate[draws, c]] @ found.coefficient[draws, c] / len(draws)
        out.append(np.einsum("r,rgt->gt", coef, d.basis))
        raw = float(found.coefficient[draws, c].sum())
        kept.append(float(found.gamma[draws, c].sum()) / raw if raw > 0 else 1.0)
    return np.stack(out), np.array(kept)


@dataclass(frozen=True)
class ChannelTable:
    """channel_summary.csv as a frame, and the draws of return and marginal return behind it (S, C)."""

    frame: pd.DataFrame
    returns: Array
    marginal: Array


def point_of(values: Array, supported: Array) -> Array:
    """(C,) what is reported of draws (S, C): the mean, which adds up over channels, kept inside the 90 % interval.

    Of a supported channel the draws in which it does nothing are left out: the claim is conditional on an effect.
    """
    low, _, high = quantiles(values)
    some = (values > 0).sum(axis=0)
    given = values.sum(axis=0) / np.maximum(some, 1)
    return np.asarray(np.clip(np.where(supported, given, values.mean(axis=0)), low, high))


def supported(posterior: Posterior) -> Array:
    """(C,) whether each modelled channel does anything with the probability that the options ask for, and the data do
    not contradict a positive effect."""
    enough = posterior.support() >= posterior.options.support_threshold
    return np.asarray(enough & ~posterior.contradicted)


def point_return(posterior: Posterior) -> Array:
    """(C,) the reported return of each modelled channel."""
    return point_of(posterior.returns(), supported(posterior))


def channel_table(posterior: Posterior, notes: dict[str, str] | None = None) -> ChannelTable:
    """One row per channel of the panel; a channel without spend has no return (empty), never infinity."""
    panel, draws = posterior.panel, posterior.draws
    returns = posterior.returns()
    marginal = np.zeros_like(returns)
    for c in range(posterior.n_channels):
        visited = np.unique(draws.candidate[:, c])
        if len(visited) > 160:  # the rare ones stand for their neighbours
            counts = np.bincount(draws.candidate[:, c])
            kept = np.sort(np.argsort(-counts, kind="stable")[:160])
        else:
            kept = visited
        ratio = dict(zip(kept.tolist(), marginal_ratio(posterior, c, kept), strict=True))
        typical = float(np.median(list(ratio.values())))
        marginal[:, c] = draws.coefficient[:, c] * np.array(
            [ratio.get(int(j), typical) for j in draws.candidate[:, c]]
        )
    low, _, high = quantiles(returns)
    m_low, _, m_high = quantiles(marginal)
    support, is_supported = posterior.support(), supported(posterior)
    low, m_low = np.where(posterior.contradicted, 0.0, low), np.where(posterior.contradicted, 0.0, m_low)
    mid, m_mid = point_of(returns, is_supported), point_of(marginal, is_supported)
    spend = panel.total_spend()
    rows = []
    position = {c: i for i, c in enumerate(posterior.channels)}
    for c, name in enumerate(panel.channels):
        note = (notes or {}).get(name, "")
        if c not in position:
            rows.append(
                {
                    "channel": name,
                    "spend": spend[c],
                    "contribution": 0.0,
                    "contribution_p05": 0.0,
                    "contribution_p95": 0.0,
                    "supported": False,
                    "note": "no spend in the data: its return cannot be estimated",
                }
            )
            continue
        i = position[c]
        reason = (
            "the data point below zero: without the sign constraint the effect is negative"
            if posterior.contradicted[i]
            else ""
            if is_supported[i]
            else f"no effect distinguishable from zero (probability of any effect {support[i]:.2f})"
        )
        rows.append(
            {
                "channel": name,
                "spend": spend[c],
                "contribution": mid[i] * spend[c],
                "contribution_p05": low[i] * spend[c],
                "contribution_p95": high[i] * spend[c],
                "roi": mid[i],
                "roi_p05": low[i],
                "roi_p95": high[i],
                "marginal_roi": m_mid[i],
                "marginal_roi_p05": m_low[i],
                "marginal_roi_p95": m_high[i],
                "supported": bool(is_supported[i]),
                "note": "; ".join(x for x in (reason, note) if x),
            }
        )
    columns = [
        "channel",
        "spend",
        "contribution",
        "contribution_p05",
        "contribution_p95",
        "roi",
        "roi_p05",
        "roi_p95",
        "marginal_roi",
        "marginal_roi_p05",
        "marginal_roi_p95",
        "supported",
        "note",
    ]
    return ChannelTable(pd.DataFrame(rows).reindex(columns=columns), returns, marginal)


@dataclass(frozen=True)
class Decomposition:
    """components: name -> (G, T) money, which add up to `fitted` (G, T); residual = KPI money - fitted."""

    components: dict[str, Array]
    fitted: Array
    residual: Array


def decompose(posterior: Posterior) -> Decomposition:
    """Split the fitted KPI (money) into channels, trend, seasonality, controls and baseline.

    A channel's series is its posterior mean, scaled to the reported return; the rest is the best linear
    prediction given these. The baseline carries the level, unseen demand and what a channel's spend merely follows; in
    the multiplicative form also what arises only where two components meet.
    """
    panel, frame = posterior.panel, posterior.frame
    g, t, _ = panel.shape
    every = thin(posterior, 10_000)
    effects, kept = mean_effects(posterior, every)
    weight = money_weight(posterior)
    point = point_return(posterior)
    spend = panel.total_spend()[list(posterior.channels)]
    series = effects * kept[:, None, None] * weight
    totals = series.sum(axis=(1, 2))
    factor = np.where(totals > 0, point * spend / np.where(totals > 0, totals, 1.0), 0.0)
    series, effects = series * factor[:, None, None], effects * factor[:, None, None]
    demand = np.zeros((g, t))
    for k, basis in enumerate(posterior.demand_basis):
        column = posterior.n_channels + k
        coef = np.zeros(basis.shape[0])
        for s in every:
            coef[posterior.draws.candidate[s, column]] += posterior.draws.gamma[s, column]
        demand += np.einsum("r,rgt->gt", coef / len(every), basis)

    target = panel.outcome - effects.sum(axis=0) - demand
    coef, drift, level = best_linear_prediction(posterior, target)
    components = {panel.channels[c]: series[i] for i, c in enumerate(posterior.channels)}
    for _c, name in enumerate(panel.channels):
        if name not in components:
            components[name] = np.zeros((g, t))
    components = {name: components[name] for name in panel.channels}
    parts: dict[str, Array] = {"trend": np.zeros((g, t)), "seasonality": np.zeros((g, t))}
    expected = (
        np.einsum("gtp,p->gt", frame.nuisance, coef) + level[:, None] + drift + demand + effects.sum(axis=0)
    )
    fitted = panel.from_outcome(expected) * panel.size[:, None] * panel.money_per_kpi
    for p, name in enumerate(frame.nuisance_names):
        value = coef[p] * frame.nuisance[:, :, p] * weight
        if name.startswith("demand:"):
            continue
        key = "seasonality" if name.startswith(("season_", "weekday_")) else name
        parts[key] = parts.get(key, np.zeros((g, t))) + value
    named = np.sum([*components.values(), *parts.values()], axis=0)
    components = components | {"baseline": fitted - named} | parts
    return Decomposition(components, fitted, panel.kpi * panel.money_per_kpi - fitted)


def best_linear_prediction(posterior: Posterior, target: Array) -> tuple[Array, Array, Array]:
    """Nuisance coefficients (P,), drift (G, T) and level (G,) of `target` (G, T) under the modal error model."""
    frame, model = posterior.frame, posterior.modal_model()
    g = target.shape[0]
    nuisance = np.transpose(frame.nuisance, (2, 0, 1))
    national, geo = frame.rotate(np.concatenate([nuisance, target[None]]), model.kernel)
    values = frame.values[model.kernel]
    gain = frame.shared_gain if g > 1 else 1.0
    w_nat, w_geo = baseline.weights_of(model, values, gain)
    x = np.concatenate([national[:, :-1], geo[:, :, :-1].reshape(-1, nuisance.shape[0])])
    y = np.concatenate([national[:, -1], geo[:, :, -1].ravel()])
    w = np.concatenate([w_nat, np.tile(w_geo, g - 1)])
    coef = np.linalg.solve((x * w[:, None]).T @ x + np.diag(frame.ridge), (x * w[:, None]).T @ y)
    left = y - x @ coef
    t = target.shape[1]
    turned = np.empty((g, t))
    turned[0] = left[:t] * w_nat * (gain * model.national_drift + model.geo_drift) * values
    turned[1:] = left[t:].reshape(g - 1, t) * w_geo * model.geo_drift * values
    drift = (frame.geo_rotation.T @ turned @ frame.vectors[model.kernel].T) / frame.row_scale[:, None]
    level = (target - np.einsum("pgt,p->gt", nuisance, coef) - drift).mean(axis=1)
    return coef, drift, level


@dataclass(frozen=True)
class Response:
    """One channel's steady response on a grid: spend (M,) per period, revenue draws (D, M) per period."""

    spend: Array
    draws: Array
    observed_max: float
    recent: float


def recent_window(posterior: Posterior) -> slice:
    """The last year (or all there is): the period whose pacing and prices a plan continues."""
    t = posterior.panel.shape[1]
    return slice(max(0, t - 52 * posterior.panel.periods_per_week), t)


def representatives(exposure: Array, weight: Array) -> tuple[Array, Array]:
    """Merge geographies of like exposure: levels (K,) and summed weights (K,), K <= 24."""
    order = np.argsort(exposure, kind="stable")
    chunks = np.array_split(order, min(_REPRESENTATIVES, len(order)))
    total = np.array([weight[k].sum() for k in chunks])
    level = np.array([np.average(exposure[k], weights=np.maximum(weight[k], 1e-300)) for k in chunks])
    return level, total


def steady_response(posterior: Posterior, channel: int, spend: Array, index: Array) -> Array:
    """(D, M) money per period that `spend` (M,) per period earns when held for long, for the draws `index`."""
    panel = posterior.panel
    d = posterior.dictionaries[channel]
    c = posterior.channels[channel]
    window = recent_window(posterior)
    if panel.spend[c][:, window].sum() <= 0:
        window = slice(0, panel.shape[1])
    paid = float(panel.spend[c][:, window].sum())
    money = panel.effect_money[:, window].mean(axis=1)
    out = np.empty((len(index), len(spend)))
    cache: dict[int, Array] = {}
    places: dict[int, tuple[Array, Array]] = {}
    for i, s in enumerate(index):
        j = int(posterior.draws.candidate[s, channel])
        if j not in cache:
            reading, _, sat = d.parts(j)
            if reading not in places:
                per_money = d.readings[reading][:, window].sum(axis=1) / paid
                places[reading] = representatives(per_money / d.reference[reading], money)
            level, weight = places[reading]
            curve = d.grid.saturations[sat].apply(np.multiply.outer(spend, level))
            cache[j] = d.scale[j] * (curve @ weight)
        out[i] = posterior.draws.gamma[s, channel] * cache[j]
    return out


def response_curves(posterior: Posterior, points: int = 21) -> pd.DataFrame:
    """response_curves.csv: steady spend per period against money per period, to 1.5 x the highest observed."""
    panel = posterior.panel
    index = thin(posterior)
    rows = []
    for i, c in enumerate(posterior.channels):
        per_period = panel.spend[c].sum(axis=0)
        top = float(per_period.max())
        spend = np.linspace(0.0, 1.5 * top, points)
        draws = steady_response(posterior, i, spend, index)
        low, _, high = quantiles(draws)
        mid = point_of(draws, np.full(points, supported(posterior)[i]))
        for m in range(points):
            rows.append(
                {
                    "channel": panel.channels[c],
                    "spend_per_period": spend[m],
                    "incremental_revenue": mid[m],
                    "p05": low[m],
                    "p95": high[m],
                    "observed": bool(spend[m] <= top * (1 + 1e-12)),
                }
            )
    return pd.DataFrame(rows)
