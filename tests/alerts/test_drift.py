"""The drift rule: one finding per retailer whose newest week drifts, none for others, read as SQL gives them."""

from __future__ import annotations

from datetime import date

import duckdb

from alerts import drift, ledger
from alerts.store import Store


class Door:
    """The one method of the warehouse that the query needs."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("create schema marts")
        self.connection.execute(
            "create table marts.fct_forecast_drift as select * from (values "
            "('b', 'amazon', date '2026-10-04', .9, .1, .1, true), ('b', 'amazon', date '2026-10-11', .12, .1, .8, false), "
            "('b', 'target', date '2026-10-11', .30, .1, .3, true), ('other', 'walmart', date '2026-10-11', .9, .1, .1, true)) "
            "t(brand_id, retailer_id, week_start_date, wape, expected_wape, coverage80, is_drifting)"
        )

    def query(self, sql: str, parameters: object = ()) -> list[tuple[object, ...]]:
        return self.connection.execute(sql, parameters).fetchall()


def test_only_the_newest_week_of_this_brand_counts() -> None:
    (found,) = drift.findings(drift.read(Store(Door(), "b")))  # type: ignore[arg-type]
    assert (found.rule, found.entity, found.observed, found.expected) == (
        "forecast_drift",
        "target",
        0.3,
        0.1,
    )
    assert (found.period_start, found.period_end) == (date(2026, 9, 20), date(2026, 10, 17))
    assert found.rule in ledger.rules() and "30%" in found.message and "10%" in found.message
