"""Forecasts that have become worse than their backtests promised."""

from __future__ import annotations

import pandas as pd

from alerts.checks import Finding
from alerts.store import Store

RATIO = 1.5


def read(store: Store) -> pd.DataFrame:
    """The newest week of each retailer in the drift mart."""
    return store.frame(
        ("retailer_id", "week_start_date", "wape", "expected_wape", "coverage80", "is_drifting"),
        "select drift.retailer_id, drift.week_start_date, drift.wape, drift.expected_wape, drift.coverage80, drift.is_drifting "
        "from marts.fct_forecast_drift drift inner join (select retailer_id, max(week_start_date) as newest from "
        "marts.fct_forecast_drift where brand_id = ? group by retailer_id) latest on drift.retailer_id = latest.retailer_id "
        "and drift.week_start_date = latest.newest where drift.brand_id = ? order by drift.retailer_id",
        [store.brand_id, store.brand_id],
    )


def findings(frame: pd.DataFrame) -> list[Finding]:
    """One finding per drifting retailer; the period is the four weeks that were compared."""
    out = []
    for row in frame[frame["is_drifting"].astype(bool)].itertuples():
        newest = pd.Timestamp(row.week_start_date)
        wape, promised = float(row.wape), float(row.expected_wape)
        out.append(
            Finding(
                "forecast_drift",
                str(row.retailer_id),
                "wape",
                wape,
                promised,
                None,
                RATIO * promised,
                (newest - pd.Timedelta(days=21)).date(),
                (newest + pd.Timedelta(days=6)).date(),
                None,
                f"Forecasts missed by {wape:.0%} over four weeks; backtests promised {promised:.0%}.",
            )
        )
    return out
