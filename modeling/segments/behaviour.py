"""From counts of a customer's year to scores that can be compared: rates and shares freed of most of their chance.

Most customers buy a handful of times a year, so that a raw rate, share or mean says more about luck than about the
customer, and clusters of raw figures are clusters of luck (no purchase, one purchase, ...). Each behaviour is
therefore the mean of its posterior under a common prior whose two numbers come from all customers by moments
(empirical Bayes; Efron and Morris 1975, "Data analysis using Stein's estimator"; Robbins 1956). What the customers
differ in no more than chance makes them, drops out of the clustering.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Behaviours that may form segments. Where somebody buys is told of a segment, but does not form it: a preference
#: for one retailer separates customers sharply and would leave no room for how they buy.
CLUSTERED = ("purchase_rate", "basket_usd", "coupon_usd", "coupon_use", "open_rate", "recent_share")
#: Told of every segment besides those.
TOLD = ("recency_days", "amazon_share", "walmart_share")
RELIABLE = 0.2  # least mean share of a score's variance that is of the customers and not of chance
YEAR_DAYS = 364.0


@dataclass(frozen=True)
class Prior:
    """What is known of a behaviour before a customer shows it.

    Attributes:
        mean: of all customers, in the unit of the behaviour (basket and coupon: log of 1 + dollars).
        weight: trials (days, mails, purchases) that count as much as the prior; infinite where nobody differs.
        reliability: mean share of own evidence in a customer's score, 0 to 1.
    """

    mean: float
    weight: float
    reliability: float


def fit_rate(events: np.ndarray, exposure: np.ndarray) -> Prior:
    """Prior of an event rate per unit of exposure (gamma-Poisson), by moments; arrays (N,)."""
    mean = float(events.sum() / max(exposure.sum(), 1e-12))
    extra = float(((events - mean * exposure) ** 2 - mean * exposure).sum())
    between = max(extra / max(float((exposure**2).sum()), 1e-12), 0.0)
    return _prior(mean, mean / between if between > 0 else np.inf, exposure)


def fit_share(hits: np.ndarray, trials: np.ndarray) -> Prior:
    """Prior of a share of trials (beta-binomial), by moments; arrays (N,)."""
    total = float(trials.sum())
    mean = float(hits.sum() / total) if total > 0 else 0.0
    pairs = float((trials * (trials - 1)).sum())
    spread = mean * (1 - mean)
    if spread <= 0 or pairs <= 0:
        return Prior(mean, np.inf, 0.0)
    extra = float(((hits - mean * trials) ** 2).sum()) - total * spread
    alike = min(max(extra / (pairs * spread), 0.0), 0.999)  # correlation of two trials of one customer
    return _prior(mean, (1 - alike) / alike if alike > 0 else np.inf, trials)


def fit_mean(means: np.ndarray, counts: np.ndarray) -> Prior:
    """Prior of a customer's mean (normal-normal): squared distances from the grand mean fall as B + W / count.

    Args:
        means: (N,) each customer's mean; counts: (N,) how many values it is made of, 0 = none.
    """
    some = counts > 0
    if not some.any():
        return Prior(0.0, np.inf, 0.0)
    mean = float(np.average(means[some], weights=counts[some]))
    distance, part = (means[some] - mean) ** 2, 1.0 / counts[some]
    if np.ptp(part) <= 0:  # equally many each: chance cannot be told from character, so nothing is drawn in
        return Prior(mean, 0.0, 1.0 if float(distance.sum()) > 0 else 0.0)
    slope = float(np.cov(part, distance, bias=True)[0, 1] / part.var())
    between = float(distance.mean()) - slope * float(part.mean())
    if between <= 0:
        return Prior(mean, np.inf, 0.0)
    return _prior(mean, max(slope, 0.0) / between, counts)


def _prior(mean: float, weight: float, evidence: np.ndarray) -> Prior:
    if not np.isfinite(weight):
        return Prior(mean, np.inf, 0.0)
    return Prior(mean, weight, float(np.mean(evidence / np.maximum(evidence + weight, 1e-12))))


def _drawn(total: np.ndarray, evidence: np.ndarray, prior: Prior) -> np.ndarray:
    """Posterior mean: own total and the prior's, by their evidence."""
    if not np.isfinite(prior.weight):
        return np.full(len(total), prior.mean)
    whole = evidence + prior.weight
    return np.where(
        whole > 0, (total + prior.weight * prior.mean) / np.where(whole > 0, whole, 1.0), prior.mean
    )


