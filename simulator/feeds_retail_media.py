"""Retail media: Sponsored Products, Walmart Connect and Roundel. National reports without geography."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.config import PRODUCTS
from simulator.feeds_media import Rows, split_whole
from simulator.landing import Feed, csv_feed, json_lines, money, pack, quoted_gz_feed, take_words, text_dates
from simulator.world import World


def retail_media_feeds(world: World, rows: dict[str, Rows]) -> Iterator[Feed]:
    """Sponsored Products, Walmart Connect (all values quoted) and Roundel (US dates, dollar signs)."""
    first = world.options.first_day

    def parts(channel: str, shares: list[float]) -> dict[str, np.ndarray]:
        r = rows[channel]
        weight = np.array(shares)
        out = {"day": np.repeat(r.day, len(shares)), "part": np.tile(np.arange(len(shares)), len(r.day))}
        for name in ("cents", "impressions", "clicks", "value_cents", "conversions"):
            out[name] = split_whole(
                getattr(r, name), np.broadcast_to(weight, (len(r.day), len(shares)))
            ).ravel()
        return out

    a = parts("amazon_ads", [0.5, 0.3, 0.2])
    ids = ["571234567890123456", "571234567890123457", "571234567890123999"]

    def sp(cents: np.ndarray, value: np.ndarray) -> pa.Table:
        zeros = np.zeros(len(cents), np.int64)
        return pa.table(
            {
                "profileId": take_words(["9911223344"], zeros),
                "date": text_dates(first, a["day"]),
                "campaignId": take_words(ids, a["part"]),
                "campaignName": take_words(
                    ["SWP | SP | Category", "SWP | SP | Competitor", "SWP | SP | Brand defence"], a["part"]
                ),
                "campaignStatus": take_words(["ENABLED"], zeros),
                "campaignBudgetCurrencyCode": take_words(["USD"], zeros),
                "impressions": a["impressions"],
                "clicks": a["clicks"],
                "cost": money(cents),
                "purchases14d": a["conversions"],
                "unitsSoldClicks14d": (a["conversions"] * 1.2).astype(np.int64),
                "sales14d": money(value),
            }
        )

    def encode_sp(part: pa.Table) -> bytes:
        return pack(
            ("[" + ",\n".join(json_lines(part, nested={"cost": "json", "sales14d": "json"})) + "]\n").encode()
        )

    yield Feed(
        "amazon_ads_sp",
        "json.gz",
        a["day"],
        sp(a["cents"], a["value_cents"]),
        encode_sp,
        sp(a["cents"] * 97 // 100, a["value_cents"] * 8 // 10),
    )

    w = parts("walmart_connect", [0.3, 0.25, 0.25, 0.2])
    items = [p.wm_item_nbr for p in PRODUCTS if p.wm_item_nbr]
    zeros = np.zeros(len(w["day"]), np.int64)
    yield Feed(
        "walmart_connect", "csv.gz", w["day"],
        pa.table(
            {
                "advertiserId": take_words(["77120"], zeros),
                "date": text_dates(first, w["day"]),
                "campaignId": take_words(["88001", "88002"], w["part"] % 2),
                "campaignName": take_words(["SWP | WMC | Search", "SWP | WMC | Display"], w["part"] % 2),
                "itemId": take_words(items, w["part"]),
                "numAdsShown": pc.cast(pa.array(w["impressions"]), pa.string()),
                "numAdsClicks": pc.cast(pa.array(w["clicks"]), pa.string()),
                "adSpend": money(w["cents"]),
                "attributedOrders14days": pc.cast(pa.array(w["conversions"]), pa.string()),
                "attributedSales14days": money(w["value_cents"]),
                "unitsSold14days": pc.cast(pa.array(w["conversions"]), pa.string()),
            }
        ),
        quoted_gz_feed,
    )  # fmt: skip
    o = parts("roundel", [0.3, 0.25, 0.25, 0.2])
    tcins = [p.tcin for p in PRODUCTS if p.tcin]
    zeros = np.zeros(len(o["day"]), np.int64)
    dollars = [
        pa.array([f"${c // 100:,}.{c % 100:02d}" for c in o[n].tolist()]) for n in ("cents", "value_cents")
    ]
    yield Feed(
        "roundel", "csv", o["day"],
        pa.table(
            {
                "Date": text_dates(first, o["day"], "%m/%d/%Y"),
                "Advertiser ID": take_words(["55310"], zeros),
                "Campaign": take_words(["SWP Roundel Always On"], zeros),
                "TCIN": take_words(tcins, o["part"]),
                "Impressions": o["impressions"],
                "Clicks": o["clicks"],
                "Spend": dollars[0],
                "Attributed Sales": dollars[1],
                "Orders": o["conversions"],
            }
        ),
        csv_feed,
    )  # fmt: skip
