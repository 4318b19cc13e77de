"""Advertising platforms: what each reports, in its own shape and units.

Platforms claim more than they cause: :data:`CLAIMED_ROAS` is what their reports attribute to themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.config import CHANNELS
from simulator.demand import stream
from simulator.landing import (
    Feed,
    Landing,
    csv_bytes,
    csv_gz_feed,
    json_lines,
    money,
    pack,
    take_words,
    text_dates,
)
from simulator.world import World

CLAIMED_ROAS = {
    "youtube": 0.6, "hulu": 0.3, "ctv_other": 0.5, "instagram_reels": 1.2, "meta_retargeting": 6.5, "search_brand": 9.0,
    "search_nonbrand": 2.8, "amazon_ads": 5.0, "walmart_connect": 4.6, "roundel": 5.2,
}  # fmt: skip
CTR = {
    "youtube": 0.004, "hulu": 0.0006, "ctv_other": 0.0005, "instagram_reels": 0.009, "meta_retargeting": 0.014,
    "search_brand": 0.18, "search_nonbrand": 0.05, "amazon_ads": 0.008, "walmart_connect": 0.006, "roundel": 0.005,
}  # fmt: skip
DOW = np.array([1.10, 0.95, 0.93, 0.95, 0.98, 1.02, 1.07])
CPM = {c.name: c.cpm for c in CHANNELS}
ORDER_USD = 24.0
GOOGLE = {
    "search_brand": ("71000000001", "SWP | Search | Brand", "SEARCH"),
    "search_nonbrand": ("71000000002", "SWP | Search | Nonbrand", "SEARCH"),
    "youtube": ("71000000003", "SWP | YouTube | Video", "VIDEO"),
}
GOOGLE_CUSTOMER = "4155550101"


def split_whole(amount: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Split whole numbers over the last axis of ``weights``; parts are whole and sum exactly."""
    share = np.cumsum(weights, axis=-1)
    share = share / share[..., -1:]
    return np.diff(np.round(share * amount[..., None]).astype(np.int64), prepend=0, axis=-1)


@dataclass(frozen=True)
class Rows:
    """Daily rows of one channel, sorted by day: place (-1 where the feed has no geography) and numbers."""

    channel: str
    day: np.ndarray
    dma: np.ndarray
    cents: np.ndarray
    impressions: np.ndarray
    clicks: np.ndarray
    value_cents: np.ndarray
    conversions: np.ndarray


