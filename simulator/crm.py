"""Customers the brand knows: segments, e-mails, coupons; and what media do to each segment.

A customer redeems coupons at a weekly rate that depends on the segment, the season and, linearly, on each
channel's saturated pressure in the customer's DMA (truth: :data:`simulator.config.SEGMENT_LIFT`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.config import (
    COUPON_FEE_CENTS,
    LAUNCH_WEEKS,
    PRODUCTS,
    RETAILERS,
    SEGMENT_BASKET,
    SEGMENT_LIFT,
    SEGMENT_RATE,
    SEGMENT_SHARE,
    SEGMENTS,
    Options,
)
from simulator.demand import Demand, stream
from simulator.geography import ZIPS_PER_DMA, Geography

CUSTOMERS = 8_000
RETAILER_TASTE = (
    (0.35, 0.45, 0.20),
    (0.15, 0.60, 0.25),
    (0.75, 0.10, 0.15),
    (0.40, 0.38, 0.22),
    (0.42, 0.38, 0.20),
)
DISCOUNT_CENTS = (100, 150, 200, 300)
OPEN_RATE = (0.42, 0.34, 0.30, 0.18, 0.08)
CLICK_RATE = (0.05, 0.06, 0.035, 0.012, 0.004)


@dataclass(frozen=True)
class Customers:
    """One row a customer; ``joined`` is a week number, negative for before the data."""

    segment: np.ndarray
    dma: np.ndarray
    zip_code: np.ndarray
    joined: np.ndarray
    retailer: np.ndarray
    household: np.ndarray


@dataclass(frozen=True)
class Crm:
    """Customers and what happened to them, event by event."""

    customers: Customers
    send_person: np.ndarray
    send_week: np.ndarray
    opened: np.ndarray  # 0 no, 1 person, 2 machine
    clicked: np.ndarray
    redeem_person: np.ndarray
    redeem_week: np.ndarray
    redeem_basket_cents: np.ndarray
    redeem_discount_cents: np.ndarray
    redeem_retailer: np.ndarray
    redeem_product: np.ndarray
    email_sends: np.ndarray  # (D, T)
    coupon_cents: np.ndarray  # (D, T) discount and fee
    email_pressure: np.ndarray  # (D, T) sends per customer relative to the launch mean


def draw_customers(options: Options, geo: Geography) -> Customers:
    """Customers by home share of DMAs; three of five joined before the data begin."""
    rng = stream(options, "customers")
    count = max(600, round(CUSTOMERS * min(options.scale, 10.0)))
    segment = rng.choice(len(SEGMENTS), count, p=SEGMENT_SHARE)
    dma = rng.choice(geo.count, count, p=geo.share)
    taste = np.cumsum(np.array(RETAILER_TASTE), axis=1)[segment]
    retailer = np.minimum((rng.random(count)[:, None] > taste).sum(axis=1), len(RETAILERS) - 1)
    joined = np.where(rng.random(count) < 0.6, -1, rng.integers(0, options.weeks, count))
    return Customers(
        segment=segment,
        dma=dma,
        zip_code=geo.zips[dma, rng.integers(0, ZIPS_PER_DMA, count)],
        joined=joined,
        retailer=retailer,
        household=1 + rng.poisson(1.4, count),
    )


def _emails(
    options: Options, who: Customers, rng: np.random.Generator, d_count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Recipients of each mailing: weekly in the launch, about one week in four before; the DMA quota is random."""
    mailed = np.concatenate([rng.random(options.history_weeks) < 0.24, np.ones(LAUNCH_WEEKS, dtype=bool)])
    people, when = [], []
    for t in np.flatnonzero(mailed):
        quota = rng.uniform(0.25, 1.0, d_count)
        sent = (who.joined < t) & (rng.random(len(who.dma)) < quota[who.dma])
        people.append(np.flatnonzero(sent))
        when.append(np.full(int(sent.sum()), t))
    return np.concatenate(people), np.concatenate(when)


