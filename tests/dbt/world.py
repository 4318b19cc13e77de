"""A world small enough to check by hand: three weeks, two markets, two products, every feed that carries logic."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

SUNDAY = date(2026, 1, 4)
STAMP = datetime(2026, 1, 26, 8)

REAL_FILES = {
    "facebook_campaign": "lifesight/Facebook.csv",
    "google_campaign": "lifesight/Google.csv",
    "tiktok_campaign": "lifesight/TikTok.csv",
    "business_daily": "lifesight/business.csv",
    "alyce_client": "alyce/alyce_client.csv",
    "alyce_recipient": "alyce/alyce_recipient.csv",
    "alyce_giftdata": "alyce/alyce_giftdata.csv",
    "alyce_services": "alyce/alyce_services.csv",
    "alyce_clientexpenditure": "alyce/alyce_clientexpenditure.csv",
    "alyce_facts": "alyce/alyce_facts.csv",
    "alyce_facts_final": "alyce/alyce_facts_final.csv",
}


def insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[Mapping[str, Any]],
    brand: str,
    delivered: datetime = STAMP,
) -> None:
    """Rows into ``raw.<table>`` as the loader would leave them."""
    for number, row in enumerate(rows, start=1):
        full = {
            **row,
            "brand_id": brand,
            "_file_id": f"{table}-{brand}",
            "_line": number,
            "_delivered_at": delivered,
        }
        columns = ", ".join(full)
        marks = ", ".join("?" for _ in full)
        connection.execute(f"insert into raw.{table} ({columns}) values ({marks})", list(full.values()))


def day(offset: int) -> date:
    return SUNDAY + timedelta(days=offset)


def meta_actions(purchases: int) -> str:
    """One purchase under three names, as Meta lists it, after an action of another kind."""
    kinds = ["link_click", "omni_purchase", "offsite_conversion.fb_pixel_purchase", "purchase"]
    return json.dumps([{"action_type": kind, "value": str(purchases)} for kind in kinds])


def fill(connection: duckdb.DuckDBPyConnection, brand: str, times: int = 1) -> None:
    """The whole world for one brand; money and units times a factor, so that two brands are told apart."""
    insert(connection, "zip_dma", [
        {"map_id": "m", "zip_code": "10001", "dma_code": "501", "weight": 1},
        {"map_id": "m", "zip_code": "90001", "dma_code": "803", "weight": 1},
        {"map_id": "m", "zip_code": "1234", "dma_code": "501", "weight": 2},
        {"map_id": "m", "zip_code": "01234", "dma_code": "803", "weight": 1},
    ], brand)  # fmt: skip
    insert(connection, "store_locations", [
        {"retailer_id": "walmart", "store_nbr": "7", "zip": "10001", "state": "ny"},
        {"retailer_id": "target", "store_nbr": "T1", "zip": "01234", "state": "NY"},
    ], brand)  # fmt: skip
    product = {"brand": "Pods", "size_ounces": 10, "pack_count": 42, "list_price_usd": 10, "cogs_usd": 4}
    insert(connection, "product_master", [
        {**product, "product_id": "P1", "upc": "12345001420", "asin": "A1", "tcin": "T1", "wm_item_nbr": "055"},
        {**product, "product_id": "P2", "upc": "012345001427", "asin": "A1", "wm_item_nbr": "056"},
    ], brand)  # fmt: skip
    insert(connection, "trade_promotions", [
        {"promo_id": "X", "retailer_id": "walmart", "product_id": "P1", "start_date": day(5), "end_date": day(8),
         "discount_pct": 0.2},
    ], brand)  # fmt: skip
    insert(connection, "amazon_vendor_sales", [
        {"start_date": day(7 * week), "end_date": day(7 * week + 6), "asin": asin, "ship_to_zip": zip_code,
         "ordered_units": units * times, "ordered_revenue": revenue * times, "currency_code": "USD"}
        for week, asin, zip_code, units, revenue in [
            (0, "A1", "1234", 10, 100.01), (1, "A1", "10001", 4, 40.00), (1, "A1", "99999", 3, 30.00), (2, "ZZ", "90001", 5, 50.00),
        ]
    ], brand)  # fmt: skip
    insert(connection, "walmart_store_sales", [
        {"store_nbr": store, "wm_item_nbr": item, "svc_chnl_nm": "BIS", "date_day": day(offset), "rpt_cd": "R",
         "units": units * times, "sales": 9.5 * units * times}
        for offset in range(14)
        for store, item, units in [("7", "055", 2), ("7", "056", 1 if offset != 3 else -1), ("404", "055", 1)]
    ], brand)  # fmt: skip
    insert(connection, "walmart_store_inventory", [
        {"store_nbr": "7", "wm_item_nbr": "055", "date_day": day(6), "on_hand": 0, "in_stock_num": 0, "in_stock_den": 10},
        {"store_nbr": "7", "wm_item_nbr": "056", "date_day": day(13), "on_hand": 9, "in_stock_num": 9, "in_stock_den": 10},
    ], brand)  # fmt: skip
    insert(connection, "target_sales", [
        {"week_start": day(0), "location_id": "T1", "tcin": "T1", "units": 8 * times, "sales": 79.99 * times, "promo_flag": True},
    ], brand)  # fmt: skip
    insert(connection, "category_sales", [
        {"retailer": retailer, "week_start": day(0), "category": "Laundry", "units": 1000 * times, "sales": 10_000 * times}
        for retailer in ("Walmart", "Target")
    ] + [{"retailer": "amazon", "week_start": day(21), "category": "Laundry", "units": 0, "sales": 0}], brand)  # fmt: skip
    insert(connection, "target_inventory", [
        {"week_start": day(0), "location_id": "T1", "tcin": "T1", "on_hand": 3, "in_stock_pct": 75.0},
    ], brand)  # fmt: skip
    insert(connection, "amazon_vendor_inventory", [
        {"start_date": day(0), "end_date": day(6), "asin": "A1", "sellable_on_hand_units": -2, "out_of_stock_rate": 0.5},
    ], brand)  # fmt: skip
    google = {"customer_id": "1", "ad_network_type": "SEARCH"}
    insert(connection, "google_ads_campaign", [
        {**google, "campaign_id": campaign, "campaign_name": name, "channel_type": kind, "date_day": day(offset),
         "impressions": 1000, "clicks": 100, "cost_micros": 10_500_001 * times, "conversions": 1.5, "conversions_value": 30}
        for offset in range(21)
        for campaign, name, kind in [
            ("11", "SWP | Search | Brand" if offset < 10 else "SWP | Search | Brand 2026", "SEARCH"),
            ("12", "SWP | Search | Nonbrand", "SEARCH"),
            ("13", "SWP | YouTube | Video", "VIDEO"),
        ]
        if not (campaign == "12" and offset == 9)
    ], brand)  # fmt: skip
    insert(connection, "google_ads_geo", [
        {"customer_id": "1", "campaign_id": "13", "date_day": day(offset), "geo_target_metro": f"geoTargetConstants/200{metro}",
         "location_type": kind, "impressions": 300, "clicks": 30, "cost_micros": 3_000_000 * times}
        for offset in range(21)
        for metro, kind in [("501", "LOCATION_OF_PRESENCE"), ("803", "LOCATION_OF_PRESENCE"), ("501", "AREA_OF_INTEREST")]
    ], brand)  # fmt: skip
    insert(connection, "meta_ads", [
        {"date_day": day(offset), "account_id": "m", "campaign_id": "21", "campaign_name": "SWP | Reels Influencer | A",
         "ad_id": f"ad{offset}", "comscore_market_code": market, "impressions": 500, "inline_link_clicks": 5,
         "spend": 7.25 * times, "actions": meta_actions(2), "action_values": meta_actions(40)}
        for offset in range(21)
        for market in ("501", "unknown")
    ], brand)  # fmt: skip
    insert(connection, "amazon_dsp_geo", [
        {"date_day": day(offset), "advertiser_id": "a", "order_id": "o", "order_name": "CTV", "dma_code": code, "total_cost": 5 * times,
         "impressions": 100, "viewable_impressions": 80, "clicks": 1, "video_completes": 70}
        for offset in range(7)
        for code in ("501", "US-DMA803", "999", "XX")
    ], brand)  # fmt: skip
    insert(connection, "walmart_connect", [
        {"date_day": day(offset), "advertiser_id": "w", "campaign_id": "c", "campaign_name": "WMC", "item_id": item,
         "impressions": 10, "clicks": 1, "cost": 2 * times, "orders_14d": 1, "sales_14d": 9}
        for offset in range(21)
        for item in ("055", "056")
    ], brand)  # fmt: skip
    insert(connection, "reach_frequency", [
        {"week_start": day(0), "channel": "ctv_other", "dma_code": "501", "frequency_group": group,
         "reach_persons": 100 // group, "impressions": 100 // group * group, "clickouts": 1}
        for group in (1, 2, 5)
    ], brand)  # fmt: skip
    person = {"person_key": "p", "email_hash": "h", "zip": "10001"}
    insert(connection, "email_events", [
        {**person, "event_id": f"e{n}", "event_type": kind, "event_ts": datetime(2026, 1, 6, 15), "campaign_id": "E1", "user_agent": agent}
        for n, (kind, agent) in enumerate([
            ("Received Email", None), ("Received Email", None), ("Opened Email", "GoogleImageProxy"),
            ("Opened Email", "Mozilla/5.0 (iPhone; x)"), ("Clicked Email", "Mozilla/5.0 (iPhone; x)"), ("Clicked Email", "LinkScanner/1"),
        ])
    ], brand)  # fmt: skip
    insert(connection, "coupon_events", [
        {**person, "event_id": f"c{n}", "event_type": kind, "event_ts": datetime(2026, 1, 7, 15), "coupon_id": "K",
         "basket_value_usd": 20 if kind == "redeem" else None, "discount_usd": 2 * times if kind == "redeem" else None}
        for n, kind in enumerate(["clip", "clip", "redeem"])
    ], brand)  # fmt: skip
    insert(connection, "experiments", [
        {"experiment_id": "x1", "channel_id": "ctv_other", "design": "d", "start_date": day(7), "end_date": day(13),
         "treated_dmas": "501", "control_dmas": "803; 602", "kind": "go_dark"},
    ], brand)  # fmt: skip
    insert(connection, "search_interest", [
        {"week_start": day(7 * week), "dma_code": "501", "index_value": 50 + week} for week in range(3)
    ], brand)  # fmt: skip
    insert(connection, "clickstream", list(clicks()), brand)


def clicks() -> list[dict[str, Any]]:
    """Journeys whose paths are known: see test_paths."""
    events: list[dict[str, Any]] = []

    def add(visitor: str, when: str, kind: str, channel: str, **more: Any) -> None:
        events.append({
            "event_id": f"{visitor}{len(events):03d}", "event_ts": datetime.fromisoformat(when), "visitor_id": visitor,
            "event_type": kind, "channel": channel, "dma_code": "501", "zip": "10001", "user_agent": "Mozilla/5.0 (X)",
            "is_viewable": kind == "impression_view", **more,
        })  # fmt: skip

    add("v1", "2026-01-05T10:00:00", "impression_view", "ctv")
    add("v1", "2026-01-06T10:00:00", "impression_view", "youtube", is_viewable=False)
    add("v1", "2026-01-07T10:00:00", "ad_click", "google_brand")
    add("v1", "2026-01-07T10:00:30", "ad_click", "google_brand")
    add("v1", "2026-01-07T10:05:00", "site_visit", "google_brand")
    add("v1", "2026-01-07T10:06:00", "find_retailer_click", "google_brand", retailer_id="amazon")
    add("v1", "2026-01-08T10:00:00", "ad_click", "meta_rt")
    add("v1", "2026-01-08T10:01:00", "find_retailer_click", "meta_rt", retailer_id="target")
    add("v2", "2025-11-01T10:00:00", "impression_view", "youtube")
    add("v2", "2026-01-09T10:00:00", "ad_click", "email")
    add("v2", "2026-01-09T11:00:00", "find_retailer_click", "email", retailer_id="walmart")
    add("v3", "2026-01-10T10:00:00", "find_retailer_click", "direct", retailer_id="walmart")
    add("v4", "2026-01-11T10:00:00", "impression_view", "hulu")
    add("v4", "2026-01-12T10:00:00", "site_visit", "organic")
    add("v5", "2026-01-13T10:00:00", "ad_click", "hulu", user_agent="SomeBot/2")
    return events