def daily_rows(world: World, channel: str) -> Rows:
    """Weekly money of a channel on days, with impressions, clicks and claimed conversions."""
    rng = stream(world.options, f"daily:{channel}")
    weekly = world.spend_micros[channel] // 10_000
    d, t = weekly.shape
    weights = DOW * np.exp(rng.normal(0.0, 0.18, (d, t, 7)))
    # a small market buys on a few days of the week: a day without a click is a day without a row
    bought = np.maximum(1, np.minimum(7, weekly // 4000))
    weights = np.where(rng.random((d, t, 7)).argsort(axis=-1) < bought[..., None], weights, 0.0)
    cents = split_whole(weekly, weights).reshape(d, t * 7).T  # (days, D)
    day, dma = np.nonzero(cents)
    spent = cents[day, dma]
    impressions = np.maximum(
        1, rng.poisson(spent * 10.0 / CPM[channel] * np.exp(rng.normal(0.0, 0.08, len(day))))
    )
    clicks = np.minimum(impressions, rng.poisson(impressions * CTR[channel]))
    value = spent * CLAIMED_ROAS[channel] * np.exp(rng.normal(-0.03, 0.25, len(day)))
    return Rows(
        channel=channel,
        day=day,
        dma=dma if d > 1 else np.full(len(day), -1),
        cents=spent,
        impressions=impressions.astype(np.int64),
        clicks=clicks.astype(np.int64),
        value_cents=np.round(value).astype(np.int64),
        conversions=rng.poisson(value / 100 / ORDER_USD).astype(np.int64),
    )


def _by_day(rows: Rows, days: int) -> dict[str, np.ndarray]:
    names = ("cents", "impressions", "clicks", "value_cents", "conversions")
    return {
        n: np.bincount(rows.day, weights=getattr(rows, n), minlength=days).astype(np.int64) for n in names
    }


def _concat(parts: list[dict[str, np.ndarray]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Join columns of several row groups and sort them by day (stable)."""
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    order = np.argsort(joined["day"], kind="stable")
    joined = {k: v[order] for k, v in joined.items()}
    return joined["day"], joined


def google_feeds(world: World, landing: Landing, rows: dict[str, Rows]) -> Iterator[Feed]:
    """Campaign report in micros, and the geographic report, which locates less than all of it."""
    rng = stream(world.options, "google")
    first = world.options.first_day
    campaigns: list[dict[str, np.ndarray]] = []
    places: list[dict[str, np.ndarray]] = []
    for at, channel in enumerate(GOOGLE):
        r = rows[channel]
        totals = _by_day(r, landing.days)
        day = np.flatnonzero(totals["cents"])
        partner = (totals["cents"][day] * (0.0 if channel == "youtube" else 0.08)).astype(np.int64)
        for network, share in ((0, 1.0), (1, 0.08)):
            if network == 1 and channel == "youtube":
                continue
            cents = totals["cents"][day] - partner if network == 0 else partner
            part = share if network == 1 else (1.0 if channel == "youtube" else 0.92)
            campaigns.append(
                {
                    "day": day,
                    "campaign": np.full(len(day), at),
                    "network": np.full(len(day), 2 if channel == "youtube" else network),
                    "micros": cents * 10_000,
                    "impressions": (totals["impressions"][day] * part).astype(np.int64),
                    "clicks": (totals["clicks"][day] * part).astype(np.int64),
                    "conv": totals["conversions"][day] * part,
                    "value": totals["value_cents"][day] * part / 100,
                }
            )
        located = np.floor(r.cents * rng.uniform(0.94, 0.99, len(r.cents))).astype(np.int64)
        present = {
            "day": r.day,
            "campaign": np.full(len(r.day), at),
            "dma": r.dma,
            "kind": np.zeros(len(r.day), np.int64),
            "impressions": (r.impressions * 0.965).astype(np.int64),
            "clicks": r.clicks,
            "micros": located * 10_000,
        }
        interest = rng.random(len(r.day)) < 0.08
        places.append(present)
        places.append(
            {
                k: (v[interest] if k != "kind" else np.ones(int(interest.sum()), np.int64))
                for k, v in present.items()
            }
        )
    ids, names, kinds = (list(x) for x in zip(*GOOGLE.values(), strict=True))
    day, c = _concat(campaigns)
    youtube = c["campaign"] == 2

    def table(micros: np.ndarray, conv: np.ndarray) -> pa.Table:
        return pa.table(
            {
                "customer.id": pa.array([GOOGLE_CUSTOMER]).take(pa.array(np.zeros(len(day), np.int64))),
                "campaign.id": take_words(ids, c["campaign"]),
                "campaign.name": take_words(names, c["campaign"]),
                "campaign.advertising_channel_type": take_words(kinds, c["campaign"]),
                "segments.date": text_dates(first, day),
                "segments.ad_network_type": take_words(
                    ["SEARCH", "SEARCH_PARTNERS", "YOUTUBE"], c["network"]
                ),
                "metrics.impressions": c["impressions"],
                "metrics.clicks": c["clicks"],
                "metrics.cost_micros": micros,
                "metrics.conversions": np.round(conv, 2),
                "metrics.conversions_value": np.round(c["value"], 2),
                "metrics.view_through_conversions": np.where(youtube, np.round(3 * conv), 0).astype(np.int64),
                "metrics.video_views": np.where(youtube, (0.31 * c["impressions"]).astype(np.int64), 0),
            }
        )

    early = table((c["micros"] // 10_000 * 985 // 1000) * 10_000, c["conv"] * 0.7)
    yield Feed("google_ads_campaign", "csv.gz", day, table(c["micros"], c["conv"]), csv_gz_feed, early)
    day_geo, g = _concat(places)
    metro = [f"geoTargetConstants/{200000 + int(code)}" for code in world.geo.dma_id]
    geo_table = pa.table(
        {
            "customer.id": take_words([GOOGLE_CUSTOMER], np.zeros(len(day_geo), np.int64)),
            "campaign.id": take_words(ids, g["campaign"]),
            "segments.date": text_dates(first, day_geo),
            "segments.geo_target_metro": take_words(metro, g["dma"]),
            "geographic_view.location_type": take_words(
                ["LOCATION_OF_PRESENCE", "AREA_OF_INTEREST"], g["kind"]
            ),
            "metrics.impressions": g["impressions"],
            "metrics.clicks": g["clicks"],
            "metrics.cost_micros": g["micros"],
        }
    )
    yield Feed("google_ads_geo", "csv.gz", day_geo, geo_table, csv_gz_feed)


META = {
    "instagram_reels": ("120210000000000101", "SWP | Reels Influencer | Launch", "120210000000000201", "Reels creators", "120210000000000301", "Creator cut A"),
    "meta_retargeting": ("120210000000000102", "SWP | Retargeting | Site visitors", "120210000000000202", "Visitors 30d", "120210000000000302", "Reminder B"),
}  # fmt: skip


def meta_feed(world: World, rows: dict[str, Rows]) -> Feed:
    """Insights rows: numbers as strings, one purchase under several action types."""
    first = world.options.first_day
    markets = [*world.geo.dma_id, "unknown"]
    names = [*(str(n).replace('"', "") for n in world.geo.name), "Unknown"]
    parts = []
    for at, channel in enumerate(META):
        r = rows[channel]
        lost = (r.cents * 0.015 + 0.5).astype(np.int64)
        base = {
            "day": r.day,
            "ad": np.full(len(r.day), at),
            "market": r.dma,
            "cents": r.cents - lost,
            "impressions": r.impressions,
            "clicks": r.clicks,
            "value": r.value_cents,
            "conv": r.conversions,
        }
        hidden = np.bincount(r.day, weights=lost)
        day = np.flatnonzero(hidden)
        cents = hidden[day].astype(np.int64)
        zero = np.zeros(len(day), np.int64)
        views = np.maximum(1, (cents * 10 / CPM[channel]).astype(np.int64))
        parts += [
            base,
            {
                "day": day,
                "ad": np.full(len(day), at),
                "market": np.full(len(day), world.geo.count),
                "cents": cents,
                "impressions": views,
                "clicks": zero,
                "value": zero,
                "conv": zero,
            },
        ]
    day, m = _concat(parts)
    word = [list(x) for x in zip(*META.values(), strict=True)]
    reach = np.maximum(1, (m["impressions"] / np.where(m["ad"] == 0, 1.15, 1.6)).astype(np.int64))
    conv, views = m["conv"], (m["conv"] * 0.6).astype(np.int64)

    def actions(number: pa.Array, click: pa.Array, view: pa.Array) -> pa.Array:
        def entry(kind: str) -> list[object]:
            return [
                f'{{"action_type":"{kind}","value":"',
                number,
                '","7d_click":"',
                click,
                '","1d_view":"',
                view,
                '"}',
            ]

        kinds = ("omni_purchase", "offsite_conversion.fb_pixel_purchase", "purchase")
        pieces: list[object] = ["["]
        for at, kind in enumerate(kinds):
            pieces += ([","] if at else []) + entry(kind)
        return pc.binary_join_element_wise(*pieces, "]", "")

    def table(cents: np.ndarray, conversions: np.ndarray) -> pa.Table:
        text = [
            pc.cast(pa.array(x), pa.string())
            for x in (conversions, conversions - views.clip(max=conversions), views)
        ]
        amount = [
            money(x)
            for x in (
                m["value"],
                (m["value"] * 0.4).astype(np.int64),
                m["value"] - (m["value"] * 0.4).astype(np.int64),
            )
        ]
        dates = text_dates(first, day)
        return pa.table(
            {
                "date_start": dates,
                "date_stop": dates,
                "account_id": take_words(["301122334455"], np.zeros(len(day), np.int64)),
                "account_currency": take_words(["USD"], np.zeros(len(day), np.int64)),
                "campaign_id": take_words(word[0], m["ad"]),
                "campaign_name": take_words(word[1], m["ad"]),
                "adset_id": take_words(word[2], m["ad"]),
                "adset_name": take_words(word[3], m["ad"]),
                "ad_id": take_words(word[4], m["ad"]),
                "ad_name": take_words(word[5], m["ad"]),
                "comscore_market_code": take_words(markets, m["market"]),
                "comscore_market": take_words(names, m["market"]),
                "impressions": m["impressions"],
                "reach": reach,
                "frequency": np.round(m["impressions"] / reach, 6),
                "clicks": m["clicks"],
                "inline_link_clicks": (m["clicks"] * 0.8).astype(np.int64),
                "spend": money(cents),
                "attribution_setting": take_words(["7d_click_or_1d_view"], np.zeros(len(day), np.int64)),
                "actions": actions(*text),
                "action_values": actions(*amount),
            }
        )

    def encode(part: pa.Table) -> bytes:
        numbers = ("impressions", "reach", "frequency", "clicks", "inline_link_clicks")
        lines = json_lines(part, quoted=numbers, nested={"actions": "json", "action_values": "json"})
        return pack(("\n".join(lines) + "\n").encode() if lines else b"")

    early = table(m["cents"] * 985 // 1000, (conv * 0.7).astype(np.int64))
    return Feed("meta_ads", "ndjson.gz", day, table(m["cents"], conv), encode, early)


def video_feeds(world: World, rows: dict[str, Rows]) -> Iterator[Feed]:
    """The two DMA reports of streaming TV: Amazon DSP (two codings of the DMA) and DV360 (with a footer)."""
    first = world.options.first_day
    r = rows["ctv_other"]
    launch_day = 7 * world.launch
    codes = [*world.geo.dma_id, *(f"US-DMA{c}" for c in world.geo.dma_id)]
    zeros = np.zeros(len(r.day), np.int64)
    dates = text_dates(first, r.day)

    def dsp(cents: np.ndarray) -> pa.Table:
        return pa.table(
            {
                "intervalStart": dates,
                "intervalEnd": dates,
                "advertiserId": take_words(["5808131"], zeros),
                "advertiserTimezone": take_words(["America/New_York"], zeros),
                "orderId": take_words(["5900000000000000771"], zeros),
                "orderName": take_words(["SWP | Streaming TV"], zeros),
                "dmaCode": take_words(codes, r.dma + np.where(r.day >= launch_day, world.geo.count, 0)),
                "dmaName": take_words(list(world.geo.name), r.dma),
                "totalCost": money(cents),
                "impressions": r.impressions,
                "viewableImpressions": (r.impressions * 0.93).astype(np.int64),
                "clickThroughs": r.clicks,
                "videoAdComplete": (r.impressions * 0.94).astype(np.int64),
                "purchases14d": r.conversions,
                "sales14d": money(r.value_cents),
            }
        )

    yield Feed("amazon_dsp_geo", "csv.gz", r.day, dsp(r.cents), csv_gz_feed, dsp(r.cents * 985 // 1000))
    h = rows["hulu"]
    zeros = np.zeros(len(h.day), np.int64)
    table = pa.table(
        {
            "Date": text_dates(first, h.day, "%Y/%m/%d"),
            "Advertiser ID": take_words(["6203311"], zeros),
            "Insertion Order ID": take_words(["1010557"], zeros),
            "Insertion Order": take_words(["SWP | Hulu"], zeros),
            "DMA Code": take_words(list(world.geo.dma_id), h.dma),
            "DMA": take_words(list(world.geo.name), h.dma),
            "Advertiser Currency": take_words(["USD"], zeros),
            "Impressions": h.impressions,
            "Active View: Viewable Impressions": (h.impressions * 0.9).astype(np.int64),
            "Clicks": h.clicks,
            "Complete Views (Video)": (h.impressions * 0.91).astype(np.int64),
            "Media Cost (Advertiser Currency)": money(h.cents),
        }
    )

    def encode(part: pa.Table) -> bytes:
        cost = sum(round(float(x) * 100) for x in part["Media Cost (Advertiser Currency)"].to_pylist())
        views = pc.sum(part["Impressions"]).as_py() or 0
        totals = f",,,,,,,{views},,,,{cost / 100:.2f}\n"
        footer = "\nReport Time:,2026/10/26 06:00 GMT\nDate Range:,see file name\nGroup By:,Date;DMA\nMRC Accredited Metrics,Active View\n"
        return csv_bytes(part) + totals.encode() + footer.encode()

    yield Feed("dv360_dma", "csv", h.day, table, encode)