def segment_rates(options: Options, demand: Demand, pressure: dict[str, np.ndarray]) -> np.ndarray:
    """Expected redemptions per customer and week by segment, (S, D, T).

    ``pressure[channel]`` (D, T) is the saturated response relative to its launch mean, so a lift of 0.10 means
    ten percent more purchases at launch-mean pressure.
    """
    lift = np.zeros((len(SEGMENTS), *demand.latent.shape))
    if options.scenario.media_on:
        for channel, lifts in SEGMENT_LIFT.items():
            lift += np.array(lifts)[:, None, None] * pressure[channel][None]
    season = np.exp(demand.latent - demand.latent.mean())
    return np.asarray(np.array(SEGMENT_RATE)[:, None, None] * season[None] * (1 + lift))


def draw_crm(options: Options, geo: Geography, demand: Demand, pressure: dict[str, np.ndarray]) -> Crm:
    """Send mails, then let customers redeem. ``pressure`` holds the paid channels; e-mail's is added here."""
    who = draw_customers(options, geo)
    rng = stream(options, "crm")
    person, week = _emails(options, who, rng, geo.count)
    shape = (geo.count, options.weeks)
    sends = np.zeros(shape)
    np.add.at(sends, (who.dma[person], week), 1)
    members = np.zeros(shape)
    for t in range(options.weeks):
        members[:, t] = np.bincount(who.dma[who.joined < t], minlength=geo.count)
    reach = sends / np.maximum(members, 1)
    email = reach / max(float(reach[:, options.history_weeks :].mean()), 1e-9)

    seg = who.segment[person]
    machine = rng.random(len(person)) < 0.10
    opened = np.where(rng.random(len(person)) < np.array(OPEN_RATE)[seg], 1, np.where(machine, 2, 0))
    clicked = (opened == 1) & (rng.random(len(person)) < np.array(CLICK_RATE)[seg] / np.array(OPEN_RATE)[seg])

    rates = segment_rates(options, demand, {**pressure, "email": email})
    frailty = rng.gamma(3.0, 1 / 3.0, len(who.dma))
    buyers, buy_week = [], []
    for t in range(options.weeks):
        rate = rates[who.segment, who.dma, t] * frailty * (who.joined < t)
        count = rng.poisson(rate)
        buyers.append(np.repeat(np.arange(len(count)), count))
        buy_week.append(np.full(int(count.sum()), t))
    redeem_person, redeem_week = np.concatenate(buyers), np.concatenate(buy_week)
    n = len(redeem_person)
    basket = np.array(SEGMENT_BASKET)[who.segment[redeem_person]] * np.exp(rng.normal(-0.06, 0.35, n))
    loyal = rng.random(n) < 0.8
    retailer = np.where(loyal, who.retailer[redeem_person], rng.integers(0, len(RETAILERS), n))
    product = rng.choice(len(PRODUCTS), n, p=[p.weight for p in PRODUCTS])
    product = np.where(demand.listed[retailer, product], product, 1 - (retailer == 2))
    discount = rng.choice(DISCOUNT_CENTS, n, p=[0.35, 0.25, 0.25, 0.15])
    coupon = np.zeros(shape, dtype=np.int64)
    np.add.at(coupon, (who.dma[redeem_person], redeem_week), discount + COUPON_FEE_CENTS)
    return Crm(
        customers=who,
        send_person=person,
        send_week=week,
        opened=opened,
        clicked=clicked,
        redeem_person=redeem_person,
        redeem_week=redeem_week,
        redeem_basket_cents=np.maximum(500, np.round(100 * basket)).astype(np.int64),
        redeem_discount_cents=discount.astype(np.int64),
        redeem_retailer=retailer,
        redeem_product=product,
        email_sends=sends,
        coupon_cents=coupon,
        email_pressure=email,
    )