def evidence(months: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(N,) total and (N,) evidence of every behaviour in :data:`CLUSTERED`, from ``feat_customer_month``."""
    bought = months["purchases"].to_numpy(float)
    some = np.maximum(bought, 1.0)

    def log_mean(column: str) -> tuple[np.ndarray, np.ndarray]:
        mean = np.log1p(np.maximum(months[column].to_numpy(float), 0.0) / some)
        return mean * bought, bought

    clips, mails = months["clips"].to_numpy(float), months["mails"].to_numpy(float)
    return {
        "purchase_rate": (bought, np.maximum(months["observed_days"].to_numpy(float), 1.0) / YEAR_DAYS),
        "basket_usd": log_mean("value_usd"),
        "coupon_usd": log_mean("discount_usd"),
        "coupon_use": (np.minimum(bought, clips), clips),
        "open_rate": (np.minimum(months["opens"].to_numpy(float), mails), mails),
        "recent_share": (np.minimum(months["recent_purchases"].to_numpy(float), bought), bought),
    }


def fit_priors(months: pd.DataFrame) -> dict[str, Prior]:
    """Priors of every behaviour, from the customers of one month."""
    out = {}
    for name, (total, weight) in evidence(months).items():
        if name == "purchase_rate":
            out[name] = fit_rate(total, weight)
        elif name in ("basket_usd", "coupon_usd"):
            out[name] = fit_mean(total / np.maximum(weight, 1.0), weight)
        else:
            out[name] = fit_share(total, weight)
    return out


def telling(priors: Mapping[str, Prior]) -> list[str]:
    """Behaviours in which customers differ by more than chance."""
    return [name for name in CLUSTERED if priors[name].reliability >= RELIABLE]


def scores(months: pd.DataFrame, priors: Mapping[str, Prior]) -> pd.DataFrame:
    """(N, behaviours) scores on scales where distances mean the same everywhere: logs, and log odds of shares."""
    columns = {}
    for name, (total, weight) in evidence(months).items():
        value = _drawn(total, weight, priors[name])
        if name == "purchase_rate":
            value = np.log(np.maximum(value, 1e-9))
        elif name not in ("basket_usd", "coupon_usd"):
            odds = np.clip(value, 1e-4, 1 - 1e-4)
            value = np.log(odds / (1 - odds))
        columns[name] = value
    return pd.DataFrame(columns)


def in_units(months: pd.DataFrame, priors: Mapping[str, Prior]) -> pd.DataFrame:
    """The same behaviours and those that are only told, in units that people read.

    Purchases a year, dollars a basket and a coupon, shares 0 to 1, days; retailer shares of those who bought are
    drawn towards everybody's as the other shares are.
    """
    out = {}
    for name, (total, weight) in evidence(months).items():
        value = _drawn(total, weight, priors[name])
        out[name] = np.expm1(value) if name in ("basket_usd", "coupon_usd") else value
    bought = months["purchases"].to_numpy(float)
    out["recency_days"] = months["recency_days"].to_numpy(float)
    for retailer in ("amazon", "walmart"):
        there = np.minimum(months[f"{retailer}_purchases"].to_numpy(float), bought)
        out[f"{retailer}_share"] = _drawn(there, bought, fit_share(there, bought))
    return pd.DataFrame(out)


def pooled(months: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    """The behaviours of :func:`in_units` of whole groups: totals over totals, so nothing is drawn in.

    Args:
        labels: (N,) group of every row of ``months``.

    Returns:
        One row a group, index = label; NaN where a group has nothing to divide by.
    """
    total = months.select_dtypes("number").astype(float).groupby(np.asarray(labels)).sum()
    bought = total["purchases"].where(total["purchases"] > 0)
    clips, mails = total["clips"].where(total["clips"] > 0), total["mails"].where(total["mails"] > 0)
    size = pd.Series(np.asarray(labels)).value_counts()
    return pd.DataFrame(
        {
            "purchase_rate": total["purchases"] / total["observed_days"].clip(lower=1.0) * YEAR_DAYS,
            "basket_usd": total["value_usd"] / bought,
            "coupon_usd": total["discount_usd"] / bought,
            "coupon_use": (total["purchases"] / clips).clip(upper=1.0),
            "open_rate": (total["opens"] / mails).clip(upper=1.0),
            "recent_share": total["recent_purchases"] / bought,
            "recency_days": total["recency_days"] / size,
            "amazon_share": total["amazon_purchases"] / bought,
            "walmart_share": total["walmart_purchases"] / bought,
        }
    )
