"""The world put together: spend, response, contributions, expected and observed sales.

Sales of a cell (DMA, retailer, product, week) in expectation are ``(base + media) * price effect * available``,
where ``media`` is revenue at list price summed over channels. Every channel's contribution is therefore additive
and revenue = baseline + contributions holds exactly; brand search responds to social spend, so switching social
off also takes away the brand-search sales it drives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.config import (
    CHANNELS,
    EMAIL_COST_MICROS,
    GEO_CHANNELS,
    LAUNCH_BUDGET_CENTS,
    LAUNCH_WEEKS,
    MEDIATOR,
    NATIONAL_CHANNELS,
    PRODUCTS,
    RETAILERS,
    SOCIAL,
    Channel,
    Options,
)
from simulator.crm import Crm, draw_crm
from simulator.demand import Demand, build_demand, stream
from simulator.geography import Geography, load_geography
from simulator.media import Experiment, build_plan, plan_experiments, to_cents
from simulator.response import carryover, kernel, saturate

CHANNEL = {c.name: c for c in CHANNELS}


@dataclass(frozen=True)
class World:
    """Everything that happened, and the functions that made it happen. D DMAs, R retailers, P products, T weeks."""

    options: Options
    geo: Geography
    demand: Demand
    tests: list[Experiment]
    crm: Crm
    spend_micros: dict[str, np.ndarray]  # geo channels (D, T), national ones (1, T): exact money as reported
    scale: dict[str, np.ndarray]  # (D,) revenue at saturation per week and channel
    pressure_mean: dict[str, float]  # launch mean of carried-over spend per home
    place: dict[str, np.ndarray]  # national channels: (D,) where the money works
    units: np.ndarray  # (D, R, P, T) units sold
    demand_units: np.ndarray  # (D, R, P, T) units wanted, before stock-outs

    @property
    def launch(self) -> int:
        """Index of the first launch week."""
        return self.options.history_weeks

    @property
    def price(self) -> np.ndarray:
        """Shelf price by DMA, (D, R, P, T)."""
        return np.asarray(self.demand.price[self.geo.zone])

    def spend(self, channel: str) -> np.ndarray:
        """Dollars by DMA and week, (D, T); national channels are spread to where that retailer sells."""
        micros = self.spend_micros[channel] / 1e6
        if channel in self.place:
            return np.asarray(self.place[channel][:, None] * micros)
        return np.asarray(micros)

    def carried(self, channel: str, spend: np.ndarray) -> np.ndarray:
        """Carried-over spend per home relative to its launch mean, (D, T)."""
        mean = self.pressure_mean[channel]
        carried = carryover(spend / self.geo.homes[:, None], kernel(CHANNEL[channel]))
        return np.asarray(carried / mean if mean > 0 else carried)

    def listed_revenue(self, channel: str, spend: np.ndarray) -> np.ndarray:
        """Revenue at list price that ``spend`` (D, T) brings through this channel alone, (D, T)."""
        return np.asarray(
            self.scale[channel][:, None] * saturate(self.carried(channel, spend), CHANNEL[channel])
        )

    def price_factor(self, channel: str) -> np.ndarray:
        """Revenue sold per dollar of revenue at list price: price, promotion, stock. (D, T)."""
        return _price_factor(self.demand, self.geo, CHANNEL[channel])

    def contribution(self, channel: str, spend: np.ndarray | None = None) -> np.ndarray:
        """Expected sales in dollars of one channel's own response, (D, T)."""
        given = self.spend(channel) if spend is None else spend
        return np.asarray(self.listed_revenue(channel, given) * self.price_factor(channel))

    def without_social(self, social: np.ndarray) -> np.ndarray:
        """Brand-search spend had social been ``social`` (D, T) in place of what it was."""
        drive = self.options.scenario.social_drive
        was = 1 + drive * self._social(self.spend(SOCIAL))
        return np.asarray(self.spend(MEDIATOR) * (1 + drive * self._social(social)) / was)

    def _social(self, spend: np.ndarray) -> np.ndarray:
        channel = CHANNEL[SOCIAL]
        mean = self.pressure_mean[SOCIAL]
        return (
            carryover(spend / self.geo.homes[:, None], kernel(channel)) / mean
            if mean > 0
            else np.zeros_like(spend)
        )

    def total_effect(self, channel: str, off: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Counterfactual: expected sales lost, (D, T), direct and through the mediator, had ``off`` weeks had no spend."""
        actual = self.spend(channel)
        dark = np.where(off[None, :], 0.0, actual)
        direct = self.contribution(channel) - self.contribution(channel, dark)
        if channel != SOCIAL:
            return direct, np.zeros_like(direct)
        indirect = self.contribution(MEDIATOR) - self.contribution(MEDIATOR, self.without_social(dark))
        return direct, indirect

    def baseline_cells(self) -> np.ndarray:
        """Expected sales without media, (D, R, P, T), after stock-outs."""
        return np.asarray(self.demand.base * _cell_factor(self.demand, self.geo))


def _cell_factor(demand: Demand, geo: Geography, stock: bool = True) -> np.ndarray:
    """Revenue per dollar of revenue at list price by cell, (D, R, P, T)."""
    by_zone = demand.unit_effect * demand.price / _list_price()[None, None, :, None]
    factor = by_zone[geo.zone]
    return np.asarray(factor * demand.available if stock else factor)


def _list_price() -> np.ndarray:
    return np.array([p.list_price_usd for p in PRODUCTS])


def _retail_split(demand: Demand, channel: Channel) -> np.ndarray:
    """Where a channel's sales happen, (D, R, P), summing to one in each DMA."""
    if channel.retailer:
        split = np.zeros((demand.retailer_share.shape[0], len(RETAILERS), demand.product_share.shape[1]))
        at = RETAILERS.index(channel.retailer)
        split[:, at] = demand.product_share[at]
        return split
    return np.asarray(demand.retailer_share[:, :, None] * demand.product_share[None])


def _price_factor(demand: Demand, geo: Geography, channel: Channel) -> np.ndarray:
    return np.asarray(np.einsum("drp,drpt->dt", _retail_split(demand, channel), _cell_factor(demand, geo)))


def _carried_mean(spend: np.ndarray, channel: Channel, geo: Geography) -> float:
    carried = carryover(spend / geo.homes[:, None], kernel(channel))
    return float((carried[:, -LAUNCH_WEEKS:] * geo.share[:, None]).sum() / LAUNCH_WEEKS)


def _exact_money(options: Options, plan: dict[str, np.ndarray], crm: Crm) -> dict[str, np.ndarray]:
    """Plans in whole cents (as micros): the launch sums to the budget, CRM costs included."""
    launch = options.history_weeks
    email = (crm.email_sends * EMAIL_COST_MICROS).astype(np.int64)
    coupon = crm.coupon_cents * 10_000
    crm_micros = int(email[:, launch:].sum() + coupon[:, launch:].sum())
    left = LAUNCH_BUDGET_CENTS - crm_micros // 10_000
    launch_cents = to_cents(np.array([plan[c][:, launch:].sum() for c in plan]), left)
    out: dict[str, np.ndarray] = {}
    for cents_launch, (name, amount) in zip(launch_cents, plan.items(), strict=True):
        history = amount[:, :launch]
        money = amount.sum(axis=0, keepdims=True) if name in NATIONAL_CHANNELS else amount
        parts = [
            to_cents(money[:, :launch], round(100 * float(history.sum()))),
            to_cents(money[:, launch:], int(cents_launch)),
        ]
        out[name] = np.concatenate(parts, axis=1) * 10_000
    out["email"], out["coupon"] = email, coupon
    return out


def build_world(options: Options, geo: Geography | None = None) -> World:
    """Draw the world of ``options``. Pure in its arguments: the same seed gives the same world."""
    geo = geo or load_geography()
    demand = build_demand(options, geo)
    tests = plan_experiments(options, demand, geo)
    plan = build_plan(options, geo, demand, tests)
    launch = options.history_weeks

    pressure: dict[str, np.ndarray] = {}
    for name in GEO_CHANNELS:
        mean = _carried_mean(plan[name], CHANNEL[name], geo)
        z = carryover(plan[name] / geo.homes[:, None], kernel(CHANNEL[name])) / mean
        pressure[name] = saturate(z, CHANNEL[name]) / saturate(np.ones(1), CHANNEL[name])
    crm = draw_crm(options, geo, demand, pressure)
    micros = _exact_money(options, plan, crm)

    place = {}
    for name in NATIONAL_CHANNELS:
        by = geo.share * demand.retailer_share[:, RETAILERS.index(CHANNEL[name].retailer)]
        place[name] = by / by.sum()
    means = {}
    scale = {}
    tilt = stream(options, "response")
    for channel in CHANNELS:
        spend = micros[channel.name] / 1e6
        if channel.name in place:
            spend = place[channel.name][:, None] * spend
        means[channel.name] = _carried_mean(spend, channel, geo)
        response = np.exp(tilt.normal(0.0, 0.25, geo.count))
        where = place.get(channel.name, geo.share)
        scale[channel.name] = where * response / (where * response).sum()
    empty = np.zeros(0)
    world = World(options, geo, demand, tests, crm, micros, scale, means, place, empty, empty)
    _calibrate(world)
    demand_units, units = _sell(world, launch)
    return World(options, geo, demand, tests, crm, micros, scale, means, place, units, demand_units)


def _calibrate(world: World) -> None:
    """Set each channel's size so that its launch return is the one drawn for this seed.

    Social is set last, so that the wanted share of its total effect runs through brand search.
    """
    scenario = world.options.scenario
    jitter = stream(world.options, "roi")
    off = np.arange(world.options.weeks) >= world.launch
    for channel in sorted(CHANNELS, key=lambda c: c.name == SOCIAL):
        roi = scenario.roi.get(channel.name, channel.roi) * float(np.exp(jitter.normal(0.0, 0.12)))
        direct, _ = world.total_effect(channel.name, off)
        spend = world.spend(channel.name)[:, world.launch :].sum()
        got = direct[:, world.launch :].sum()
        wanted = roi * spend
        if channel.name == SOCIAL:
            _, indirect = world.total_effect(SOCIAL, off)
            through = indirect[:, world.launch :].sum()
            share = scenario.mediated_share
            wanted = through * (1 - share) / share
        factor = wanted / got if got > 0 and scenario.media_on else 0.0
        world.scale[channel.name] *= factor


def _sell(world: World, launch: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw wanted and sold units, (D, R, P, T) each: noise by store group and item, then whole units."""
    rng = stream(world.options, "sales")
    demand = world.demand
    media = np.zeros_like(demand.base)
    for channel in CHANNELS:
        listed = world.listed_revenue(channel.name, world.spend(channel.name))
        media += _retail_split(demand, channel)[..., None] * listed[:, None, None, :]
    price = world.price
    expected = (demand.base + media) * _cell_factor(demand, world.geo, stock=False) / price
    d, r, p, t = expected.shape
    noise = rng.normal(0.0, 0.045, (d, r, 1, t)) + rng.normal(0.0, 0.06, (d, r, p, t))
    noisy = expected * np.exp(noise - 0.5 * (0.045**2 + 0.06**2))
    rounding = rng.random(noisy.shape)
    wanted = np.floor(noisy + rounding).astype(np.int64)
    sold = np.floor(noisy * demand.available + rounding).astype(np.int64)
    return wanted, np.minimum(wanted, sold)


def expected_revenue(world: World) -> np.ndarray:
    """Expected sales in dollars after stock-outs, (D, T): baseline plus every channel's contribution."""
    total = world.baseline_cells().sum(axis=(1, 2))
    for channel in CHANNELS:
        total = total + world.contribution(channel.name)
    return np.asarray(total)
