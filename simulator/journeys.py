"""Visitor journeys to "Find a Retailer": clickstream in bounded memory, and who really caused the clicks.

A visitor has an intent nobody sees. Prospecting media reach everybody and raise the chance to buy; retargeting
finds those who meant to buy anyway, late; brand search and direct visits come in the last minutes before the click.
Last touch therefore flatters retargeting and brand search. A channel's true credit is the chance it added.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from simulator.config import CHANNEL_NAMES, RETAILERS, Options
from simulator.demand import stream
from simulator.feeds_crm import iso_times
from simulator.landing import Delivery, Landing, csv_bytes, take_words
from simulator.world import World

VISITORS = 55_000
CHUNK = 200_000
JOURNEY_WEEKS = 16
WORDS = {
    "youtube": "youtube", "hulu": "hulu", "ctv_other": "ctv", "instagram_reels": "instagram", "meta_retargeting": "meta_rt",
    "search_brand": "google_brand", "search_nonbrand": "google_nonbrand", "amazon_ads": "amazon_ads",
    "walmart_connect": "walmart_connect", "roundel": "roundel", "email": "email", "coupon": "coupon",
}  # fmt: skip
TOUCH_RATE = {
    "youtube": 0.55, "hulu": 0.35, "ctv_other": 0.45, "instagram_reels": 0.45, "search_nonbrand": 0.16, "amazon_ads": 0.22,
    "walmart_connect": 0.15, "roundel": 0.10, "email": 0.06, "coupon": 0.04,
}  # fmt: skip
CLICK_CHANNELS = (
    "search_brand",
    "search_nonbrand",
    "amazon_ads",
    "walmart_connect",
    "roundel",
    "email",
    "coupon",
)
BASE_CHANCE = 0.05
MEDIA_CHANCE = 0.045  # conversions per visitor that media add
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "Mozilla/5.0 (Linux; Android 15)",
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +http://bot.example)",
)
KINDS = ("impression_view", "ad_click", "site_visit", "find_retailer_click")
CHANNEL_WORDS = [*(WORDS[c] for c in CHANNEL_NAMES), "organic", "direct"]
ORGANIC, DIRECT = len(CHANNEL_NAMES), len(CHANNEL_NAMES) + 1


@dataclass
class Credit:
    """Running totals over visitors: what each channel added and where it was seen."""

    true: np.ndarray
    touched: np.ndarray
    last: np.ndarray
    conversions: int = 0


def added_chance(world: World) -> dict[str, float]:
    """Chance to convert that one channel adds to a visitor it reached, from the launch's true incremental sales."""
    off = np.arange(world.options.weeks) >= world.launch
    worth = {c: sum(float(x.sum()) for x in world.total_effect(c, off)) for c in CHANNEL_NAMES}
    total = sum(worth.values())
    if total <= 0:
        return dict.fromkeys(CHANNEL_NAMES, 0.0)
    reach = {c: 1 - np.exp(-r) for c, r in TOUCH_RATE.items()} | {
        "meta_retargeting": 0.22,
        "search_brand": 0.12,
    }
    return {c: float(min(0.5, MEDIA_CHANCE * worth[c] / total / reach[c])) for c in CHANNEL_NAMES}


