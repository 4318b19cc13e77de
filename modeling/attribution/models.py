"""All attribution models on one set of paths, with path-bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse

from modeling.attribution import markov, rules, shapley
from modeling.attribution.paths import Floats, Paths, check_channels, weight_by
from modeling.errors import Refusal

MODELS = (*rules.RULES, "markov", "shapley")
TAILS: Final = "weibull"  # of B draws the p-quantile is the (B + 1) p-th: numpy's default cuts into the tails of few draws


@dataclass(frozen=True)
class Settings:
    """Choices that change the answer.

    Attributes:
        order: Markov order, 1 to 4.
        half_life: time decay, in days (in touches where the paths carry no times).
        ends: position based, share of the first and of the last touch.
        shapley_game: "conversions" or "rate" (see modeling/attribution/shapley.py).
        seed: seed of the bootstrap and of sampled Shapley values.
    """

    order: int = 1
    half_life: float = 7.0
    ends: float = 0.4
    shapley_game: str = "conversions"
    seed: int = 0


@dataclass(frozen=True)
class Attribution:
    """Result of :func:`attribute`.

    Attributes:
        credits: model, channel, conversions, value: each model adds up to all conversions and all value.
        removal: channel, removal_effect, removal_effect_value, share.
        chain: the fitted chain.
        shapley_error: largest standard error of a sampled Shapley credit in conversions; 0 = exact.
    """

    credits: pd.DataFrame
    removal: pd.DataFrame
    chain: markov.Chain
    shapley_error: float


def attribute(paths: Paths, settings: Settings | None = None) -> Attribution:
    """Fit every model.

    Markov (and Shapley's rate game) divide all conversions by one vector of shares; value is divided by the same
    shares, so that credit multiplies value for these models as it does for the rules, path by path.

    Raises:
        Refusal: no conversions. InputError: fewer than two channels.
    """
    settings = settings or Settings()
    check_channels(paths.channels)
    total, value = float(paths.conversions.sum()), float(paths.value.sum())
    if not total > 0:
        raise Refusal("the paths contain no conversion: there is no credit to divide")
    rows: dict[str, tuple[Floats, Floats]] = {}
    for model, matrix in credit_matrices(paths, settings).items():
        rows[model] = (matrix.T @ paths.conversions, matrix.T @ paths.value)
    chain = markov.build_chain(paths, settings.order)
    effect = markov.removal_effects(chain, len(paths.channels))
    share = shares_of(effect)
    rows["markov"] = (share * total, share * value)
    error = 0.0
    if settings.shapley_game == "rate":
        credit, errors = shapley.rate_game(paths, seed=settings.seed)
        rows["shapley"] = (credit, credit / total * value)
        error = float(errors.max())
    credits = pd.concat(
        [
            pd.DataFrame(
                {"model": m, "channel": paths.channels, "conversions": rows[m][0], "value": rows[m][1]}
            )
            for m in MODELS
        ],
        ignore_index=True,
    )
    has_value = paths.value.sum() > 0
    value_effect = np.full_like(effect, np.nan)
    if has_value:
        value_effect = markov.removal_effects(chain, len(paths.channels), reward="value")
    removal = pd.DataFrame(
        {
            "channel": paths.channels,
            "removal_effect": effect,
            "removal_effect_value": value_effect,
            "share": share,
        }
    )
    return Attribution(credits, removal, chain, error)


def credit_matrices(paths: Paths, settings: Settings) -> dict[str, sparse.csr_array]:
    """(P, C) credit per conversion of every model that divides path by path."""
    out = {
        rule: rules.credit_matrix(
            paths, rules.touch_shares(paths, rule, half_life=settings.half_life, ends=settings.ends)
        )
        for rule in rules.RULES
    }
    if settings.shapley_game == "conversions":
        out["shapley"] = shapley.equal_division(paths)
    return out


def shares_of(effect: Floats) -> Floats:
    """Removal effects scaled to sum to 1.

    Raises:
        Refusal: no channel loses anything.
    """
    clean = np.maximum(effect, 0.0)  # a channel that is never visited can come out at -1e-17
    if not clean.sum() > 0:
        raise Refusal("no channel has a removal effect")
    return np.asarray(clean / clean.sum(), dtype=np.float64)


def path_division(paths: Paths, effect: Floats) -> sparse.csr_array:
    """(P, C) sparse: each conversion divided among the channels of its own path by their removal effects.

    The layout by week and place of a Markov model: shares of a path sum to 1, and a channel gets credit only
    where it was touched. A path whose channels have no effect at all is divided equally.
    """
    sets = shapley.channel_sets(paths)
    weighted = (sets @ sparse.diags_array(np.maximum(effect, 0.0))).tocsr()
    total = np.asarray(weighted.sum(axis=1)).ravel()
    sizes = np.asarray(sets.sum(axis=1)).ravel()
    known = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    equal = np.where(total > 0, 0.0, 1.0 / sizes)
    return (sparse.diags_array(known) @ weighted + sparse.diags_array(equal) @ sets).tocsr()


@dataclass(frozen=True)
class Draws:
    """Bootstrap draws: {model: (draws, C)} shares of all conversions, and of all value (empty where there is none)."""

    shares: dict[str, Floats]
    values: dict[str, Floats]


def bootstrap(
    paths: Paths, settings: Settings, *, draws: int = 200, report: Callable[[int], None] | None = None
) -> Draws:
    """Path bootstrap of every model. See :func:`bootstrap_draws`."""
    return bootstrap_draws(paths, settings, credit_matrices(paths, settings), draws=draws, report=report)


def bootstrap_draws(
    paths: Paths,
    settings: Settings,
    matrices: dict[str, sparse.csr_array],
    *,
    draws: int = 200,
    markov_by_path: bool = False,
    report: Callable[[int], None] | None = None,
) -> Draws:
    """The observed journeys are drawn again (Poisson weights) and every model is refitted.

    A drawn conversion pays the mean value of its path. What conversions of one path differ by is not in weighted
    paths, so intervals of value are a little short where that is much.

    Args:
        matrices: (P, C) credit per conversion of the models that divide path by path.
        markov_by_path: Markov shares of :func:`path_division` instead of the model's own shares.
    """
    rng = np.random.default_rng(settings.seed)
    shares: dict[str, list[Floats]] = {m: [] for m in MODELS}
    values: dict[str, list[Floats]] = {m: [] for m in MODELS}
    pays = np.divide(
        paths.value, paths.conversions, out=np.zeros_like(paths.value), where=paths.conversions > 0
    )
    refit = _markov_refit(paths, settings.order)
    for draw in range(draws):
        conversions, nulls = _poisson(rng, paths.conversions), _poisson(rng, paths.nulls)
        if not conversions.sum() > 0:
            continue
        worth = pays * conversions
        total = float(worth.sum())
        for model, matrix in matrices.items():
            credit = matrix.T @ conversions
            shares[model].append(credit / credit.sum())
            if total > 0:
                values[model].append(matrix.T @ worth / total)
        share = refit(conversions, nulls)
        if markov_by_path:
            share = (path_division(paths, share).T @ conversions) / conversions.sum()
        whole = {"markov": share}
        if settings.shapley_game == "rate":
            again = paths.reweighted(conversions, paths.value, nulls)
            credit, _ = shapley.rate_game(again, permutations=400, seed=settings.seed)
            whole["shapley"] = credit / credit.sum()
        for model, share in whole.items():  # these models divide value by the same shares as conversions
            shares[model].append(share)
            if total > 0:
                values[model].append(share)
        if report is not None:
            report(draw + 1)
    return Draws(
        {m: np.array(v) for m, v in shares.items()}, {m: np.array(v) for m, v in values.items() if v}
    )


def _poisson(rng: np.random.Generator, weight: Floats) -> Floats:
    """Poisson draws; beyond 1e12 the normal limit, because the generator's range ends."""
    drawn = rng.poisson(np.minimum(weight, 1e12)).astype(np.float64)
    huge = weight > 1e12
    if huge.any():
        drawn[huge] = weight[huge] + np.sqrt(weight[huge]) * rng.standard_normal(int(huge.sum()))
    return drawn


def _markov_refit(paths: Paths, order: int) -> Callable[[Floats, Floats], Floats]:
    """Markov shares for new weights without counting transitions again: states and pairs are fixed."""
    number, states = markov.state_codes(paths, order)
    size, last = len(states), paths.offsets[1:] - 1
    inner = np.ones(len(number), dtype=bool)
    inner[last] = False
    source = np.flatnonzero(inner)
    pair, which = np.unique(number[source] * size + number[source + 1], return_inverse=True)
    shape = (len(pair), len(paths.lengths))
    tally = sparse.coo_array(
        (np.ones(len(source)), (which, paths.path_of_touch[source])), shape=shape
    ).tocsr()

    def refit(conversions: Floats, nulls: Floats) -> Floats:
        weight = conversions + nulls
        counts = sparse.coo_array((tally @ weight, (pair // size, pair % size)), shape=(size, size)).tocsr()
        chain = markov.Chain(
            states=states,
            start=weight_by(number[paths.offsets[:-1]], weight, size),
            counts=counts,
            conversion=weight_by(number[last], conversions, size),
            null=weight_by(number[last], nulls, size),
            value=np.zeros(size),
        )
        return shares_of(markov.removal_effects(chain, len(paths.channels)))

    return refit


def interval_table(
    draws: Draws, credits: pd.DataFrame, channels: Sequence[str], *, level: float = 0.95
) -> pd.DataFrame:
    """Intervals on shares and on credited conversions and value, from bootstrap draws.

    Total conversions and total value are what was observed; the intervals say how sure their division is. Value over
    a known spend is ROAS, so the interval of value is that of ROAS times spend.

    Returns:
        model, channel, share, share_low, share_high, conversions_low, conversions_high, value_low, value_high.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    parts = []
    for model, table in draws.shares.items():
        own = credits[credits["model"] == model]
        total, value = own["conversions"].sum(), own["value"].sum()
        low, high = np.quantile(table, tails, axis=0, method=TAILS)
        worth = np.full((2, len(channels)), np.nan)
        if model in draws.values:
            worth = value * np.quantile(draws.values[model], tails, axis=0, method=TAILS)
        parts.append(
            pd.DataFrame(
                {
                    "model": model,
                    "channel": list(channels),
                    "share": own["conversions"].to_numpy() / total,
                    "share_low": low,
                    "share_high": high,
                    "conversions_low": low * total,
                    "conversions_high": high * total,
                    "value_low": worth[0],
                    "value_high": worth[1],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def transition_table(chain: markov.Chain, channels: Sequence[str]) -> pd.DataFrame:
    """Transitions with their weight and probability: channel_from, channel_to, count, probability.

    A state of a higher-order chain is written as its channels joined by " > ".
    """
    names = np.array(
        [" > ".join(channels[c] for c in state if c >= 0) for state in chain.states], dtype=object
    )
    moves = chain.counts.tocoo()
    parts = [
        pd.DataFrame({"channel_from": markov.START, "channel_to": names, "count": chain.start}),
        pd.DataFrame({"channel_from": names[moves.row], "channel_to": names[moves.col], "count": moves.data}),
        pd.DataFrame({"channel_from": names, "channel_to": markov.CONVERSION, "count": chain.conversion}),
        pd.DataFrame({"channel_from": names, "channel_to": markov.NULL, "count": chain.null}),
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table[table["count"] > 0]
    table["probability"] = table["count"] / table.groupby("channel_from")["count"].transform("sum")
    return table.sort_values(["channel_from", "channel_to"], kind="stable").reset_index(drop=True)


def length_table(paths: Paths) -> pd.DataFrame:
    """Journeys by number of touches: path_length, distinct_paths, conversions, value, nulls, conversion_rate."""
    frame = pd.DataFrame(
        {
            "path_length": paths.lengths,
            "distinct_paths": 1,
            "conversions": paths.conversions,
            "value": paths.value,
            "nulls": paths.nulls,
        }
    )
    table = frame.groupby("path_length", as_index=False).sum()
    seen = table["conversions"] + table["nulls"]
    table["conversion_rate"] = (table["conversions"] / seen).where(seen > 0)
    return table
