"""Registers and context: products, stores, promotions, ZIP map, search interest, weather, tests, reach."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from simulator.config import CHANNELS, PRODUCTS, RETAILERS
from simulator.demand import stream
from simulator.feeds_media import Rows
from simulator.geography import store_table, zip_map
from simulator.landing import (
    Delivery,
    Feed,
    Landing,
    csv_bytes,
    csv_feed,
    frame_table,
    money,
    take_words,
    text_dates,
)
from simulator.world import World

FREQUENCY_GROUPS = 15
TOP_GROUP_MEAN = 18.0  # exposures of a person in the open group 15+
MEAN_FREQUENCY = {
    "youtube": 3.4,
    "hulu": 4.2,
    "ctv_other": 4.6,
    "instagram_reels": 2.6,
    "meta_retargeting": 6.5,
}


def frequency_mix(channel: str, pressure: np.ndarray) -> np.ndarray:
    """Share of reached people by weekly exposures 1..15+, (..., 15).

    A shifted negative binomial (shape 0.9) whose mean grows with pressure relative to the launch mean: a heavy
    tail of over-exposed people is part of every plan.
    """
    mean = np.maximum(MEAN_FREQUENCY[channel] * np.maximum(pressure, 0.05) ** 0.35 - 1, 0.15)[..., None]
    shape = 0.9
    q = mean / (mean + shape)
    k = np.arange(60)
    log_choose = np.cumsum(np.log(np.concatenate([[1.0], (shape + k[:-1]) / (k[1:])])))
    pmf = np.exp(log_choose + k * np.log(q) + shape * np.log1p(-q))
    out = pmf[..., :FREQUENCY_GROUPS].copy()
    out[..., -1] += pmf[..., FREQUENCY_GROUPS:].sum(axis=-1)
    return np.asarray(out / out.sum(axis=-1, keepdims=True))


def exposures() -> np.ndarray:
    """Exposures of a person in each frequency group."""
    return np.concatenate([np.arange(1.0, FREQUENCY_GROUPS), [TOP_GROUP_MEAN]])


def wasted_share(mix: np.ndarray, knee: int) -> np.ndarray:
    """Share of impressions beyond the knee, (...)."""
    seen = exposures()
    return np.asarray((mix * np.maximum(seen - knee, 0)).sum(axis=-1) / (mix * seen).sum(axis=-1))


def reach_feed(world: World, rows: dict[str, Rows]) -> tuple[Feed, pd.DataFrame]:
    """Weekly reach by frequency: DMAs in the launch, the nation before. Also the planted waste, by channel."""
    rng = stream(world.options, "reach")
    parts, truth = [], []
    for at, channel in enumerate(c for c in CHANNELS if c.knee):
        r = rows[channel.name]
        shape = (world.geo.count, world.options.weeks)
        seen = np.zeros(shape)
        np.add.at(seen, (r.dma, r.day // 7), r.impressions)
        pressure = world.carried(channel.name, world.spend(channel.name))
        mix = frequency_mix(channel.name, pressure)
        waste = wasted_share(mix, channel.knee) * world.spend(channel.name)
        spend = world.spend(channel.name)
        launch = slice(world.launch, None)
        truth.append(
            {
                "channel": channel.name,
                "knee_frequency": channel.knee,
                "launch_spend_usd": spend[:, launch].sum(),
                "launch_waste_usd": waste[:, launch].sum(),
                "launch_waste_share": waste[:, launch].sum() / max(spend[:, launch].sum(), 1.0),
            }
        )
        national = seen[:, : world.launch].sum(axis=0)
        weight = seen[:, : world.launch] / np.maximum(national, 1)
        grids = [
            (
                national[None, :],
                (mix[:, : world.launch] * weight[..., None]).sum(axis=0)[None],
                0,
                np.array([world.geo.count]),
            ),
            (seen[:, launch], mix[:, launch], world.launch, np.arange(world.geo.count)),
        ]
        for impressions, shares, offset, places in grids:
            persons = (
                impressions[..., None]
                * shares
                / np.maximum((shares * exposures()).sum(axis=-1, keepdims=True), 1e-9)
            )
            reach = np.floor(persons + rng.random(persons.shape)).astype(np.int64)
            place, week, group = np.nonzero(reach)
            people = reach[place, week, group]
            rate = 0.0016 * np.minimum(group + 1, channel.knee) / channel.knee
            parts.append(
                {
                    "week": week + offset,
                    "channel": np.full(len(week), at),
                    "place": places[place],
                    "group": group + 1,
                    "reach": people,
                    "seen": np.round(people * exposures()[group]).astype(np.int64),
                    "out": rng.poisson(people * rate),
                }
            )
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    order = np.argsort(joined["week"], kind="stable")
    joined = {k: v[order] for k, v in joined.items()}
    table = pa.table(
        {
            "week_start": text_dates(world.options.first_day, joined["week"] * 7),
            "channel": take_words([c.name for c in CHANNELS if c.knee], joined["channel"]),
            "dma_code": take_words([*world.geo.dma_id, "000"], joined["place"]),
            "frequency_group": joined["group"],
            "reach_persons": joined["reach"],
            "impressions": joined["seen"],
            "clickouts": joined["out"],
        }
    )
    return Feed("reach_frequency", "csv", joined["week"] * 7, table, csv_feed), pd.DataFrame(truth)


def weekly_context(world: World) -> Iterator[Feed]:
    """Category search interest (a noisy proxy of demand) and temperature, by DMA and week."""
    rng = stream(world.options, "context")
    d, t = world.demand.latent.shape
    week, dma = (x.ravel() for x in np.meshgrid(np.arange(t), np.arange(d), indexing="ij"))
    index = 50 * np.exp(1.2 * world.demand.latent + rng.normal(0.0, 0.04, (d, t)))
    dates, codes = text_dates(world.options.first_day, week * 7), take_words(list(world.geo.dma_id), dma)
    yield Feed(
        "search_interest",
        "csv",
        week * 7,
        pa.table({"week_start": dates, "dma_code": codes, "index_value": np.round(index[dma, week], 2)}),
        csv_feed,
    )
    yield Feed(
        "weather",
        "csv",
        week * 7,
        pa.table(
            {
                "week_start": dates,
                "dma_code": codes,
                "temperature_f": np.round(world.demand.temperature[dma, week], 1),
            }
        ),
        csv_feed,
    )


def shop_feed(world: World) -> Feed:
    """The brand's small sample shop: orders a day."""
    rng = stream(world.options, "shop")
    days = 7 * world.options.weeks
    level = np.exp(world.demand.latent.mean(axis=0)).repeat(7)
    orders = rng.poisson(55 * level)
    new = rng.binomial(orders, 0.55)
    revenue = np.round(orders * 1400 * np.exp(rng.normal(0.0, 0.06, days))).astype(np.int64)
    cogs = revenue * 45 // 100
    table = pa.table(
        {
            "date": text_dates(world.options.first_day, np.arange(days)),
            "# of orders": orders,
            "# of new orders": new,
            "new customers": (new * 0.97).astype(np.int64),
            "total revenue": money(revenue),
            "gross profit": money(revenue - cogs),
            "COGS": money(cogs),
        }
    )
    return Feed("business_daily", "csv", np.arange(days), table, csv_feed)