def _events(
    world: World, rng: np.random.Generator, n: int, chance: dict[str, float], credit: Credit
) -> dict[str, np.ndarray]:
    """Events of ``n`` visitors in time order: visitor, second, channel, kind, place, retailer, agent, viewable."""
    options: Options = world.options
    span = 7 * 86_400 * min(JOURNEY_WEEKS, options.weeks)
    begin = 7 * 86_400 * options.weeks - span
    dma = rng.choice(world.geo.count, n, p=world.geo.share)
    intent = rng.lognormal(-0.5, 1.0, n)
    decide = begin + rng.uniform(0.10, 0.995, n) * span
    favour = options.scenario.retargeting_touch
    rates = {c: np.full(n, r) for c, r in TOUCH_RATE.items()}
    rates["meta_retargeting"] = np.minimum(0.16 * favour * intent**1.2, 4.0)
    rates["search_brand"] = np.minimum(0.06 * intent, 1.0)
    parts: list[dict[str, np.ndarray]] = []
    p = np.minimum(BASE_CHANCE * intent, 0.6)
    gain = np.zeros((len(CHANNEL_NAMES), n))
    seen = np.zeros((len(CHANNEL_NAMES), n), dtype=bool)
    for at, channel in enumerate(CHANNEL_NAMES):
        count = rng.poisson(rates[channel])
        who = np.repeat(np.arange(n), count)
        late = channel in ("meta_retargeting", "search_brand")
        back = rng.exponential(1.2 * 86_400, len(who)) if late else rng.uniform(0, 21 * 86_400, len(who))
        click = 1 if channel in CLICK_CHANNELS else 0
        kind = np.where(rng.random(len(who)) < 0.05, 1, 0) if click == 0 else np.ones(len(who), np.int64)
        parts.append(
            {"who": who, "at": decide[who] - back - 60, "channel": np.full(len(who), at), "kind": kind}
        )
        seen[at] = count > 0
        gain[at] = chance[channel] * seen[at]
    chance_all = np.minimum(p + gain.sum(axis=0), 0.95)
    bought = rng.random(n) < chance_all
    buyers = np.flatnonzero(bought)
    # the last minutes: many buyers search the brand or come directly, whatever brought them here
    final = rng.random(len(buyers))
    search, direct = buyers[final < 0.38], buyers[(final >= 0.38) & (final < 0.60)]
    at_brand = CHANNEL_NAMES.index("search_brand")
    parts.append(
        {
            "who": search,
            "at": decide[search] - 45,
            "channel": np.full(len(search), at_brand),
            "kind": np.ones(len(search), np.int64),
        }
    )
    parts.append(
        {
            "who": direct,
            "at": decide[direct] - 45,
            "channel": np.full(len(direct), DIRECT),
            "kind": np.full(len(direct), 2),
        }
    )
    visits = rng.poisson(np.minimum(0.35 * intent, 3.0))
    who = np.repeat(np.arange(n), visits)
    parts.append(
        {
            "who": who,
            "at": decide[who] - rng.uniform(0, 14 * 86_400, len(who)),
            "channel": np.full(len(who), ORGANIC),
            "kind": np.full(len(who), 2),
        }
    )
    parts.append(
        {
            "who": buyers,
            "at": decide[buyers],
            "channel": np.full(len(buyers), DIRECT),
            "kind": np.full(len(buyers), 3),
        }
    )
    bots = rng.integers(0, n, max(1, n // 500))
    robot = np.repeat(bots, 25)
    parts.append(
        {
            "who": robot + n,
            "at": begin + rng.uniform(0, span, len(robot)),
            "channel": np.full(len(robot), 3),
            "kind": np.ones(len(robot), np.int64),
        }
    )
    out = {k: np.concatenate([q[k] for q in parts]) for k in parts[0]}
    keep = (out["at"] >= begin) & (out["at"] < begin + span)
    out = {k: v[keep] for k, v in out.items()}
    order = np.lexsort((out["who"], out["at"]))
    out = {k: v[order] for k, v in out.items()}

    scaled = gain[:, buyers] / np.maximum(p[buyers] + gain[:, buyers].sum(axis=0), 1e-12)
    credit.true += scaled.sum(axis=1)
    credit.touched += seen[:, buyers].sum(axis=1)
    credit.conversions += len(buyers)
    touch = (out["kind"] < 3) & (out["who"] < n)
    last = np.full(n, -1)
    last[out["who"][touch]] = out["channel"][touch]  # in time order, so the last one stays
    credit.last += np.bincount(last[buyers][last[buyers] >= 0], minlength=len(CHANNEL_WORDS))[
        : len(CHANNEL_WORDS)
    ]
    human = out["who"] % n
    out["dma"] = dma[human]
    out["agent"] = np.where(out["who"] >= n, 3, human % 3)
    out["viewable"] = rng.random(len(human)) < 0.82
    out["retailer"] = rng.integers(0, 100, len(human))
    return out


def _table(world: World, events: dict[str, np.ndarray], first_visitor: int, first_event: int) -> pa.Table:
    """Events as the partner file's columns."""
    n = len(events["who"])
    number = np.arange(first_event, first_event + n)
    shop = np.where(events["retailer"] < 42, 0, np.where(events["retailer"] < 80, 1, 2))
    click = events["kind"] == 3
    ad = events["channel"] < ORGANIC
    blank = pa.scalar(None, pa.string())

    def numbered(prefix: str, values: np.ndarray) -> pa.Array:
        return pc.binary_join_element_wise(
            prefix, pc.utf8_lpad(pc.cast(pa.array(values), pa.string()), 10, "0"), ""
        )

    campaigns = [*(f"cs-{w}" for w in CHANNEL_WORDS)]
    return pa.table(
        {
            "event_id": numbered("cl", number),
            "event_ts": iso_times(world, events["at"].astype(np.int64), "Z"),
            "visitor_id": numbered("v", events["who"] + first_visitor),
            "event_type": take_words(KINDS, events["kind"]),
            "channel": take_words(CHANNEL_WORDS, events["channel"]),
            "campaign_id": pc.if_else(pa.array(ad), take_words(campaigns, events["channel"]), blank),
            "retailer_id": pc.if_else(pa.array(click), take_words(RETAILERS, shop), blank),
            "dma_code": take_words(list(world.geo.dma_id), events["dma"]),
            "zip": take_words(world.geo.zips[:, 0], events["dma"]),
            "user_agent": take_words(AGENTS, events["agent"]),
            "is_viewable": pc.if_else(
                pa.array(events["kind"] == 0),
                take_words(["false", "true"], events["viewable"].astype(np.int64)),
                blank,
            ),
        }
    )


def journey_plan(landing: Landing) -> list[Delivery]:
    """The weeks before the launch in one file, then weekly files."""
    weeks = min(JOURNEY_WEEKS, landing.options.weeks)
    begin = landing.days - 7 * weeks
    return landing.daily_plan(lag_days=1, hour=10, block_weeks=JOURNEY_WEEKS, only_launch_from=begin)


def write_journeys(world: World, landing: Landing, visitors: int | None = None) -> pd.DataFrame:
    """Write the clickstream chunk by chunk (memory bounded by the chunk) and return the true credit by channel."""
    total = visitors or max(200, round(VISITORS * world.options.scale))
    chance = added_chance(world)
    credit = Credit(np.zeros(len(CHANNEL_NAMES)), np.zeros(len(CHANNEL_NAMES)), np.zeros(len(CHANNEL_WORDS)))
    plan = journey_plan(landing)
    paths = [landing.put("clickstream", d, "csv.gz", b"") for d in plan]
    handles = [path.open("wb") for path in paths]
    writers = [gzip.GzipFile(filename="", mode="wb", fileobj=h, compresslevel=1, mtime=0) for h in handles]
    header = True
    first_visitor = first_event = 0
    for chunk, start in enumerate(range(0, total, CHUNK)):
        n = min(CHUNK, total - start)
        rng = stream(world.options, f"journeys:{chunk}")
        events = _events(world, rng, n, chance, credit)
        table = _table(world, events, first_visitor, first_event)
        day = events["at"] // 86_400
        twice = rng.random(len(day)) < 0.002  # the tag fired twice: another event id, the same moment
        for delivery, writer in zip(plan, writers, strict=True):
            low, high = np.searchsorted(day, [delivery.first, delivery.last + 1])
            part = table.slice(int(low), int(high - low))
            again = part.filter(pa.array(twice[low:high]))
            again = again.set_column(0, "event_id", pc.binary_join_element_wise(again["event_id"], "d", ""))
            joined = pa.concat_tables([part, again])
            landing.rows += joined.num_rows
            writer.write(csv_bytes(joined, header=header))
        header = False
        first_visitor += 2 * n
        first_event += len(day)
    for path, delivery, writer, handle in zip(paths, plan, writers, handles, strict=True):
        writer.close()
        handle.close()
        landing.date_file(path, delivery)
    share = credit.true / max(credit.true.sum(), 1e-12)
    return pd.DataFrame(
        {
            "channel": CHANNEL_NAMES,
            "true_incremental_conversions": credit.true.round(4),
            "true_share_of_media": share.round(6),
            "conversions_with_touch": credit.touched.astype(np.int64),
            "last_touch_conversions": credit.last[: len(CHANNEL_NAMES)].astype(np.int64),
            "conversions": credit.conversions,
        }
    )
