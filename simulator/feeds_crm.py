"""CRM files: customers, e-mail events, coupon events. Names, mails and phones are invented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.config import PRODUCTS, RETAILERS
from simulator.demand import stream
from simulator.landing import Feed, csv_gz_feed, money, take_words, text_dates
from simulator.world import World

FIRST = (
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eve",
    "Finn",
    "Gia",
    "Hugo",
    "Ivy",
    "Jon",
    "Kim",
    "Leo",
    "Mia",
    "Noa",
    "Omar",
    "Pia",
)
LAST = (
    "Abel",
    "Brook",
    "Cruz",
    "Dorn",
    "Ellis",
    "Frost",
    "Gray",
    "Hale",
    "Ito",
    "Jones",
    "Kerr",
    "Lane",
    "Moss",
    "Nash",
)
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "GoogleImageProxy",
    "Apple-Mail-Privacy-Proxy/1.0",
)


def _numbered(prefix: str, values: np.ndarray, width: int, suffix: str = "") -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(values), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, suffix, "")


def iso_times(world: World, seconds: np.ndarray, offset: str) -> pa.Array:
    """Seconds since the first midnight (UTC) as ISO 8601 text with a UTC offset."""
    start = np.datetime64(datetime.combine(world.options.first_day, time(0)), "s")
    text = np.datetime_as_string(start + seconds.astype("timedelta64[s]"), unit="s")
    return pc.binary_join_element_wise(pa.array(text.astype(object), pa.string()), offset, "")


def _moment(rng: np.random.Generator, week: np.ndarray, day: np.ndarray | None = None) -> np.ndarray:
    """Seconds of a moment in a week, between 14:00 and 22:30 UTC so that no time zone moves the day."""
    at = rng.integers(0, 7, len(week)) if day is None else day
    return np.asarray((week * 7 + at) * 86_400 + rng.integers(14 * 3600, 22 * 3600 + 1800, len(week)))


def customer_feed(world: World) -> Feed:
    """One row a customer, by the day of joining."""
    who = world.crm.customers
    rng = stream(world.options, "crm-files")
    n = len(who.dma)
    joined = np.where(who.joined < 0, -rng.integers(1, 700, n), who.joined * 7 + rng.integers(0, 7, n))
    order = np.argsort(joined, kind="stable")
    number = np.arange(n)[order]
    day = np.clip(joined[order], 0, None)
    table = pa.table(
        {
            "person_id": _numbered("P", number, 7),
            "email": _numbered("customer", number, 7, "@example.com"),
            "phone": _numbered("+1555", number, 7),
            "first_name": take_words(FIRST, number % len(FIRST)),
            "last_name": take_words(LAST, number % len(LAST)),
            "zip": take_words(
                world.geo.zips.ravel(), np.searchsorted(world.geo.zips.ravel(), who.zip_code[order])
            ),
            "created_at": text_dates(world.options.first_day, joined[order]),
            "household_size": who.household[order],
            "preferred_retailer": take_words(RETAILERS, who.retailer[order]),
        }
    )
    return Feed("crm_customers", "csv.gz", day, table, csv_gz_feed)


def email_feed(world: World) -> Feed:
    """Received, opened (people and machines), clicked, and now and then unsubscribed."""
    crm, rng = world.crm, stream(world.options, "email-files")
    n = len(crm.send_person)
    sent = _moment(rng, crm.send_week, np.full(n, 2))
    later = np.minimum(sent + rng.integers(60, 5400, n), (sent // 86_400) * 86_400 + 82_000)
    left = crm.clicked & (rng.random(n) < 0.03)
    kinds = [
        ("Received Email", np.ones(n, bool), sent),
        ("Opened Email", crm.opened > 0, later),
        ("Clicked Email", crm.clicked, later + 40),
        ("Unsubscribed", left, later + 90),
    ]
    at = np.concatenate([np.flatnonzero(mask) for _, mask, _ in kinds])
    kind = np.concatenate([np.full(int(mask.sum()), k) for k, (_, mask, _) in enumerate(kinds)])
    when = np.concatenate([moment[mask] for _, mask, moment in kinds])
    order = np.argsort(when, kind="stable")
    at, kind, when = at[order], kind[order], when[order]
    machine = (kind == 1) & (crm.opened[at] == 2)
    person = crm.send_person[at]
    zips = world.geo.zips.ravel()
    agent = np.where(machine, 2 + at % 2, at % 2)
    table = pa.table(
        {
            "uuid": _numbered("em-", at * 4 + kind, 9),
            "type": take_words([k for k, _, _ in kinds], kind),
            "datetime": iso_times(world, when, "+00:00"),
            "person_id": _numbered("P", person, 7),
            "email": _numbered("customer", person, 7, "@example.com"),
            "campaign_id": _numbered("EM", crm.send_week[at], 4),
            "message_id": _numbered("m-", at, 9),
            "zip": take_words(zips, np.searchsorted(zips, crm.customers.zip_code[person])),
            "user_agent": take_words(AGENTS, agent),
        }
    )
    return Feed("email_events", "csv.gz", when // 86_400, table, csv_gz_feed)


def coupon_feed(world: World) -> Feed:
    """A clip a few hours before each redemption, and clips that nobody redeems."""
    crm, rng = world.crm, stream(world.options, "coupon-files")
    n = len(crm.redeem_person)
    used = _moment(rng, crm.redeem_week)
    idle = rng.random(n) < 0.25
    event = np.concatenate([np.arange(n), np.arange(n), np.flatnonzero(idle)])
    kind = np.concatenate([np.ones(n, np.int64), np.zeros(n, np.int64), np.full(int(idle.sum()), 2)])
    clip_at = (used // 86_400) * 86_400 + 14 * 3600
    when = np.concatenate([used, np.minimum(clip_at, used - 60), used[idle] - 30])
    order = np.argsort(when, kind="stable")
    event, kind, when = event[order], kind[order], when[order]
    redeemed = kind == 1
    person = crm.redeem_person[event]
    zips = world.geo.zips.ravel()
    blank = pa.scalar(None, pa.string())
    table = pa.table(
        {
            "event_id": _numbered("cp-", event * 3 + kind, 9),
            "event_type": take_words(["clip", "redeem", "clip"], kind),
            "event_ts": iso_times(world, when, "+00:00"),
            "person_id": _numbered("P", person, 7),
            "email": _numbered("customer", person, 7, "@example.com"),
            "coupon_id": _numbered("CPN", crm.redeem_discount_cents[event], 4),
            "retailer_id": take_words(RETAILERS, crm.redeem_retailer[event]),
            "product_id": take_words([p.product_id for p in PRODUCTS], crm.redeem_product[event]),
            "zip": take_words(zips, np.searchsorted(zips, crm.customers.zip_code[person])),
            "basket_value_usd": pc.if_else(pa.array(redeemed), money(crm.redeem_basket_cents[event]), blank),
            "discount_usd": pc.if_else(pa.array(redeemed), money(crm.redeem_discount_cents[event]), blank),
        }
    )
    return Feed("coupon_events", "csv.gz", when // 86_400, table, csv_gz_feed)


def crm_feeds(world: World) -> Iterator[Feed]:
    """All CRM feeds."""
    yield customer_feed(world)
    yield email_feed(world)
    yield coupon_feed(world)