def promotions(world: World) -> pd.DataFrame:
    """One row for each run of promoted weeks at one discount."""
    rows = []
    promo, discount = world.demand.promo, world.demand.discount
    for r, retailer in enumerate(RETAILERS):
        for p, product in enumerate(PRODUCTS):
            if not world.demand.listed[r, p]:
                continue
            for t in np.flatnonzero(promo[r, p]):
                start = world.options.first_day + timedelta(days=int(7 * t))
                rows.append(
                    {
                        "promo_id": f"TP-{retailer[:2].upper()}-{product.product_id}-{start:%Y%m%d}",
                        "retailer_id": retailer,
                        "product_id": product.product_id,
                        "start_date": start.isoformat(),
                        "end_date": (start + timedelta(days=6)).isoformat(),
                        "promo_type": "TPR",
                        "discount_pct": f"{discount[r, p, t]:.2f}",
                    }
                )
    return pd.DataFrame(rows)


def products() -> pd.DataFrame:
    """The product master."""
    return pd.DataFrame(
        [
            {
                "product_id": p.product_id, "brand": "SwiftPod", "line_name": p.line_name, "variant": p.variant, "upc": p.upc,
                "asin": p.asin, "tcin": p.tcin, "wm_item_nbr": p.wm_item_nbr, "dpci": p.dpci, "size_ounces": p.size_ounces,
                "pack_count": p.pack_count, "list_price_usd": f"{p.list_price_usd:.2f}", "cogs_usd": f"{p.cogs_usd:.2f}",
            }
            for p in PRODUCTS
        ]
    )  # fmt: skip


def experiment_rows(world: World) -> pd.DataFrame:
    """Geo tests as registered before they ran."""
    rows = []
    for test in world.tests:
        start = world.options.first_day + timedelta(days=7 * test.start_week)
        weeks = slice(test.start_week, test.end_week)
        rows.append(
            {
                "experiment_id": test.experiment_id,
                "channel_id": test.channel,
                "design": "matched triples, one drawn as treated",
                "start_date": start.isoformat(),
                "end_date": (start + timedelta(days=7 * (test.end_week - test.start_week) - 1)).isoformat(),
                "treated_dmas": ";".join(world.geo.dma_id[test.treated]),
                "control_dmas": ";".join(world.geo.dma_id[test.control]),
                "kind": test.kind,
                "planned_spend_usd": f"{world.spend(test.channel)[test.treated, weeks].sum():.2f}",
                "registered_at": f"{test.registered.isoformat()}T15:00:00Z",
            }
        )
    return pd.DataFrame(rows)


def write_registers(world: World, landing: Landing) -> None:
    """Slow files: one delivery each, promotions once for history and once more with the launch."""
    start = Delivery(0, landing.days - 1, landing.stamp(3, 7))
    stores = store_table(world.geo, world.options.scale).drop(columns="dma")
    for feed, frame in (
        ("product_master", products()),
        ("zip_dma", zip_map(world.geo)),
        ("store_locations", stores),
    ):
        landing.rows += len(frame)
        landing.put(feed, start, "csv", csv_bytes(frame_table(frame)))
    promo = promotions(world)
    before = promo[promo["start_date"] < world.options.launch_day.isoformat()]
    split = landing.days - 84
    for frame, delivery in (
        (before, Delivery(0, split - 1, landing.stamp(split, 7))),
        (promo, Delivery(0, landing.days - 1, landing.stamp(landing.days + 1, 7))),
    ):
        landing.rows += len(frame)
        landing.put("trade_promotions", delivery, "csv", csv_bytes(frame_table(frame)))
    tests = experiment_rows(world)
    landing.rows += len(tests)
    landing.put(
        "experiments",
        Delivery(0, landing.days - 1, landing.stamp(landing.days + 1, 8)),
        "csv",
        csv_bytes(frame_table(tests)),
    )
