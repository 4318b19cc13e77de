"""How a segment may enter a model of sales: by a key, as shares of a place and week; never by the order of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from modeling.errors import InputError, Refusal


def segment_shares(
    customers: pd.DataFrame, segments: pd.DataFrame, *, key: str, by: Sequence[str], segment: str = "segment"
) -> pd.DataFrame:
    """Share of each segment among the customers of a place and week.

    Args:
        customers: one row a customer and ``by`` cell (place, week, ...), with the column ``key``.
        segments: one row a customer: ``key`` and ``segment``.
        key: name of the customer's key in both tables.
        by: columns that name a cell.
        segment: name of the segment column.

    Returns:
        Wide frame sorted by ``by``: one row a cell, one column ``share_<segment>`` each, and ``customers``. The shares
        of a row sum to one. The order of rows of either table has no influence.

    Raises:
        InputError: the key is missing in a table, or a customer has two segments.
        Refusal: a customer of ``customers`` has no segment.
    """
    for name, frame in (("customers", customers), ("segments", segments)):
        if key not in frame.columns:
            raise InputError(
                f"{name}: no column {key!r} to join by; segments are never joined by the order of rows"
            )
    if segments[key].duplicated().any():
        raise InputError(
            f"segments: {key} {segments.loc[segments[key].duplicated(), key].iloc[0]!r} occurs twice"
        )
    joined = customers[[key, *by]].merge(segments[[key, segment]], on=key, how="left", validate="many_to_one")
    lost = int(joined[segment].isna().sum())
    if lost:
        raise Refusal(
            f"{lost} of {len(joined)} customer rows have no segment: the key {key!r} does not match"
        )
    counts = joined.groupby([*by, segment], observed=True).size().unstack(fill_value=0).sort_index()
    total = counts.sum(axis=1)
    shares = counts.div(total, axis=0)
    shares.columns = pd.Index([f"share_{c}" for c in shares.columns])
    return shares.assign(customers=total).reset_index()


def check_segment_columns(panel: pd.DataFrame, columns: Sequence[str], *, tolerance: float = 1e-8) -> None:
    """Refuse segment columns that cannot be told apart from a constant, or from one another.

    Raises:
        InputError: a column is missing or not numeric.
        Refusal: the columns are singular together with a constant (all categories given as dummies), or one is
            constant; the message gives the reason and the remedy.
    """
    missing = [c for c in columns if c not in panel.columns]
    if missing:
        raise InputError(f"panel: missing column(s) {', '.join(missing)}")
    others = [c for c in panel.columns if c not in set(columns)]
    # a tail row without its date says nothing, and a zero in it must not hide that the dummies are singular
    dated = panel[panel[others[0]].notna()] if others else panel
    values = dated[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) == 0:
        raise InputError(f"panel: no row has numbers in all of {', '.join(columns)}")
    total = values.sum(axis=1)
    dummies = bool(np.isin(values, (0.0, 1.0)).all())
    if np.ptp(total) <= tolerance and abs(total[0]) > tolerance:
        kind = "dummies" if dummies else "shares"
        extra = (
            " and one label a row is not a fact about a week: join customers by key and give shares of each week"
            if dummies
            else ""
        )
        raise Refusal(
            f"the {len(columns)} segment {kind} sum to {total[0]:g} in every row, so with a constant they are singular: "
            f"leave one out{extra}"
        )
    design = np.column_stack([np.ones(len(values)), values])
    rank = int(np.linalg.matrix_rank(design))
    if rank < design.shape[1]:
        raise Refusal(
            f"the {len(columns)} segment columns and a constant have rank {rank}, not {design.shape[1]}"
        )
