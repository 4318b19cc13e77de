"""Clusters of customers: scaling, K-means, the choice of k, and a Gaussian mixture beside it.

Nothing here depends on the order of rows: customers are sorted by their values before anything random happens, and
segments are numbered by size (or by a named feature). A shuffled file gives the same segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture

from modeling.errors import InputError, Refusal

MIN_CUSTOMERS = 30
K_RANGE = (2, 10)
SILHOUETTE_SAMPLE = 3000
STABILITY_DRAWS = 10
STABLE = (
    0.8  # mean adjusted Rand index of bootstrap solutions that counts as stable (Hennig 2007 uses .75 to .85)
)


@dataclass(frozen=True)
class Scaler:
    """Affine scaling of every feature: ``low`` to 0 and ``high`` to 1. Arrays of shape (features,).

    By range: the smallest and largest value seen in fitting. By spread: the mean and one standard deviation above it.
    """

    low: np.ndarray
    high: np.ndarray

    def transform(self, values: np.ndarray) -> np.ndarray:
        """(n, features) in original units to scaled units."""
        return np.asarray((values - self.low) / (self.high - self.low))

    def inverse(self, scaled: np.ndarray) -> np.ndarray:
        """(n, features) in scaled units back to original units."""
        return np.asarray(scaled * (self.high - self.low) + self.low)


@dataclass(frozen=True)
class Segmentation:
    """A fitted segmentation.

    Attributes:
        features: names, in order.
        scaler: from original to scaled units.
        centroids: (k, features) in original units, in the order of their numbers.
        labels: (n,) segment number 1..k of every row given to :func:`segment`, in the caller's order.
        selection: one row a candidate k: k, inertia, silhouette, stability, elbow_distance, mixture_bic,
            mixture_silhouette, mixture_agreement, is_chosen.
        reason: why this k.
    """

    features: tuple[str, ...]
    scaler: Scaler
    centroids: np.ndarray
    labels: np.ndarray
    selection: pd.DataFrame
    reason: str

    @property
    def k(self) -> int:
        """Number of segments."""
        return len(self.centroids)

    def assign(self, frame: pd.DataFrame) -> np.ndarray:
        """Segment number 1..k of new customers: the nearest centroid in scaled units."""
        scaled = self.scaler.transform(numeric(frame, self.features))
        return nearest(scaled, self.scaler.transform(self.centroids)) + 1


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index of the nearest centre of each point (squared Euclidean distance)."""
    distance = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=-1)
    return np.asarray(distance.argmin(axis=1))


def numeric(frame: pd.DataFrame, features: Sequence[str]) -> np.ndarray:
    """Feature columns as floats, (n, features).

    Raises:
        InputError: a column is not numeric or has missing or infinite values; the message names the first.
    """
    columns = []
    for name in features:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise InputError(f"feature {name!r} has {bad} values that are missing or not numbers")
        columns.append(values)
    return np.column_stack(columns)


def _fit_kmeans(scaled: np.ndarray, k: int, seed: int) -> KMeans:
    return KMeans(n_clusters=k, n_init=10, random_state=seed).fit(scaled)


def _silhouette(scaled: np.ndarray, labels: np.ndarray, seed: int) -> float:
    sample = SILHOUETTE_SAMPLE if len(scaled) > SILHOUETTE_SAMPLE else None
    return float(silhouette_score(scaled, labels, sample_size=sample, random_state=seed))


def stability(scaled: np.ndarray, k: int, seed: int, draws: int = STABILITY_DRAWS) -> float:
    """Mean adjusted Rand index between the full solution and solutions fitted on bootstrap samples.

    Every bootstrap solution labels all customers by nearest centre, so that the comparison is over all of them.
    Source: Hennig (2007), "Cluster-wise assessment of cluster stability"; Hubert and Arabie (1985) for the index.
    """
    full = _fit_kmeans(scaled, k, seed).labels_
    rng = np.random.default_rng([seed, k])
    size = min(len(scaled), 4000)
    scores = []
    for _ in range(draws):
        sample = scaled[rng.integers(0, len(scaled), size)]
        model = KMeans(n_clusters=k, n_init=3, random_state=int(rng.integers(2**31))).fit(sample)
        scores.append(adjusted_rand_score(full, nearest(scaled, model.cluster_centers_)))
    return float(np.mean(scores))


def elbow(k: np.ndarray, inertia: np.ndarray) -> np.ndarray:
    """Height of the inertia curve below the straight line between its ends, both axes on 0..1.

    The largest value marks the elbow (Satopaa et al. 2011, "Finding a kneedle in a haystack").
    """
    if len(k) < 3 or inertia[0] <= inertia[-1]:
        return np.zeros(len(k))
    x = (k - k[0]) / (k[-1] - k[0])
    y = (inertia - inertia[-1]) / (inertia[0] - inertia[-1])
    return np.asarray((1 - x) - y)


