"""Customer lifetime value: how often a customer will buy again, and for how much.

BG/NBD for purchases (Fader, Hardie and Lee 2005, "Counting your customers the easy way") and gamma-gamma for baskets
(Fader and Hardie 2013, "The gamma-gamma model of monetary value"). Time is in weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from modeling.errors import Refusal

MIN_CUSTOMERS = 200
TRUSTED_ERROR = 0.15  # largest error of total purchases in the hold-out that still counts as supported


@dataclass(frozen=True)
class ValueModel:
    """Fitted parameters: purchases (r, alpha, a, b) and baskets (p, q, scale)."""

    purchases: tuple[float, float, float, float]
    baskets: tuple[float, float, float]
    log_likelihood: float


def summarise(events: pd.DataFrame, end_week: int) -> pd.DataFrame:
    """Repeat purchases of every customer up to a week.

    Args:
        events: customer_key, week (number), purchases, value_usd; purchases > 0.
        end_week: last week that counts.

    Returns:
        customer_key, repeats, last (weeks from first to last purchase), age (weeks from first purchase to the end),
        basket_usd (mean basket), purchases (all).
    """
    seen = events[(events["week"] <= end_week) & (events["purchases"] > 0)]
    grouped = seen.groupby("customer_key")
    table = grouped.agg(first=("week", "min"), final=("week", "max"), weeks=("week", "size"), purchases=("purchases", "sum"), value=("value_usd", "sum"))  # fmt: skip
    return pd.DataFrame(
        {
            "customer_key": table.index,
            "repeats": table["weeks"].to_numpy() - 1.0,
            "last": (table["final"] - table["first"]).to_numpy(float),
            "age": (end_week - table["first"]).to_numpy(float),
            "basket_usd": (table["value"] / table["weeks"]).to_numpy(float),
            "purchases": table["purchases"].to_numpy(float),
        }
    )


def bgnbd_likelihood(params: np.ndarray, x: np.ndarray, last: np.ndarray, age: np.ndarray) -> float:
    """Log likelihood of the BG/NBD model, equation 6 of Fader, Hardie and Lee; parameters are logs."""
    r, alpha, a, b = np.exp(params)
    first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    gone = betaln(a + 1, b + x - 1) - betaln(a, b) - (r + x) * np.log(alpha + last)
    return float((first + np.where(x > 0, np.logaddexp(alive, gone), alive)).sum())


def gamma_gamma_likelihood(params: np.ndarray, n: np.ndarray, mean: np.ndarray) -> float:
    """Log likelihood of mean baskets ``mean`` over ``n`` purchases; parameters are logs of (p, q, scale)."""
    p, q, scale = np.exp(params)
    return float(
        (gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(scale) + (p * n - 1) * np.log(mean) + p * n * np.log(n) - (p * n + q) * np.log(scale + n * mean)).sum()
    )  # fmt: skip


def fit_value(table: pd.DataFrame) -> ValueModel:
    """Fit both models by maximum likelihood.

    Raises:
        Refusal: fewer than 200 customers or hardly any repeat purchases.
    """
    if len(table) < MIN_CUSTOMERS or (table["repeats"] > 0).sum() < MIN_CUSTOMERS // 2:
        raise Refusal(
            f"{len(table)} customers, {int((table['repeats'] > 0).sum())} who bought again: too few for lifetime value"
        )
    x, last, age = (table[c].to_numpy(float) for c in ("repeats", "last", "age"))
    best = minimize(
        lambda v: -bgnbd_likelihood(v, x, last, age),
        np.log([1.0, 8.0, 0.5, 3.0]),
        method="L-BFGS-B",
        bounds=[(-8, 8)] * 4,
    )
    n, mean = x + 1, table["basket_usd"].to_numpy(float)
    spend = minimize(
        lambda v: -gamma_gamma_likelihood(v, n, mean),
        np.log([4.0, 4.0, mean.mean()]),
        method="L-BFGS-B",
        bounds=[(-6, 9)] * 3,
    )
    r, alpha, a, b = np.exp(best.x)
    p, q, scale = np.exp(spend.x)
    return ValueModel(
        (float(r), float(alpha), float(a), float(b)), (float(p), float(q), float(scale)), -float(best.fun)
    )


def probability_active(model: ValueModel, table: pd.DataFrame) -> np.ndarray:
    """Chance that a customer has not stopped buying."""
    r, alpha, a, b = model.purchases
    x, last, age = (table[c].to_numpy(float) for c in ("repeats", "last", "age"))
    odds = np.where(x > 0, a / (b + np.maximum(x, 1) - 1) * ((alpha + age) / (alpha + last)) ** (r + x), 0.0)
    return np.asarray(1 / (1 + odds))


def expected_purchases(model: ValueModel, table: pd.DataFrame, weeks: float) -> np.ndarray:
    """Expected purchase weeks of each customer in the next ``weeks``, equation 10 of Fader, Hardie and Lee."""
    r, alpha, a, b = model.purchases
    x, age = table["repeats"].to_numpy(float), table["age"].to_numpy(float)
    z = weeks / (alpha + age + weeks)
    tail = ((alpha + age) / (alpha + age + weeks)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    return np.asarray((a + b + x - 1) / (a - 1) * (1 - tail) * probability_active(model, table))


def expected_basket(model: ValueModel, table: pd.DataFrame) -> np.ndarray:
    """Expected basket: the customer's own mean drawn towards everybody's."""
    p, q, scale = model.baskets
    n, mean = table["repeats"].to_numpy(float) + 1, table["basket_usd"].to_numpy(float)
    return np.asarray(p * (scale + n * mean) / (p * n + q - 1))


def hold_out_error(events: pd.DataFrame, end_week: int, weeks: int) -> float:
    """Relative error of total purchase weeks predicted for the last ``weeks``, fitted on what came before them."""
    before = summarise(events, end_week - weeks)
    model = fit_value(before)
    predicted = expected_purchases(model, before, float(weeks)).sum()
    later = events[
        (events["week"] > end_week - weeks) & (events["week"] <= end_week) & (events["purchases"] > 0)
    ]
    real = later["customer_key"].isin(before["customer_key"]).sum()
    return float(predicted / max(real, 1) - 1)
