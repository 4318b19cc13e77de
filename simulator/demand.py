"""Demand without media: seasons, holidays, trend, unseen drift, prices, promotions, stock-outs.

Shapes: D DMAs, R retailers, P products, T weeks.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from simulator.config import BASELINE_WEEKLY_USD, PRODUCTS, RETAILER_SHARE, RETAILERS, Options
from simulator.geography import Geography

PULL_FORWARD_WEIGHTS = (0.5, 0.3, 0.2)
RETAILER_PRICE = (0.98, 0.96, 1.0)
ZONES = 4


def stream(options: Options, name: str) -> np.random.Generator:
    """A random stream of its own for each part of the world, so that parts do not disturb one another."""
    return np.random.default_rng([options.seed, zlib.crc32(name.encode())])


@dataclass(frozen=True)
class Demand:
    """Everything that moves sales besides media. Revenue figures are expected values in dollars a week."""

    latent: np.ndarray  # (D, T) log demand that advertising platforms can sense
    drift: np.ndarray  # (D, T) the part of it no calendar explains
    temperature: np.ndarray  # (D, T) degrees Fahrenheit
    retailer_share: np.ndarray  # (D, R)
    product_share: np.ndarray  # (R, P), zero where not listed
    base: np.ndarray  # (D, R, P, T) expected revenue at list price, no promotion
    price: np.ndarray  # (Z, R, P, T) shelf price in dollars, whole cents
    promo: np.ndarray  # (R, P, T) bool
    discount: np.ndarray  # (R, P, T) share off
    unit_effect: np.ndarray  # (Z, R, P, T) factor on units from price, promotion and pull-forward
    regular_effect: np.ndarray  # (Z, R, P, T) the same without promotions and their pull-forward
    regular_price: np.ndarray  # (Z, R, P, T) shelf price without promotions
    available: np.ndarray  # (D, R, P, T) share of demand that stock could serve
    elasticity: float
    promo_lift: float  # log points
    interaction: float
    pull_forward: float  # share of a promotion's extra units taken from the three weeks after

    @property
    def listed(self) -> np.ndarray:
        """Which retailer lists which product, (R, P) bool."""
        return self.product_share > 0


def ar1(rng: np.random.Generator, shape: tuple[int, ...], rho: float, sd: float) -> np.ndarray:
    """Stationary AR(1) along the last axis with standard deviation ``sd``."""
    noise = rng.normal(0.0, sd * np.sqrt(1 - rho**2), shape)
    noise[..., 0] = rng.normal(0.0, sd, shape[:-1])
    for t in range(1, shape[-1]):
        noise[..., t] += rho * noise[..., t - 1]
    return np.asarray(noise)


def week_starts(options: Options) -> list[date]:
    """The Sundays of the world."""
    return [options.first_day + timedelta(days=7 * t) for t in range(options.weeks)]


def _season(options: Options) -> np.ndarray:
    """Log seasonality by retailer and week, (R, T): the year, and the retailers' own events."""
    weeks = week_starts(options)
    day = np.array([w.timetuple().tm_yday for w in weeks], dtype=float)
    year = 0.035 * np.cos(2 * np.pi * (day - 240) / 365.25) + 0.015 * np.cos(4 * np.pi * (day - 20) / 365.25)
    out = np.tile(year, (len(RETAILERS), 1))
    for t, start in enumerate(weeks):
        days = {(start + timedelta(days=k)) for k in range(7)}
        for d in days:
            thursday = 1 + (3 - date(d.year, 11, 1).weekday()) % 7 + 21  # Thanksgiving
            if d == date(d.year, 11, thursday):
                out[:, t] += (0.12, 0.10, 0.13)
            if d == date(d.year, 11, thursday) + timedelta(days=4):
                out[0, t] += 0.14  # Cyber Monday
            if (d.month, d.day) == (12, 25):
                out[:, t] -= (0.10, 0.06, 0.05)
            if (d.month, d.day) == (7, 9):
                out[0, t] += 0.22  # a summer member event
            if (d.month, d.day) == (8, 20):
                out[:, t] += (0.04, 0.07, 0.10)  # back to school
            if (d.month, d.day) in {(5, 28), (7, 4), (9, 3)}:
                out[1:, t] += 0.04
    return out