def select(scaled: np.ndarray, candidates: Sequence[int], seed: int) -> pd.DataFrame:
    """Scores of every candidate k, by K-means and by a Gaussian mixture."""
    rows = []
    for k in candidates:
        model = _fit_kmeans(scaled, k, seed)
        mixture = GaussianMixture(k, covariance_type="full", n_init=2, reg_covar=1e-5, random_state=seed).fit(
            scaled
        )
        mixed = mixture.predict(scaled)
        rows.append(
            {
                "k": k,
                "inertia": float(model.inertia_),
                "silhouette": _silhouette(scaled, model.labels_, seed),
                "stability": stability(scaled, k, seed),
                "mixture_bic": float(mixture.bic(scaled)),
                "mixture_silhouette": _silhouette(scaled, mixed, seed)
                if len(set(mixed)) > 1
                else float("nan"),
                "mixture_agreement": float(adjusted_rand_score(model.labels_, mixed)),
            }
        )
    table = pd.DataFrame(rows)
    table.insert(4, "elbow_distance", elbow(table["k"].to_numpy(float), table["inertia"].to_numpy()))
    return table


def choose(table: pd.DataFrame) -> tuple[int, str]:
    """The k with the best silhouette among the stable ones, and the reason in words.

    Where no candidate is stable the silhouette decides alone and the reason says so.
    """
    stable = table[table["stability"] >= STABLE]
    pool = stable if len(stable) else table
    best = pool.iloc[int(pool["silhouette"].to_numpy().argmax())]
    bend = int(table["k"].to_numpy()[int(table["elbow_distance"].to_numpy().argmax())])
    words = f"k={int(best['k'])}: silhouette {best['silhouette']:.3f} is the highest"
    words += (
        f" of {len(stable)} stable candidates"
        if len(stable)
        else " (no candidate is stable; treat with care)"
    )
    words += f", stability {best['stability']:.2f}, elbow at k={bend}"
    return int(best["k"]), words


def segment(
    frame: pd.DataFrame,
    features: Sequence[str],
    *,
    k: int | None = None,
    seed: int = 0,
    select_on: int = 5000,
    least_k: int = K_RANGE[0],
    most_k: int = K_RANGE[1],
    scaling: str = "range",
    rank_by: str | None = None,
) -> Segmentation:
    """Segment customers by ``features``; ``k=None`` chooses k by silhouette, elbow and stability.

    Candidates from ``least_k`` to ``most_k`` are scored on at most ``select_on`` customers, taken evenly over the sorted
    ones; the chosen k is fitted on all. ``scaling`` is "range" (0..1) or "spread" (standard deviations, for features
    with long tails). Segments are numbered by size, or from the highest centroid of ``rank_by`` down, which keeps the
    numbers from one round to the next where sizes are nearly equal.

    Raises:
        InputError: features are not numeric, constant, or k is out of range.
        Refusal: fewer than 30 customers, or fewer distinct customers than segments.
    """
    names = tuple(features)
    values = numeric(frame, names)
    if len(values) < MIN_CUSTOMERS:
        raise Refusal(
            f"{len(values)} customers are too few to find segments in (at least {MIN_CUSTOMERS} are needed)"
        )
    low, high = values.min(axis=0), values.max(axis=0)
    flat = [n for n, a, b in zip(names, low, high, strict=True) if a == b]
    if flat:
        raise InputError(f"feature {flat[0]!r} has one value only and cannot tell customers apart")
    distinct = len(np.unique(values, axis=0))
    most = min(most_k, distinct - 1, len(values) // 5)
    if k is not None and not 2 <= k <= max(most, distinct - 1):
        raise InputError(
            f"k must be between 2 and {max(most, distinct - 1)} for {distinct} distinct customers, got {k}"
        )
    if most < 2:
        raise Refusal(f"only {distinct} distinct customers: there is nothing to cluster")
    scaler = (
        Scaler(low, high)
        if scaling == "range"
        else Scaler(values.mean(axis=0), values.mean(axis=0) + values.std(axis=0))
    )
    order = np.lexsort(values.T[::-1])  # by value, so that the order of the file does not matter
    scaled = scaler.transform(values)[order]
    candidates = sorted({*range(min(least_k, most), most + 1), *([k] if k else [])})
    table = select(scaled[:: -(-len(scaled) // select_on)], candidates, seed)
    if k is None:
        k, reason = choose(table)
    else:
        reason = f"k={k}: as asked"
    table["is_chosen"] = table["k"] == k
    model = _fit_kmeans(scaled, k, seed)
    centres, labels = _numbered(
        model.cluster_centers_, model.labels_, None if rank_by is None else names.index(rank_by)
    )
    back = np.empty(len(order), dtype=np.int64)
    back[order] = labels
    return Segmentation(names, scaler, scaler.inverse(centres), back + 1, table, reason)


def _numbered(centres: np.ndarray, labels: np.ndarray, by: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Renumber clusters: largest first (or highest centre in column ``by`` first), ties by their centre."""
    sizes = np.bincount(labels, minlength=len(centres))
    first = sizes if by is None else centres[:, by]
    order = sorted(range(len(centres)), key=lambda c: (-first[c], *centres[c].round(9)))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return centres[order], rank[labels]
