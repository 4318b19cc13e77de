"""Any split of history into increments gives the tables of one build; the future never reaches the past."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import duckdb
import pytest

from tests.dbt import world
from tests.dbt.conftest import Warehouse

INCREMENTAL = ["fct_touchpoint", "fct_conversion_path", "fct_pos_daily", "fct_media_daily"]
PAST = "2026-01-18"  # the first day of the last week


def contents(warehouse: Warehouse, table: str, where: str = "true") -> list[tuple[object, ...]]:
    return warehouse.rows(f"select * from marts.{table} where {where} order by all")


@pytest.fixture(scope="module")
def changed(built: Warehouse) -> dict[str, object]:
    """The built world after late, restated, deleted and re-delivered rows, built as an increment and then in full."""
    before = {
        "adstock": contents(
            built, "fct_media_adstock_week", f"brand_id = 'alpha' and week_start_date < date '{PAST}'"
        ),
        "price": built.rows(
            "select * from intermediate.int_price_promo_week where brand_id = 'alpha' and week_start_date < date '2026-01-11' order by all"
        ),
    }
    whole = {name: contents(built, name) for name in INCREMENTAL}
    later = world.STAMP + timedelta(days=2)
    with duckdb.connect(str(built.path)) as connection:
        connection.execute(
            "update raw.google_ads_campaign set cost_micros = cost_micros * 7, _delivered_at = ? "
            "where date_day >= ? and brand_id = 'alpha'",
            [later, PAST],
        )
        # a week of sales restated, a day gone, a day late, with an older stamp than what is there
        connection.execute(
            "update raw.walmart_store_sales set units = units + 1, _delivered_at = ? where date_day = date '2026-01-13'",
            [later],
        )
        connection.execute("delete from raw.walmart_store_sales where date_day = date '2026-01-12'")
        world.insert(connection, "walmart_store_sales", [
            {"store_nbr": "7", "wm_item_nbr": "055", "svc_chnl_nm": "BIS", "date_day": world.day(19), "rpt_cd": "R", "units": 4, "sales": 38}
        ], "alpha", delivered=world.STAMP - timedelta(days=1))  # fmt: skip
        # a late conversion turns a null path into a path; a view before midnight makes the next day's first one a repeat
        world.insert(connection, "clickstream", [
            {"event_id": "late1", "event_ts": datetime(2026, 1, 13, 10), "visitor_id": "v4", "event_type": "find_retailer_click",
             "retailer_id": "amazon", "dma_code": "501"},
            {"event_id": "late2", "event_ts": datetime(2026, 1, 11, 9, 59, 30), "visitor_id": "v4", "event_type": "impression_view",
             "channel": "hulu", "dma_code": "501", "is_viewable": True},
        ], "alpha", delivered=later)  # fmt: skip
        connection.execute("delete from raw.clickstream where visitor_id = 'v3' and brand_id = 'beta'")
        # a day of one feed gone, a part of another replaced by as many rows of the same stamp, a late mail, a new channel; the past of the other brand stays
        connection.execute(
            "delete from raw.meta_ads where date_day = date '2026-01-08' and brand_id = 'beta'"
        )
        connection.execute(
            "update raw.walmart_connect set cost = cost + 5, _file_id = 'replaced' where date_day = date '2026-01-09' and brand_id = 'beta'"
        )
        world.insert(connection, "email_events", [
            {"event_id": "late3", "event_type": "Received Email", "event_ts": datetime(2026, 1, 6, 9), "campaign_id": "E2",
             "person_key": "p", "email_hash": "h", "zip": "10001"}
        ], "beta", delivered=world.STAMP - timedelta(days=9))  # fmt: skip
        world.insert(connection, "dv360_dma", [
            {"date_day": world.day(3), "advertiser_id": "d", "insertion_order_id": "i", "insertion_order": "CTV", "dma_code": "803",
             "impressions": 10, "cost": 3}
        ], "beta", delivered=later)  # fmt: skip
    built.dbt(
        "run",
        "--select",
        "+fct_media_adstock_week",
        "+int_price_promo_week",
        *[f"+{name}" for name in INCREMENTAL],
    )
    increment = {name: contents(built, name) for name in INCREMENTAL}
    built.dbt("run", "--full-refresh", "--select", *INCREMENTAL)
    full = {name: contents(built, name) for name in INCREMENTAL}
    after = {
        "adstock": contents(
            built, "fct_media_adstock_week", f"brand_id = 'alpha' and week_start_date < date '{PAST}'"
        ),
        "price": built.rows(
            "select * from intermediate.int_price_promo_week where brand_id = 'alpha' and week_start_date < date '2026-01-11' order by all"
        ),
        "adstock_last": built.one(
            f"select sum(spend_usd) from marts.fct_media_adstock_week where brand_id = 'alpha' and week_start_date = date '{PAST}'"
        ),
    }
    return {"before": before, "after": after, "whole": whole, "increment": increment, "full": full}


def test_the_changes_changed_every_table(changed: dict[str, dict[str, object]]) -> None:
    """Otherwise the comparison below would compare nothing."""
    for table in INCREMENTAL:
        assert changed["whole"][table] != changed["full"][table], table


@pytest.mark.parametrize("table", INCREMENTAL)
def test_an_increment_equals_a_full_build(changed: dict[str, dict[str, object]], table: str) -> None:
    assert changed["increment"][table] == changed["full"][table]


def test_the_future_leaves_past_features_untouched(changed: dict[str, dict[str, object]]) -> None:
    assert changed["before"]["adstock"] == changed["after"]["adstock"] and changed["before"]["adstock"]
    assert changed["before"]["price"] == changed["after"]["price"] and changed["before"]["price"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_split_of_history(built: Warehouse, seed: int) -> None:
    """Raw rows arrive in a random number of random portions, in random order; the reference lists arrive whenever they like."""
    rng = random.Random(seed)
    built.dbt("run", "--full-refresh", "--select", *[f"+{name}" for name in INCREMENTAL])
    whole = {name: contents(built, name) for name in INCREMENTAL}
    tables = [
        "clickstream",
        "walmart_store_sales",
        "amazon_vendor_sales",
        "target_sales",
        "product_master",
        "zip_dma",
        "store_locations",
        "google_ads_campaign",
        "google_ads_geo",
        "meta_ads",
        "amazon_dsp_geo",
        "walmart_connect",
        "email_events",
        "coupon_events",
    ]
    with duckdb.connect(str(built.path)) as connection:
        rows = {table: connection.execute(f"select * from raw.{table}").fetchall() for table in tables}
        for table in tables:
            connection.execute(f"delete from raw.{table}")
    portions = rng.randint(2, 3)
    deal = {table: [rng.randrange(portions) for _ in rows[table]] for table in tables}
    for portion in range(portions):
        with duckdb.connect(str(built.path)) as connection:
            for table in tables:
                mine = [
                    row for row, number in zip(rows[table], deal[table], strict=True) if number == portion
                ]
                if mine:
                    marks = ", ".join("?" for _ in mine[0])
                    connection.executemany(f"insert into raw.{table} values ({marks})", mine)
        refresh = ["--full-refresh"] if portion == 0 else []
        built.dbt("run", *refresh, "--select", *[f"+{name}" for name in INCREMENTAL])
    for name in INCREMENTAL:
        assert contents(built, name) == whole[name], (name, seed)
