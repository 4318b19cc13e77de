"""What the marts say about a world small enough to check by hand (tests/dbt/world.py)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.dbt.conftest import Warehouse


def test_a_zip_with_a_lost_zero_is_split_by_weight(built: Warehouse) -> None:
    rows = built.rows(
        "select dma_id, round(weight, 4) from intermediate.int_place_zip where brand_id = 'alpha' and zip_code = '01234' order by 1"
    )
    assert rows == [("501", 0.6667), ("803", 0.3333)]


def test_a_shared_item_in_a_split_zip_adds_up_to_the_cent(built: Warehouse) -> None:
    week = "brand_id = 'alpha' and retailer_id = 'amazon' and date_day between date '2026-01-04' and date '2026-01-10'"
    rows = built.rows(
        f"select dma_id, product_id, sum(units) from marts.fct_pos_daily where {week} group by 1, 2 order by 1, 2"
    )
    assert rows == [
        ("501", "P1", Decimal("3.3333")), ("501", "P2", Decimal("3.3333")),
        ("803", "P1", Decimal("1.6667")), ("803", "P2", Decimal("1.6667")),
    ]  # fmt: skip
    assert built.rows(f"select sum(units), sum(revenue_usd) from marts.fct_pos_daily where {week}") == [
        (Decimal("10.0000"), Decimal("100.0100"))
    ]


def test_unknown_places_and_items_are_kept_and_counted(built: Warehouse) -> None:
    assert (
        built.one("select sum(units) from marts.fct_pos_daily where brand_id = 'alpha' and dma_id = '999'")
        == 3 + 14
    )
    assert (
        built.one(
            "select sum(units) from marts.fct_pos_daily where brand_id = 'alpha' and product_id = 'unmapped'"
        )
        == 5
    )
    found = dict(
        built.rows(
            "select check_name || ' ' || subject, money_affected_usd from marts.fct_data_quality where brand_id = 'alpha'"
        )
    )
    assert found["unmapped_place fct_pos_daily / amazon"] == 30
    assert found["unmapped_product fct_pos_daily / amazon"] == 50
    assert "negative_units fct_pos_daily / walmart" in found


def test_a_week_carries_price_promotion_and_stock(built: Warehouse) -> None:
    row = built.rows(
        "select units_sold, promo_flag, discount_pct, promo_days, inventory_on_hand, is_stockout, is_complete from marts.fct_pos_week "
        "where brand_id = 'alpha' and retailer_id = 'walmart' and dma_id = '501' and product_id = 'P1' and week_start_date = date '2026-01-04'"
    )
    assert row == [(14, True, 0.2, 2, 0, True, True)]
    target = "brand_id = 'alpha' and retailer_id = 'target'"
    assert built.rows(
        f"select distinct promo_flag, in_stock_rate from marts.fct_pos_week where {target}"
    ) == [(True, 0.75)]
    assert built.one(
        "select is_stockout from marts.fct_inventory_week where brand_id = 'alpha' and retailer_id = 'amazon' and product_id = 'P1'"
    )


def test_market_share_is_own_sales_by_the_category_where_it_is_reported(built: Warehouse) -> None:
    rows = built.rows(
        "select retailer_id, revenue_usd, category_revenue_usd, market_share, unit_share, is_complete from marts.fct_market_share_week "
        "where brand_id = 'alpha' order by 1"
    )
    assert rows == [
        ("amazon", None, 0, None, None, False),
        ("target", Decimal("79.9900"), 10_000, pytest.approx(0.007999), pytest.approx(0.008), True),
        ("walmart", 247, 10_000, pytest.approx(0.0247), pytest.approx(0.026), True),
    ]
    beta = built.one(
        "select market_share from marts.fct_market_share_week where brand_id = 'beta' and retailer_id = 'walmart'"
    )
    assert beta == pytest.approx(0.0247)


def test_google_geography_counts_presence_once_and_keeps_the_rest(built: Warehouse) -> None:
    rows = built.rows(
        "select dma_id, sum(impressions), round(sum(spend_usd), 3), sum(platform_conversions) from marts.fct_media_daily "
        "where brand_id = 'alpha' and channel_id = 'youtube' and date_day = date '2026-01-04' group by 1 order by 1"
    )
    assert rows == [
        ("501", 300, Decimal("3.000"), 0.0),
        ("803", 300, Decimal("3.000"), 0.0),
        ("999", 400, Decimal("4.500"), 1.5),
    ]
    assert built.rows(
        "select distinct dma_id from marts.fct_media_daily where brand_id = 'alpha' and channel_id = 'search_nonbrand'"
    ) == [("000",)]


def test_meta_counts_a_purchase_once_though_it_has_three_names(built: Warehouse) -> None:
    rows = built.rows(
        "select dma_id, sum(platform_conversions), sum(platform_value_usd), bool_and(is_modelled_geo) from marts.fct_media_daily "
        "where brand_id = 'alpha' and channel_id = 'instagram_reels' group by 1 order by 1"
    )
    assert rows == [("501", 42.0, Decimal("840.0000"), True), ("999", 42.0, Decimal("840.0000"), True)]


def test_viewability_and_frequency_are_ratios_of_sums(built: Warehouse) -> None:
    row = built.rows(
        "select viewability_rate, reach_persons, frequency from marts.fct_media_week "
        "where brand_id = 'alpha' and channel_id = 'ctv_other' and dma_id = '501'"
    )
    assert row == [(0.8, 170, pytest.approx(300 / 170))]


def test_a_renamed_campaign_has_two_versions_and_one_channel(built: Warehouse) -> None:
    rows = built.rows(
        "select campaign_name, channel_id, valid_from, valid_to, is_current from marts.dim_campaign "
        "where brand_id = 'alpha' and campaign_id = '11' order by valid_from"
    )
    assert [(row[1], str(row[2]), str(row[3]), row[4]) for row in rows] == [
        ("search_brand", "2026-01-04", "2026-01-13", False),
        ("search_brand", "2026-01-14", "None", True),
    ]


def test_crm_tells_machines_from_persons_and_costs_by_rule(built: Warehouse) -> None:
    email = built.rows(
        "select sends, opens, machine_opens, clicks, spend_usd from marts.fct_crm_daily where brand_id = 'alpha' and channel_id = 'email'"
    )
    assert email == [(2, 1, 1, 1, Decimal("0.0400"))]
    coupon = built.rows(
        "select clips, redemptions, redemption_value_usd, spend_usd from marts.fct_crm_daily where brand_id = 'alpha' and channel_id = 'coupon'"
    )
    assert coupon == [(2, 1, 20, Decimal("2.1200"))]


def test_paths_follow_the_look_back_window(built: Warehouse) -> None:
    rows = built.rows("select visitor_key, path, touch_count, is_converted, first_channel_id, last_channel_id from marts.fct_conversion_path "
                      "where brand_id = 'alpha' order by visitor_key, conversion_ts")  # fmt: skip
    assert rows == [
        ("v1", "ctv_other > search_brand", 2, True, "ctv_other", "search_brand"),
        ("v1", "meta_retargeting", 1, True, "meta_retargeting", "meta_retargeting"),
        ("v2", "youtube", 1, False, "youtube", "youtube"),
        ("v2", "email", 1, True, "email", "email"),
        ("v3", "direct", 0, True, "direct", "direct"),
        ("v4", "hulu > organic", 2, False, "hulu", "organic"),
    ]
    value = built.one(
        "select value_usd from marts.fct_conversion_path where visitor_key = 'v3' and brand_id = 'alpha'"
    )
    assert value == Decimal("1.9970")


def test_bots_repeats_and_unseen_views_do_not_count(built: Warehouse) -> None:
    rows = built.rows(
        "select is_bot, is_duplicate, is_eligible, count(*) from marts.fct_touchpoint where brand_id = 'alpha' group by all order by all"
    )
    assert rows == [
        (False, False, False, 1),
        (False, False, True, 7),
        (False, True, False, 2),
        (True, False, False, 1),
    ]


def test_an_experiment_names_its_arms(built: Warehouse) -> None:
    rows = built.rows(
        "select dma_id, arm from intermediate.int_experiments where brand_id = 'alpha' order by 1"
    )
    assert rows == [("501", "treated"), ("602", "control"), ("803", "control")]


def test_a_upc_is_twelve_digits_with_its_check_digit(built: Warehouse) -> None:
    rows = built.rows(
        "select product_id, upc, is_upc_valid from marts.dim_product where brand_id = 'alpha' and product_id <> 'unmapped' order by 1"
    )
    assert rows == [("P1", "012345001420", True), ("P2", "012345001427", False)]


def test_spreading_media_over_places_keeps_the_cent(built: Warehouse) -> None:
    rows = built.rows(
        "select channel_id, sum(spend_usd) - (select sum(spend_usd) from marts.fct_media_week as week where week.brand_id = 'alpha' "
        "and week.channel_id = adstock.channel_id) from marts.fct_media_adstock_week as adstock where brand_id = 'alpha' group by 1"
    )
    assert {row[1] for row in rows} == {Decimal("0.0000")}
    assert (
        built.one("select count(distinct dma_id) from marts.fct_media_adstock_week where brand_id = 'alpha'")
        == 210
    )


TABLES = {
    "fct_media_daily": ("spend_usd", "date_day, channel_id, campaign_id, dma_id"),
    "fct_pos_daily": ("units", "date_day, retailer_id, dma_id, product_id"),
    "fct_media_adstock_week": ("spend_usd", "week_start_date, channel_id, dma_id"),
}


@pytest.mark.parametrize("table", TABLES)
def test_brands_never_mix(built: Warehouse, table: str) -> None:
    """Brand beta is alpha times three: every row of one has its row in the other, and nothing of one leaks into the other."""
    measure, key = TABLES[table]
    mine = built.rows(f"select {key} from marts.{table} where brand_id = 'alpha' order by all")
    theirs = built.rows(f"select {key} from marts.{table} where brand_id = 'beta' order by all")
    assert mine == theirs and mine
    ratio = built.rows(
        f"select brand_id, sum({measure}) from marts.{table} where brand_id in ('alpha', 'beta') group by 1 order by 1"
    )
    assert float(ratio[1][1]) / float(ratio[0][1]) == pytest.approx(3, rel=0.02)
    paths = "select visitor_key, path, is_converted from marts.fct_conversion_path where brand_id = '{}' order by all"
    assert built.rows(paths.format("alpha")) == built.rows(paths.format("beta"))


def test_carryover_equals_the_python_transform(built: Warehouse) -> None:
    import numpy as np

    from modeling.mmm.transforms import Adstock, adstock_series

    registry = built.rows("select channel_id, adstock_kind, adstock_decay, adstock_peak_lag, adstock_shape, adstock_scale, adstock_length "
                          "from marts.dim_channel where adstock_kind is not null")  # fmt: skip
    kinds = set()
    for channel, kind, decay, peak, shape, scale, length in registry:
        first, second = (shape, scale) if kind == "weibull" else (decay, peak)
        kernel = Adstock(kind, first, second or 0.0).weights(length)
        weights = built.rows(
            f"select weight from intermediate.int_adstock__kernel where channel_id = '{channel}' order by lag"
        )
        np.testing.assert_allclose([row[0] for row in weights], kernel, atol=1e-9, rtol=0)
        series = built.rows(f"select spend_usd, adstock_spend_usd from marts.fct_media_adstock_week where brand_id = 'beta' "
                            f"and channel_id = '{channel}' and dma_id = '501' order by week_start_date")  # fmt: skip
        if series:
            spend = np.array([float(row[0]) for row in series])
            np.testing.assert_allclose(
                [row[1] for row in series], adstock_series(spend, kernel), atol=1e-9, rtol=0
            )
            kinds.add(kind)
    assert kinds == {"geometric", "delayed", "weibull"} or len(kinds) >= 2
