"""Retailers: sales and stock as each portal reports them, in its own week, ids and number formats."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.config import PRODUCTS
from simulator.demand import stream
from simulator.feeds_media import split_whole
from simulator.geography import stores_per_dma
from simulator.landing import Feed, csv_feed, csv_gz_feed, json_lines, money, pack, take_words, text_dates
from simulator.world import World

BUSY_DMAS = 60  # the largest markets are reported under two ZIP codes and have pickup sales


def _big(world: World) -> np.ndarray:
    """Which DMAs are among the largest, (D,) bool."""
    rank = (-world.geo.homes).argsort().argsort()
    return np.asarray(rank < BUSY_DMAS)


def _cents(world: World) -> np.ndarray:
    return np.round(world.price * 100).astype(np.int64)


def _json_array(part: pa.Table, **kwargs: object) -> bytes:
    return pack(("[" + ",\n".join(json_lines(part, **kwargs)) + "]\n").encode())  # type: ignore[arg-type]


def on_hand(world: World, retailer: int) -> np.ndarray:
    """Units in stock at the end of each week, (D, P, T): weeks of supply of the recent pace, near zero when short."""
    rng = stream(world.options, f"stock:{retailer}")
    pace = world.demand_units[:, retailer].astype(float)
    slow = np.cumsum(pace, axis=-1)
    slow[..., 4:] = slow[..., 4:] - slow[..., :-4]
    slow = slow / np.minimum(np.arange(1, pace.shape[-1] + 1), 4)
    cover = rng.uniform(2.2, 5.5, pace.shape[:2])[..., None] * np.exp(rng.normal(0.0, 0.18, pace.shape))
    short = world.demand.available[:, retailer] < 1
    return np.where(short, rng.integers(0, 3, pace.shape), np.ceil(slow * cover)).astype(np.int64)


def amazon_feeds(world: World) -> Iterator[Feed]:
    """Vendor sales by ship-to ZIP, national stock, and Amazon's own forecast. Weeks are Sunday to Saturday."""
    rng = stream(world.options, "amazon")
    first = world.options.first_day
    units = world.units[:, 0]  # (D, P, T)
    second = np.where(_big(world), 0.35, 0.0)
    by_zip = split_whole(
        units, np.stack([1 - second, second], -1)[:, None, None, :] * np.ones((*units.shape, 1))
    )
    # a few orders are cancelled in another ZIP code of the market than they were placed in: negative units
    cancelled = np.where(rng.random(units.shape) < 0.001, np.minimum(units, 2), 0)
    by_zip[..., 0] += cancelled
    by_zip = np.concatenate([by_zip, -cancelled[..., None]], axis=-1).transpose(2, 0, 1, 3)  # (T, D, P, 3)
    week, dma, item, at = np.nonzero(by_zip)
    sold = by_zip[week, dma, item, at]
    cents = sold * _cents(world)[dma, 0, item, week]
    zips = world.geo.zips[:, :3].ravel()
    asins = [p.asin for p in PRODUCTS]
    table = pa.table(
        {
            "startDate": text_dates(first, week * 7),
            "endDate": text_dates(first, week * 7 + 6),
            "asin": take_words(asins, item),
            "shipToZipCode": take_words(zips, dma * 3 + at),
            "orderedUnits": sold,
            "orderedRevenue": pc.binary_join_element_wise(
                '{"amount":', money(cents), ',"currencyCode":"USD"}', ""
            ),
            "shippedUnits": (np.maximum(sold, 0) * 0.97).astype(np.int64),
            "customerReturns": rng.binomial(np.maximum(sold, 0), 0.012),
        }
    )

    def encode(part: pa.Table) -> bytes:
        return pack(("\n".join(json_lines(part, nested={"orderedRevenue": "json"})) + "\n").encode())

    yield Feed("amazon_vendor_sales", "ndjson.gz", week * 7, table, encode)

    p_count, t_count = len(PRODUCTS), world.options.weeks
    week = np.repeat(np.arange(t_count), p_count)
    item = np.tile(np.arange(p_count), t_count)
    stock = on_hand(world, 0).sum(axis=0)
    served = world.demand.available[0, 0]
    backlog = np.where(
        served < 1, ((1 - served) * world.demand_units[:, 0].sum(axis=0) * 0.3).astype(np.int64), 0
    )
    stock = np.where(backlog > 0, -(backlog // 10), stock)
    inventory = pa.table(
        {
            "startDate": text_dates(first, week * 7),
            "endDate": text_dates(first, week * 7 + 6),
            "asin": take_words(asins, item),
            "sellableOnHandInventoryUnits": stock[item, week],
            "procurableProductOutOfStockRate": np.round(1 - served[item, week], 4),
            "openPurchaseOrderUnits": (np.abs(stock[item, week]) * 0.4).astype(np.int64),
            "unfilledCustomerOrderedUnits": backlog[item, week],
        }
    )
    yield Feed("amazon_vendor_inventory", "json.gz", week * 7, inventory, _json_array)

    total = world.demand_units[:, 0].sum(axis=0).astype(float)  # (P, T)
    made, item, ahead = (
        x.ravel() for x in np.meshgrid(np.arange(t_count), np.arange(p_count), np.arange(1, 9), indexing="ij")
    )
    target = np.minimum(made + ahead, t_count - 1)
    mean = (
        total[item, target]
        * np.exp(rng.normal(0.02, 0.06 + 0.01 * ahead))
        * np.exp(0.004 * np.maximum(made + ahead - t_count + 1, 0))
    )
    forecast = pa.table(
        {
            "forecastGenerationDate": text_dates(first, made * 7 + 6),
            "asin": take_words(asins, item),
            "startDate": text_dates(first, (made + ahead) * 7),
            "endDate": text_dates(first, (made + ahead) * 7 + 6),
            "meanForecastUnits": np.round(mean, 2),
            "p70ForecastUnits": np.round(mean * 1.08, 2),
            "p80ForecastUnits": np.round(mean * 1.14, 2),
            "p90ForecastUnits": np.round(mean * 1.24, 2),
        }
    )
    yield Feed("amazon_vendor_forecast", "json.gz", made * 7 + 6, forecast, _json_array)


def _per_store(world: World, units: np.ndarray) -> np.ndarray:
    """Whole units of a DMA split over its stores: (D, ...) to (D, ..., S)."""
    stores = stores_per_dma(world.options.scale)
    weights = 1.0 / (1 + 0.3 * np.arange(stores))
    return split_whole(units, np.broadcast_to(weights, (*units.shape, stores)))


def _store_words(world: World, first: int) -> list[str]:
    stores = stores_per_dma(world.options.scale)
    return [str(first + d * 20 + s) for d in range(world.geo.count) for s in range(stores)]


def walmart_feeds(world: World) -> Iterator[Feed]:
    """Store sales by day (every value text) and Saturday snapshots of store stock."""
    rng = stream(world.options, "walmart")
    first = world.options.first_day
    listed = np.flatnonzero(world.demand.listed[1])
    words = [PRODUCTS[i].wm_item_nbr for i in listed]
    units = world.units[:, 1][:, listed]  # (D, P', T)
    d, p, t = units.shape
    pattern = np.array([0.16, 0.12, 0.12, 0.12, 0.13, 0.16, 0.19])
    daily = rng.multinomial(units, pattern).reshape(d, p, t * 7).transpose(2, 0, 1)  # (days, D, P')
    by_store = _per_store(world, daily)
    stores = by_store.shape[-1]
    day, dma, item, store = np.nonzero(by_store)
    sold = by_store[day, dma, item, store]
    cents = _cents(world)[:, 1][:, listed]
    pickup = _big(world)[dma] & (sold >= 4) & np.isin(day % 7, (0, 6))
    picked = np.where(pickup, sold // 4, 0)
    unit_cents = cents[dma, item, day // 7]
    parts = [
        {
            "day": day,
            "store": dma * stores + store,
            "item": item,
            "channel": np.zeros(len(day), np.int64),
            "units": sold - picked,
            "cents": unit_cents,
        },
        {
            "day": day[pickup],
            "store": (dma * stores + store)[pickup],
            "item": item[pickup],
            "channel": np.ones(int(pickup.sum()), np.int64),
            "units": picked[pickup],
            "cents": unit_cents[pickup],
        },
    ]
    joined = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    order = np.argsort(joined["day"], kind="stable")
    joined = {k: v[order] for k, v in joined.items()}
    names = _store_words(world, 1001)
    zeros = np.zeros(len(order), np.int64)
    promo = world.demand.promo[1][listed]

    def table(sold: np.ndarray) -> pa.Table:
        return pa.table(
            {
                "store_nbr": take_words(names, joined["store"]),
                "wm_item_nbr": take_words(words, joined["item"]),
                "svc_chnl_nm": take_words(["BIS", "Pickup"], joined["channel"]),
                "bus_dt": text_dates(first, joined["day"]),
                "mds_fam_id": take_words([f"55{w}" for w in words], joined["item"]),
                "rpt_cd": take_words(["0", "3"], promo[joined["item"], joined["day"] // 7].astype(np.int64)),
                "op_cmpny_cd": take_words(["WMT-US"], zeros),
                "geo_region_cd": take_words(["US"], zeros),
                "vendor_nbr": take_words(["441207"], zeros),
                "sales_qty": pc.cast(pa.array(sold), pa.string()),
                "sales_amt": money(sold * joined["cents"]),
            }
        )

    yield Feed(
        "walmart_store_sales",
        "csv.gz",
        joined["day"],
        table(joined["units"]),
        csv_gz_feed,
        table(joined["units"] * 97 // 100),
    )

    stock = _per_store(world, on_hand(world, 1)[:, listed]).transpose(2, 0, 1, 3)  # (T, D, P', S)
    week, dma, item, store = (x.ravel() for x in np.indices(stock.shape))
    served = world.demand.available[:, 1][:, listed]
    instock = np.round(100 * served[dma, item, week]).astype(np.int64)
    yield Feed(
        "walmart_store_inventory", "csv.gz", week * 7 + 6,
        pa.table(
            {
                "store_nbr": take_words(names, dma * stores + store),
                "wm_item_nbr": take_words(words, item),
                "bus_dt": text_dates(first, week * 7 + 6),
                "on_hand_qty": stock.ravel(),
                "in_stock_num": instock,
                "in_stock_den": np.full(len(week), 100),
            }
        ),
        csv_gz_feed,
    )  # fmt: skip


def target_feeds(world: World) -> Iterator[Feed]:
    """Weekly store sales and stock with US dates."""
    first = world.options.first_day
    listed = np.flatnonzero(world.demand.listed[2])
    tcin, dpci = ([getattr(PRODUCTS[i], k) for i in listed] for k in ("tcin", "dpci"))
    names = _store_words(world, 20001)
    units = _per_store(world, world.units[:, 2][:, listed]).transpose(2, 0, 1, 3)
    stores = units.shape[-1]
    week, dma, item, store = np.nonzero(units)
    sold = units[week, dma, item, store]
    cents = sold * _cents(world)[:, 2][:, listed][dma, item, week]
    promo = world.demand.promo[2][listed]
    yield Feed(
        "target_sales", "csv", week * 7,
        pa.table(
            {
                "Week Begin": text_dates(first, week * 7, "%m/%d/%Y"),
                "Location ID": take_words(names, dma * stores + store),
                "TCIN": take_words(tcin, item),
                "DPCI": take_words(dpci, item),
                "Sales Units": sold,
                "Sales Dollars": money(cents),
                "Promo": take_words(["N", "Y"], promo[item, week].astype(np.int64)),
            }
        ),
        csv_feed,
    )  # fmt: skip
    stock = _per_store(world, on_hand(world, 2)[:, listed]).transpose(2, 0, 1, 3)
    week, dma, item, store = (x.ravel() for x in np.indices(stock.shape))
    served = world.demand.available[:, 2][:, listed]
    yield Feed(
        "target_inventory", "csv", week * 7,
        pa.table(
            {
                "Week Begin": text_dates(first, week * 7, "%m/%d/%Y"),
                "Location ID": take_words(names, dma * stores + store),
                "TCIN": take_words(tcin, item),
                "EOH Units": stock.ravel(),
                "In Stock %": np.round(100 * served[dma, item, week], 1),
            }
        ),
        csv_feed,
    )  # fmt: skip
