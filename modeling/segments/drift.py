"""How customers move between segments, and whether the segments still fit."""

from __future__ import annotations

import numpy as np
import pandas as pd

FLOOR = 1e-4  # share below which a segment counts as this share, so that an empty one has a finite index


def migration(months: pd.DataFrame) -> pd.DataFrame:
    """Customers by segment before and after, for every pair of neighbouring months.

    Args:
        months: customer_key, month_start_date, segment_id; one row a customer and month.

    Returns:
        month_start_date (the later month), from_segment_id, to_segment_id, customers. A customer who was not there the
        month before comes from segment 0.
    """
    ordered = np.sort(months["month_start_date"].unique())
    before = dict(zip(ordered[1:], ordered[:-1], strict=True))
    now = months[months["month_start_date"].isin(list(before))].copy()
    now["month_before"] = now["month_start_date"].map(before)
    earlier = months.rename(columns={"month_start_date": "month_before", "segment_id": "from_segment_id"})
    joined = now.merge(earlier, on=["customer_key", "month_before"], how="left", validate="one_to_one")
    joined["from_segment_id"] = joined["from_segment_id"].fillna(0).astype(int)
    joined = joined.rename(columns={"segment_id": "to_segment_id"})
    keys = ["month_start_date", "from_segment_id", "to_segment_id"]
    return joined.groupby(keys).size().rename("customers").reset_index()


def stability_index(before: np.ndarray, now: np.ndarray) -> float:
    """Population stability index of two share vectors: sum of (now - before) * ln(now / before).

    Below 0.1 is usually read as stable, above 0.25 as a shift (Siddiqi 2006, "Credit risk scorecards").
    """
    a, b = np.maximum(before, FLOOR), np.maximum(now, FLOOR)
    return float(((b - a) * np.log(b / a)).sum())


def drift(months: pd.DataFrame, segments: int) -> pd.DataFrame:
    """Size of each segment by month, and how far the month's shares are from those of the newest month.

    Returns:
        month_start_date, segment_id, customers, share, stability_index (one value a month).
    """
    counts = (
        months.groupby(["month_start_date", "segment_id"])
        .size()
        .unstack(fill_value=0)
        .reindex(columns=range(1, segments + 1), fill_value=0)
        .sort_index()
    )
    shares = counts.div(counts.sum(axis=1), axis=0)
    newest = shares.iloc[-1].to_numpy()
    index = {month: stability_index(newest, row.to_numpy()) for month, row in shares.iterrows()}
    long = counts.reset_index().melt(
        id_vars="month_start_date", var_name="segment_id", value_name="customers"
    )
    long = long.sort_values(["month_start_date", "segment_id"]).reset_index(drop=True)
    long["segment_id"] = long["segment_id"].astype(int)
    long["share"] = shares.to_numpy().ravel()
    long["stability_index"] = long["month_start_date"].map(index)
    return long[["month_start_date", "segment_id", "customers", "share", "stability_index"]]