def _prices(
    options: Options, elasticity: float, lift: float, interaction: float, pull: float, latent: np.ndarray
) -> dict[str, np.ndarray]:
    """Shelf prices by zone and promotions, and what both do to units."""
    rng = stream(options, "price")
    t_count, r_count, p_count = options.weeks, len(RETAILERS), len(PRODUCTS)
    shape = (ZONES, r_count, p_count, t_count)
    listed = np.array([p.list_price_usd for p in PRODUCTS])[None, None, :, None]
    steps = np.where(rng.random(shape) < 0.10, rng.normal(0.0, 0.035, shape), 0.0)
    level = rng.normal(0.0, 0.02, shape[:3])[..., None] + np.cumsum(steps, axis=-1)
    level = np.clip(level + 0.0004 * np.arange(t_count), -0.16, 0.16)
    regular = np.round(listed * np.array(RETAILER_PRICE)[None, :, None, None] * np.exp(level), 2)
    start_rate = np.full((r_count, p_count, t_count), 0.09)
    if options.scenario.confounded:
        # promotions cluster where national demand is high
        start_rate = start_rate * np.exp(12 * (latent.mean(axis=0) - latent.mean()))[None, None, :]
    starts = rng.random((r_count, p_count, t_count)) < start_rate
    long = rng.random(starts.shape) < 0.4
    promo = starts.copy()
    promo[..., 1:] |= (starts & long)[..., :-1]
    depth = rng.choice([0.10, 0.15, 0.20, 0.25, 0.30], size=starts.shape, p=[0.2, 0.25, 0.25, 0.2, 0.1])
    second = promo & ~starts
    depth[..., 1:] = np.where(second[..., 1:], depth[..., :-1], depth[..., 1:])
    discount = np.where(promo, depth, 0.0)
    price = np.round(regular * (1 - discount[None]), 2)
    log_regular, log_price = np.log(regular / listed), np.log(price / listed)
    base_effect = np.exp(elasticity * log_regular)
    effect = np.exp((elasticity + interaction * promo[None]) * log_price + lift * promo[None])
    extra = np.where(promo[None], effect / base_effect - 1.0, 0.0)
    borrowed = np.zeros(shape)
    for lag, weight in enumerate(PULL_FORWARD_WEIGHTS, start=1):
        borrowed[..., lag:] += pull * weight * extra[..., :-lag]
    return {
        "price": price,
        "promo": promo,
        "discount": discount,
        "unit_effect": effect * (1 - np.minimum(borrowed, 0.6)),
        "regular_effect": base_effect,
        "regular_price": regular,
    }


def _availability(options: Options, d_count: int, listed: np.ndarray) -> np.ndarray:
    """Share of demand that stock can serve, (D, R, P, T). Supply shocks do not depend on media."""
    rng = stream(options, "stock")
    factor = options.scenario.stockout_factor
    r_count, p_count, t_count = len(RETAILERS), len(PRODUCTS), options.weeks
    rate = np.full(t_count, 0.004) * factor
    rate[options.history_weeks :] *= 2.0  # the supply chain is strained by the launch
    shape = (d_count, r_count, p_count, t_count)
    starts = rng.random(shape) < rate
    national = rng.random((p_count, t_count)) < rate * 1.5
    starts[:, 0] = national[None]  # Amazon's stock is one national pool
    length = rng.integers(1, 4, shape)
    served = rng.uniform(0.05, 0.6, shape)
    length[:, 0] = rng.integers(1, 4, (p_count, t_count))[None]
    served[:, 0] = rng.uniform(0.15, 0.6, (p_count, t_count))[None]
    out = np.ones(shape)
    for lag in range(3):
        hit = starts & (length > lag)
        view = np.ones(shape)
        view[..., lag:] = np.where(hit, served, 1.0)[..., : t_count - lag]
        out = np.minimum(out, view)
    return np.where(listed[None, :, :, None], out, 1.0)


def build_demand(options: Options, geo: Geography) -> Demand:
    """Draw the world's demand, prices and stock."""
    rng = stream(options, "demand")
    d_count, t_count = geo.count, options.weeks
    pick = stream(options, "elasticity")
    elasticity, lift = -pick.uniform(1.7, 2.3), pick.uniform(0.18, 0.30)
    interaction, pull = -pick.uniform(0.2, 0.5), pick.uniform(0.12, 0.25)

    season = _season(options)
    national = ar1(rng, (t_count,), 0.92, 0.03) + np.cumsum(rng.normal(0.0, 0.004, t_count))
    national -= national.mean()
    drift = national[None, :] + ar1(rng, (d_count, t_count), 0.75, 0.03)
    years = np.arange(t_count) / 52.18
    trend = 0.03 * (years - years.mean())
    climate = rng.uniform(-12, 12, d_count)[:, None]
    day = np.array([w.timetuple().tm_yday for w in week_starts(options)], dtype=float)
    temperature = (
        58
        + climate
        + 22 * np.cos(2 * np.pi * (day - 203) / 365.25)[None, :]
        + rng.normal(0, 4, (d_count, t_count))
    )
    weather = 0.0012 * (temperature - 58 - climate)

    listed = np.array(
        [
            [bool(p.asin) for p in PRODUCTS],
            [bool(p.wm_item_nbr) for p in PRODUCTS],
            [bool(p.tcin) for p in PRODUCTS],
        ]
    )
    weight = np.where(listed, np.array([p.weight for p in PRODUCTS])[None, :], 0.0)
    product_share = weight / weight.sum(axis=1, keepdims=True)
    retailer_share = rng.dirichlet(60 * np.array(RETAILER_SHARE), d_count)
    taste = np.exp(rng.normal(0.0, 0.15, d_count))
    place = geo.share * taste / (geo.share * taste).sum()

    log_level = drift + trend[None, :] + weather
    level = np.exp(log_level[:, None, :] + season[None, :, :])  # (D, R, T)
    base = (
        BASELINE_WEEKLY_USD
        * place[:, None, None, None]
        * retailer_share[:, :, None, None]
        * product_share[None, :, :, None]
        * level[:, :, None, :]
    )
    latent = drift + season.mean(axis=0)[None, :]
    prices = _prices(options, elasticity, lift, interaction, pull, latent)
    return Demand(
        latent=latent,
        drift=drift,
        temperature=temperature,
        retailer_share=retailer_share,
        product_share=product_share,
        base=base,
        available=_availability(options, d_count, listed),
        elasticity=elasticity,
        promo_lift=lift,
        interaction=interaction,
        pull_forward=pull,
        **prices,
    )
