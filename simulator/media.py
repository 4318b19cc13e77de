"""Media plans: flights, rotating geographies, budgets that chase demand, experiments, and exact money.

A plan is dollars per channel, DMA and week before rounding; :func:`to_cents` makes it exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from simulator.config import CHANNELS, LAUNCH_WEEKS, MEDIATOR, SOCIAL, Channel, Options
from simulator.demand import Demand, stream
from simulator.geography import Geography
from simulator.response import carryover, kernel


@dataclass(frozen=True)
class Experiment:
    """A randomised geo test: which DMAs, when, and what was done to spend in the treated ones."""

    experiment_id: str
    channel: str
    kind: str
    start_week: int
    end_week: int  # exclusive
    treated: np.ndarray  # (D,) bool
    control: np.ndarray  # (D,) bool
    factor: float  # multiplies spend in treated DMAs
    registered: date


def to_cents(amount: np.ndarray, total_cents: int) -> np.ndarray:
    """Whole cents with the given total, each within one cent of its share of ``total_cents`` (running rounding)."""
    flat = amount.ravel().astype(float)
    if flat.sum() <= 0 or total_cents == 0:
        return np.zeros(amount.shape, dtype=np.int64)
    running = np.round(np.cumsum(flat) * (total_cents / flat.sum())).astype(np.int64)
    running[-1] = total_cents
    return np.asarray(np.diff(running, prepend=0).reshape(amount.shape))


def matched_groups(
    demand: Demand, geo: Geography, rng: np.random.Generator, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Treated and control DMAs: neighbours in size, one drawn as treated and two as its controls."""
    order = np.argsort(-geo.homes)[20:140]
    triples = order[: groups * 3].reshape(-1, 3)
    treated = np.zeros(geo.count, dtype=bool)
    control = np.zeros(geo.count, dtype=bool)
    for triple in triples:
        shuffled = rng.permutation(triple)
        treated[shuffled[0]] = True
        control[shuffled[1:]] = True
    return treated, control


def plan_experiments(options: Options, demand: Demand, geo: Geography) -> list[Experiment]:
    """The CTV holdout of the launch, and, where history is long enough, two earlier tests."""
    rng = stream(options, "experiments")
    launch = options.history_weeks

    def build(
        name: str, channel: str, kind: str, start: int, length: int, factor: float, groups: int
    ) -> Experiment:
        treated, control = matched_groups(demand, geo, rng, groups)
        registered = options.first_day + timedelta(days=7 * start - 10)
        return Experiment(name, channel, kind, start, start + length, treated, control, factor, registered)

    tests = [build("CTV-HOLDOUT-2026", "ctv_other", "holdout", launch + 4, 6, 0.0, 20)]
    if options.history_weeks >= 60:
        tests.append(build("YT-HEAVYUP-2025", "youtube", "heavy_up", launch - 46, 6, 4.0, 24))
        tests.append(build("RT-GODARK-2026", "meta_retargeting", "go_dark", launch - 22, 6, 0.0, 30))
    return tests


def _flights(rng: np.random.Generator, weeks: int, share_on: float) -> np.ndarray:
    """Flight number per week, -1 when off air, with about ``share_on`` of the weeks on air."""
    out = np.full(weeks, -1)
    if share_on >= 1:
        return np.arange(weeks) // 8
    t, flight = int(rng.integers(0, 3)), 0
    while t < weeks:
        on = int(rng.integers(3, 8))
        out[t : t + on] = flight
        gap = max(1, round(on * (1 / share_on - 1) * rng.uniform(0.6, 1.4)))
        t += on + gap
        flight += 1
    return out


