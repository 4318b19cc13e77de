"""Levels above the bottom series, and forecasts that add up on all of them.

Every level is forecast like any other series; the forecasts are then projected onto the coherent ones with the
minimum-trace reconciliation of Wickramasuriya, Athanasopoulos and Hyndman (2019), the error covariance shrunk
towards its diagonal (Schaefer and Strimmer 2005). Means add up exactly; quantiles are moved with their mean and
kept between what perfectly dependent children would give, since quantiles themselves do not add.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from modeling.errors import InputError
from modeling.forecast.engine import Forecast
from modeling.forecast.panel import Array, Mask, Panel

#: Above this many series the covariance keeps its diagonal only (weighted least squares on the structure).
MAX_DENSE = 2500


@dataclass(frozen=True)
class Tree:
    """Which bottom series add up to which node.

    Attributes:
        names: N node names, upper levels first, bottom last.
        levels: level name of each node.
        keys: hierarchy values of each node, "" where summed over.
        columns: names of the hierarchy columns.
        sums: (N, B) 0/1 matrix; the last B rows are the identity.
    """

    names: list[str]
    levels: list[str]
    keys: list[tuple[str, ...]]
    columns: list[str]
    sums: Array

    @property
    def bottom(self) -> int:
        return int(self.sums.shape[1])

    def labels(self) -> pd.DataFrame:
        """series, level and one column per hierarchy column."""
        table = pd.DataFrame({"series": self.names, "level": self.levels})
        for k, column in enumerate(self.columns):
            if column not in ("series", "date", "model", "mean", "p10", "p50", "p90", "level"):
                table[column] = [key[k] for key in self.keys]
        return table


def build_tree(names: list[str], keys: pd.DataFrame, columns: list[str]) -> Tree:
    """Every combination of the hierarchy columns that gives a new partition: total, each column, their products.

    Nodes are named by their values joined with "/", "*" for a column summed over ahead of a named one, and the
    top is "total".

    Args:
        names: B bottom series.
        keys: their values, indexed by name.
        columns: hierarchy columns, outermost first.
    """
    values = [tuple(str(v) for v in row) for row in keys.loc[names, columns].itertuples(index=False)]
    count = len(names)
    seen: set[tuple[tuple[int, ...], ...]] = {tuple((i,) for i in range(count))}
    nodes: list[tuple[str, str, tuple[str, ...], Array]] = []
    subsets = sorted(
        (c for size in range(len(columns)) for c in itertools.combinations(range(len(columns)), size)),
        key=lambda c: (len(c), c),
    )
    if len(set(values)) < count:  # another column tells the bottom series apart
        subsets.append(tuple(range(len(columns))))
    for subset in subsets:
        groups: dict[tuple[str, ...], list[int]] = {}
        for i, value in enumerate(values):
            groups.setdefault(tuple(value[k] for k in subset), []).append(i)
        partition = tuple(sorted(tuple(g) for g in groups.values()))
        if partition in seen:
            continue
        seen.add(partition)
        level = "/".join(columns[k] for k in subset) or "total"
        for key, members in sorted(groups.items()):
            full = ["*"] * len(columns)
            for k, v in zip(subset, key, strict=True):
                full[k] = v
            label = "/".join(full)
            while label.endswith("/*"):
                label = label[:-2]
            row = np.zeros(count)
            row[members] = 1.0
            plain = tuple("" if v == "*" else v for v in full)
            nodes.append(("total" if label == "*" else label, level, plain, row))
    clash = {n for n, *_ in nodes} & set(names)
    nodes = [(n + " (all)" if n in clash else n, level, key, row) for n, level, key, row in nodes]
    bottom = "/".join(columns)
    return Tree(
        [n for n, *_ in nodes] + list(names),
        [n[1] for n in nodes] + [bottom if len(set(values)) == count else "series"] * count,
        [n[2] for n in nodes] + values,
        columns,
        np.concatenate([np.array([n[3] for n in nodes]).reshape(-1, count), np.eye(count)]),
    )


def add_levels(panel: Panel, keys: pd.DataFrame, columns: list[str]) -> tuple[Panel, Tree]:
    """The panel with its upper levels in front, and the tree.

    A node sums its members where all that have begun and not ended are observed; its regressors are the members'
    averages weighted by volume; it is closed where all members are.

    Raises:
        InputError: there is only one bottom series.
    """
    if len(panel.names) < 2:
        raise InputError("--hierarchy: one bottom series has nothing to add up")
    tree = build_tree(panel.names, keys, columns)
    upper = len(tree.names) - tree.bottom
    if not upper:
        raise InputError("--hierarchy: the columns name no level above the series")
    sums = tree.sums[:upper]
    seen = np.isfinite(panel.y)
    begun = np.maximum.accumulate(seen, axis=1)
    hole = (begun & ~seen).astype(float)
    y = sums @ np.nan_to_num(panel.y)
    y = np.where((sums @ hole > 0) | (sums @ seen.astype(float) == 0), np.nan, y)
    volume = np.where(seen, np.abs(np.nan_to_num(panel.y)), 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    weight = sums * np.maximum(volume, 1e-9)
    weight /= weight.sum(axis=1, keepdims=True)
    exog = np.einsum("nb,btk->ntk", weight, panel.exog)
    closed = (sums @ (~panel.closed).astype(float)) == 0
    censored = (sums @ panel.censored.astype(float)) > 0
    names = tree.names
    return (
        Panel(
            names,
            panel.dates,
            np.concatenate([y, panel.y]),
            np.concatenate([exog, panel.exog]),
            panel.exog_names,
            np.concatenate([closed, panel.closed]),
            np.concatenate([censored, panel.censored]),
            panel.freq,
            panel.horizon,
            panel.notes,
        ),
        tree,
    )


def shrunk_covariance(errors: Array) -> Array:
    """(N, N) covariance of (N, R) errors (NaN = unknown), shrunk towards its diagonal.

    Shrinkage intensity after Schaefer and Strimmer (2005), on correlations.
    """
    seen = np.isfinite(errors)
    filled = np.where(seen, np.nan_to_num(errors), 0.0)
    n = np.maximum(seen.sum(axis=1), 1)
    variance = (filled**2).sum(axis=1) / n
    typical = variance[variance > 0].min() if (variance > 0).any() else 1.0
    variance = np.maximum(variance, 1e-6 * typical)
    scaled = filled / np.sqrt(variance)[:, None]
    draws = max(int(np.median(n)), 2)
    corr = scaled @ scaled.T / draws
    squares = (scaled**2) @ (scaled**2).T / draws
    var_corr = np.maximum(squares - corr**2, 0.0) / draws
    off = ~np.eye(len(errors), dtype=bool)
    total = (corr[off] ** 2).sum()
    # neighbouring steps of one origin share their error: count them as a quarter
    intensity = float(np.clip(4.0 * var_corr[off].sum() / max(total, 1e-12), 0.05, 1.0))
    corr = np.clip(corr * (1.0 - intensity), -1.0, 1.0)
    np.fill_diagonal(corr, 1.0)
    sd = np.sqrt(variance)
    return np.asarray(corr * np.outer(sd, sd))


def projection(tree: Tree, errors: Array) -> Array:
    """(B, N) matrix that maps forecasts of all nodes to reconciled bottom forecasts (MinT)."""
    sums, count = tree.sums, len(tree.names)
    if count <= MAX_DENSE:
        covariance = shrunk_covariance(errors)
        covariance[np.diag_indices(count)] *= 1.0 + 1e-6
        weighted = np.linalg.solve(covariance, sums)  # W^-1 S
    else:
        seen = np.isfinite(errors)
        variance = np.where(seen, np.nan_to_num(errors) ** 2, 0.0).sum(axis=1) / np.maximum(
            seen.sum(axis=1), 1
        )
        weighted = sums / np.maximum(variance, 1e-9 * max(variance.max(), 1e-12))[:, None]
    return np.asarray(np.linalg.solve(sums.T @ weighted, weighted.T))


def reconcile_means(tree: Tree, mean: Array, errors: Array, frozen: Mask | None = None) -> Array:
    """(N, H) coherent, non-negative means.

    A bottom value below zero becomes zero and the top keeps its total by scaling the rest. ``frozen`` marks
    (B, H) bottom values that are zero by rule.
    """
    upper = len(tree.names) - tree.bottom
    projected = projection(tree, errors) @ mean
    bottom = np.maximum(projected, 0.0)
    if frozen is not None:
        bottom = np.where(frozen, 0.0, bottom)
    wanted = np.maximum(projected.sum(axis=0), 0.0)
    total = bottom.sum(axis=0)
    scale = np.where(total > 0, np.clip(wanted / np.maximum(total, 1e-12), 0.8, 1.25), 1.0)
    bottom = bottom * scale
    return np.concatenate([tree.sums[:upper] @ bottom, bottom])


def reconcile(result: Forecast, tree: Tree) -> None:
    """Make a forecast coherent in place: means add up; quantiles follow their mean and stay within bounds."""
    count = len(result.mean)
    errors = np.moveaxis(result.errors, 1, 0).reshape(count, -1)
    upper = count - tree.bottom
    shut = result.panel.closed[upper:, result.panel.length :]
    mean = reconcile_means(tree, result.mean, errors, shut)
    result.quantiles = coherent_quantiles(tree, result.mean, mean, result.quantiles)
    result.mean = mean


def coherent_quantiles(tree: Tree, before: Array, after: Array, quantiles: Array) -> Array:
    """(3, N, H) quantiles moved from the old to the new mean, within the bounds that their children set.

    A node's interval is never wider than that of children who move in step: P10 >= sum of the children's P10,
    P90 <= sum of their P90.
    """
    upper = len(tree.names) - tree.bottom
    ratio = np.where(before > 1e-9, after / np.maximum(before, 1e-9), 1.0)
    ratio = np.clip(ratio, 0.2, 5.0)
    moved = np.maximum(after[None] + (quantiles - before[None]) * ratio[None], 0.0)
    moved = np.where((after == 0)[None] & (quantiles <= 0), 0.0, moved)
    least, most = tree.sums[:upper] @ moved[0, upper:], tree.sums[:upper] @ moved[2, upper:]
    moved[0, :upper] = np.maximum(moved[0, :upper], least)
    moved[2, :upper] = np.minimum(moved[2, :upper], most)
    return np.sort(moved, axis=0)
