"""Customers of one simulated world and the media that reached them, without sales: what the segment studies need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.config import GEO_CHANNELS, Options
from simulator.crm import Crm, draw_crm
from simulator.demand import Demand, build_demand
from simulator.geography import Geography
from simulator.media import build_plan, plan_experiments
from simulator.response import carryover, kernel, saturate
from simulator.world import CHANNEL


@dataclass(frozen=True)
class Customers:
    """Demand, pressure by channel (D, T) relative to the launch mean, and what customers did."""

    demand: Demand
    pressure: dict[str, np.ndarray]
    crm: Crm


def draw_customers(seed: int, weeks: int, geo: Geography) -> Customers:
    """The customers of the world with this seed."""
    options = Options(seed=seed, weeks=weeks)
    demand = build_demand(options, geo)
    plan = build_plan(options, geo, demand, plan_experiments(options, demand, geo))
    pressure = {}
    for name in GEO_CHANNELS:
        carried = carryover(plan[name] / geo.homes[:, None], kernel(CHANNEL[name]))
        carried /= (carried[:, -12:] * geo.share[:, None]).sum() / 12
        pressure[name] = saturate(carried, CHANNEL[name]) / saturate(np.ones(1), CHANNEL[name])
    return Customers(demand, pressure, draw_crm(options, geo, demand, pressure))