def _history(channel: Channel, options: Options, geo: Geography, rng: np.random.Generator) -> np.ndarray:
    """Relative spend per DMA and history week, (D, H)."""
    weeks = options.history_weeks
    confounded = options.scenario.confounded
    flights = _flights(rng, weeks, 1.0 if confounded else channel.flighted)
    out = np.zeros((geo.count, weeks))
    national = np.exp(rng.normal(0.0, 0.35, weeks))
    for flight in range(flights.max() + 1):
        on_air = flights == flight
        bought = np.ones(geo.count) if confounded else (rng.random(geo.count) < channel.geo_on)
        tilt = np.exp(rng.normal(0.0, 0.0 if confounded else 0.35, geo.count))
        out[:, on_air] = (geo.share * bought * tilt)[:, None] * national[None, on_air]
    return out


def _launch(channel: Channel, options: Options, geo: Geography, rng: np.random.Generator) -> np.ndarray:
    """Relative spend per DMA and launch week, (D, 12): a burst of its own shape, geographies in three phases."""
    week = np.arange(LAUNCH_WEEKS)
    centre, width = rng.uniform(1, 10), rng.uniform(2.5, 6.0)
    shape = (0.45 + np.exp(-0.5 * ((week - centre) / width) ** 2)) * np.exp(
        rng.normal(0.0, 0.18, LAUNCH_WEEKS)
    )
    tilt = np.exp(rng.normal(0.0, 0.0 if options.scenario.confounded else 0.40, (geo.count, 3)))
    return np.asarray(geo.share[:, None] * shape[None, :] * np.repeat(tilt, 4, axis=1))


def build_plan(
    options: Options, geo: Geography, demand: Demand, tests: list[Experiment]
) -> dict[str, np.ndarray]:
    """Dollars per geo or national channel, (D, T), summing to each channel's history and launch budget.

    Brand search comes last: people search for the brand when demand is high and when social has reached them.
    """
    plan: dict[str, np.ndarray] = {}
    launch = options.history_weeks
    weeks = np.arange(options.weeks)
    for channel in CHANNELS[:10]:
        rng = stream(options, f"plan:{channel.name}")
        chase = options.scenario.chase.get(channel.name, channel.chase) + (
            2.5 if options.scenario.confounded else 0.0
        )
        sensed = demand.latent - demand.latent.mean()
        relative = np.concatenate(
            [_history(channel, options, geo, rng), _launch(channel, options, geo, rng)], axis=1
        )
        if channel.name == MEDIATOR:
            relative = geo.share[:, None] * np.exp(rng.normal(0.0, 0.22, (geo.count, options.weeks)))
            relative = relative * (
                1 + options.scenario.social_drive * social_pressure(plan[SOCIAL], geo, launch)
            )
        relative = relative * np.exp(2.0 * chase * sensed)
        if channel.retailer:
            # bought nationally: the DMA split is where that retailer sells
            by_place = (
                geo.share * demand.retailer_share[:, ["amazon", "walmart", "target"].index(channel.retailer)]
            )
            relative = (by_place / by_place.sum())[:, None] * relative.sum(axis=0)[None, :]
        for test in tests:
            if test.channel == channel.name:
                window = (weeks >= test.start_week) & (weeks < test.end_week)
                usual = geo.share[:, None] * relative[:, :launch].sum() / launch
                raised = np.maximum(relative[:, window], usual) if test.factor > 1 else relative[:, window]
                relative[:, window] = np.where(
                    test.treated[:, None], test.factor * raised, relative[:, window]
                )
        for part, total in (
            (slice(0, launch), channel.history_usd * launch),
            (slice(launch, None), channel.launch_usd),
        ):
            amount = relative[:, part].sum()
            relative[:, part] *= total / amount if amount > 0 else 0.0
        plan[channel.name] = relative
    return plan


def social_pressure(spend: np.ndarray, geo: Geography, launch: int) -> np.ndarray:
    """Carried-over social spend per home relative to its launch mean, (D, T)."""
    channel = next(c for c in CHANNELS if c.name == SOCIAL)
    carried = carryover(spend / geo.homes[:, None], kernel(channel))
    mean = float((carried[:, launch:] * geo.share[:, None]).sum() / LAUNCH_WEEKS)
    return carried / mean if mean > 0 else carried
