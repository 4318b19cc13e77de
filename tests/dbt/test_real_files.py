"""Files that nobody here wrote, from the landing zone to the mart, against their published answers."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dashboard import economics
from dashboard.filters import Filters
from dashboard.reader import Snapshot
from tests.dbt.conftest import SHARED, Warehouse

pytestmark = pytest.mark.usefixtures("real_files")
BRAND = "where brand_id = 'lifesight'"


def test_spend_and_claims_to_the_cent(built: Warehouse) -> None:
    row = built.rows(
        f"select sum(spend_usd), sum(platform_value_usd), sum(platform_value_usd) / sum(spend_usd) from marts.fct_media_daily {BRAND}"
    )[0]
    assert row[0] == Decimal("5258304.06")
    assert row[1] == Decimal("14773594.65")
    assert float(row[2]) == pytest.approx(2.8096, abs=5e-5)


@pytest.mark.parametrize(
    ("platform", "roas", "ctr", "cpm"),
    [
        ("facebook", 2.6071, 0.013533, 9.9257),
        ("google", 3.0575, 0.041515, 6.5269),
        ("tiktok", 2.8319, 0.015023, 8.0450),
    ],
)
def test_each_platform(built: Warehouse, platform: str, roas: float, ctr: float, cpm: float) -> None:
    row = built.rows(
        "select sum(platform_value_usd) / sum(spend_usd), sum(clicks) / sum(impressions), 1000 * sum(spend_usd) / sum(impressions) "
        f"from marts.fct_media_daily {BRAND} and platform = '{platform}'"
    )[0]
    assert [float(value) for value in row] == [
        pytest.approx(roas, abs=5e-5),
        pytest.approx(ctr, abs=5e-7),
        pytest.approx(cpm, abs=5e-5),
    ]


def test_the_metrics_of_the_house(built: Warehouse) -> None:
    row = built.rows(
        "select sum(revenue_usd), sum(spend_usd) / sum(new_customers), sum(revenue_usd) / sum(orders), sum(gross_profit_usd) / sum(revenue_usd), "
        f"sum(platform_value_usd) / sum(revenue_usd), sum(new_customers) / sum(orders) from marts.fct_kpi_daily {BRAND}"
    )[0]
    assert row[0] == Decimal("31406165.81")
    expected = [(35.852, 5e-4), (89.070, 5e-4), (0.5490, 5e-5), (0.4704, 5e-5), (0.4160, 5e-5)]
    for value, (answer, tolerance) in zip(row[1:], expected, strict=True):
        assert float(value) == pytest.approx(answer, abs=tolerance)


def test_correlation_and_profit_by_channel(built: Warehouse, tmp_path: Path) -> None:
    """The dashboard's own queries over the real shop: .759 on the same day, and profits that add up to the cent."""
    f = Filters("lifesight", date(2025, 1, 1), date(2026, 12, 31), (), (), ())
    own = shutil.copy(built.path, tmp_path / "real.duckdb")  # DuckDB opens one path with one configuration
    snap = Snapshot(Path(own), "real")
    row = economics.correlations(snap, f, (0,)).iloc[0]
    assert (round(row.r, 3), row.n) == (0.759, 120) and row.p < 0.001
    rows = economics.profit_by_channel(snap, f)
    assert list(rows.channel_name)[-1] == "Claimed by no platform"
    assert round(rows.gross_profit_usd.sum(), 2) == float(
        built.one(f"select sum(gross_profit_usd) from marts.fct_business_daily {BRAND}")
    )
    assert round(rows.sales_usd.sum(), 2) == 31406165.81 and round(rows.spend_usd.sum(), 2) == 5258304.06
    assert rows.sales_usd.iloc[-1] / rows.sales_usd.sum() == pytest.approx(0.53, abs=0.005)


def test_trailing_windows_wait_until_they_are_whole(built: Warehouse) -> None:
    days = f"from marts.fct_kpi_daily {BRAND}"
    assert built.one(f"select count(*) {days} and spend_7d_usd is null") == 6
    assert built.one(f"select count(*) {days} and revenue_30d_usd is null") == 29


def test_contradictions_and_impossible_days_are_reported(built: Warehouse) -> None:
    found = dict(
        built.rows(
            f"select subject, rows_affected from marts.fct_data_quality {BRAND} and check_name = 'campaign_contradicts_tactic'"
        )
    )
    assert found == {"facebook": 480, "google": 600, "tiktok": 480}
    days = built.one(
        f"select rows_affected from marts.fct_data_quality {BRAND} and check_name = 'new_customers_exceed_new_orders'"
    )
    assert days == 22


def test_gifting_tables(built: Warehouse) -> None:
    for table, rows in {
        "dim_gift_client": 421, "dim_gift_recipient": 418, "dim_gift": 17, "dim_gift_service": 3, "fct_gift_engagement": 3999,
        "fct_gift_expenditure": 4999 - 12,
    }.items():  # fmt: skip
        assert built.one(f"select count(*) from marts.{table} {BRAND}") == rows, table
    assert (
        built.one(
            f"select count(*) from marts.fct_quarantine {BRAND} and reason = 'orphan' and row_text like 'recipient 8000,%'"
        )
        == 12
    )
    assert built.one(f"select count(*) from marts.dim_gift_client {BRAND} and is_zip_repaired") == 52
    assert built.one(f"select count(*) from marts.dim_gift_recipient {BRAND} and is_zip_repaired") == 56
    assert built.one(f"select count(*) from marts.dim_gift {BRAND} and gift_name = 'Gift Card'") == 1
    assert built.rows(f"select distinct successful, unsuccessful from marts.fct_gift_engagement {BRAND}") == [
        (None, None)
    ]


def test_walmart_weeks_agree_with_the_m5_calendar(built: Warehouse) -> None:
    mine = dict(
        built.rows(
            "select strftime(date_day, '%-m/%-d/%y'), walmart_week_id from marts.dim_calendar where date_day < date '2017-01-01'"
        )
    )
    with (SHARED / "m5_calendar" / "calendar.csv").open(encoding="utf-8-sig") as file:
        theirs = {row["date"]: int(row["wm_yr_wk"]) for row in csv.DictReader(file)}
    assert len(theirs) == 1969
    assert {day: mine.get(day) for day in theirs} == theirs


def test_the_dma_registry_agrees_with_the_public_lists(built: Warehouse) -> None:
    with (SHARED / "dma" / "zip_to_dma.csv").open(encoding="utf-8-sig") as file:
        codes = {row["dma_code"] for row in csv.DictReader(file)}
    mine = {row[0] for row in built.rows("select dma_id from marts.dim_dma where is_place")}
    assert mine == codes and len(mine) == 210
    assert built.one("select count(*) from marts.dim_dma where state_list like '%;%'") >= 97
