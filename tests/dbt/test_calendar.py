"""The calendar against facts anybody can check."""

from __future__ import annotations

import itertools

from tests.dbt.conftest import Warehouse


def test_retail_years_with_53_weeks(built: Warehouse) -> None:
    rows = built.rows(
        "select nrf_year from marts.dim_calendar where nrf_year between 2010 and 2030 group by 1 having max(nrf_week) = 53 order by 1"
    )
    assert [row[0] for row in rows] == [2012, 2017, 2023, 2028]


def test_walmart_year_113_has_53_weeks(built: Warehouse) -> None:
    assert (
        built.one(
            "select max(walmart_week_id) from marts.dim_calendar where walmart_week_id between 11300 and 11399"
        )
        == 11353
    )


def test_iso_weeks(built: Warehouse) -> None:
    rows = built.rows("select date_day, iso_week_id from marts.dim_calendar")
    assert all(week == day.isocalendar()[0] * 100 + day.isocalendar()[1] for day, week in rows)


def test_weeks_start_where_each_partner_starts_them(built: Warehouse) -> None:
    assert (
        built.one(
            "select count(*) from marts.dim_calendar where dayofweek(week_start_date) <> 0 or dayofweek(walmart_week_start_date) <> 6"
        )
        == 0
    )
    assert (
        built.one(
            "select count(*) from marts.dim_calendar where date_day - week_start_date not between 0 and 6"
        )
        == 0
    )


def test_a_holiday_lands_in_its_week(built: Warehouse) -> None:
    rows = built.rows(
        "select distinct nrf_year, nrf_week from marts.dim_calendar where holiday_name = 'Thanksgiving' and nrf_year between 2021 and 2025 order by 1"
    )
    assert rows == [(2021, 43), (2022, 43), (2023, 43), (2024, 43), (2025, 43)]


def test_season_has_no_step_at_new_year(built: Warehouse) -> None:
    rows = built.rows(
        "select season_sin_1, season_cos_1 from intermediate.int_season_week order by week_start_date"
    )
    steps = [abs(b[0] - a[0]) + abs(b[1] - a[1]) for a, b in itertools.pairwise(rows)]
    assert max(steps) < 0.2
