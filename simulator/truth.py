"""The truth, apart from the landing zone: what each channel brought, by counterfactual runs in expectation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from simulator.config import (
    CHANNEL_NAMES,
    MEDIATOR,
    PRODUCTS,
    RETAILERS,
    SEGMENT_LIFT,
    SEGMENTS,
    SOCIAL,
)
from simulator.demand import week_starts
from simulator.landing import csv_bytes
from simulator.media import build_plan
from simulator.response import KERNEL_WEEKS
from simulator.world import CHANNEL, World, expected_revenue


def _weeks(world: World) -> list[str]:
    return [d.isoformat() for d in week_starts(world.options)]


def channel_tables(world: World) -> dict[str, pd.DataFrame]:
    """channel, channel_week, channel_dma_week and mediation.

    ``contribution_usd`` is the additive component of the channel (with the baseline it sums to expected revenue);
    ``incremental_revenue`` is what would have been lost without the channel, brand search driven by it included.
    """
    everything = np.ones(world.options.weeks, dtype=bool)
    launch = np.arange(world.options.weeks) >= world.launch
    week, dma = _weeks(world), world.geo.dma_id
    rows, by_week, by_dma, mediation = [], [], [], []
    for name in CHANNEL_NAMES:
        spend, own = world.spend(name), world.contribution(name)
        direct, indirect = world.total_effect(name, everything)
        direct_launch, indirect_launch = (x[:, launch] for x in world.total_effect(name, launch))
        bump = np.where(launch[None], 1.01, 1.0) * spend
        more = world.contribution(name, bump) - own
        channel = CHANNEL[name]
        total, money = float((direct + indirect).sum()), float(spend.sum())
        launched, launch_money = (
            float(direct_launch.sum() + indirect_launch.sum()),
            float(spend[:, launch].sum()),
        )
        rows.append(
            {
                "channel": name, "spend": round(money, 2), "incremental_revenue": total, "roi": total / money if money else 0.0,
                "roi_direct": float(direct.sum()) / money if money else 0.0,
                "launch_spend": round(launch_money, 2), "launch_incremental_revenue": launched,
                "launch_roi": launched / launch_money if launch_money else 0.0,
                "launch_roi_direct": float(direct_launch.sum()) / launch_money if launch_money else 0.0,
                "launch_contribution": float(own[:, launch].sum()),
                "launch_marginal_roi": float(more.sum() / (0.01 * launch_money)) if launch_money else 0.0,
                "adstock_kind": channel.kind, "adstock_decay": channel.decay, "adstock_peak": channel.peak,
                "hill": channel.hill, "half_saturation": channel.half,
            }
        )  # fmt: skip
        by_week.append(
            pd.DataFrame(
                {
                    "week_start_date": week, "channel": name, "spend_usd": spend.sum(0), "contribution_usd": own.sum(0),
                    "total_effect_usd": (direct + indirect).sum(0), "indirect_effect_usd": indirect.sum(0),
                }
            )
        )  # fmt: skip
        by_dma.append(
            pd.DataFrame(
                {
                    "week_start_date": np.tile(week, len(dma)), "channel": name, "dma_id": np.repeat(dma, len(week)),
                    "spend_usd": spend.ravel().round(2), "contribution_usd": own.ravel().round(4),
                }
            )
        )  # fmt: skip
        if name == SOCIAL:
            for window, d, i in (("history", direct, indirect), ("launch", direct_launch, indirect_launch)):
                both = float(d.sum() + i.sum())
                mediation.append(
                    {
                        "channel": name, "mediator": MEDIATOR, "window_name": window, "direct_effect_usd": float(d.sum()),
                        "indirect_effect_usd": float(i.sum()), "share_mediated": float(i.sum()) / both if both else 0.0,
                    }
                )  # fmt: skip
    return {
        "channel": pd.DataFrame(rows),
        "channel_week": pd.concat(by_week, ignore_index=True),
        "channel_dma_week": pd.concat(by_dma, ignore_index=True),
        "mediation": pd.DataFrame(mediation),
    }


#: Launch spend times these: where the true response to a changed budget is written down.
MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0)


def response_table(world: World) -> pd.DataFrame:
    """Revenue that each channel's own response brings in the launch weeks, had its launch spend been a multiple.

    `launch_tail_contribution` is what carryover still brings in the weeks after them, without further spend and at the
    launch's mean prices: a plan's revenue includes it.
    """
    launch = np.arange(world.options.weeks) >= world.launch
    rows = []
    for name in CHANNEL_NAMES:
        spend = world.spend(name)
        prices = world.price_factor(name)[:, launch].mean(axis=1, keepdims=True)
        after = np.zeros((spend.shape[0], KERNEL_WEEKS))
        for multiple in MULTIPLES:
            scaled = np.where(launch[None], multiple, 1.0) * spend
            own = world.contribution(name, scaled)[:, launch]
            tail = (
                world.listed_revenue(name, np.concatenate([scaled, after], axis=1))[:, len(launch) :] * prices
            )
            rows.append(
                {
                    "channel": name, "multiple": multiple, "launch_weeks": int(launch.sum()),
                    "launch_spend": round(float(scaled[:, launch].sum()), 2), "launch_contribution": float(own.sum()),
                    "launch_tail_contribution": float(tail.sum()),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def sales_tables(world: World) -> dict[str, pd.DataFrame]:
    """baseline_week (an exact bridge from list-price demand to observed sales) and demand_dma_week."""
    demand, geo = world.demand, world.geo
    cells = world.baseline_cells().sum(axis=(0, 1, 2))
    listed = np.array([p.list_price_usd for p in PRODUCTS])[None, None, :, None]
    regular = (demand.regular_effect * demand.regular_price / listed)[geo.zone]
    plain = (demand.base * regular * demand.available).sum(axis=(0, 1, 2))
    expected = expected_revenue(world).sum(axis=0)
    price = world.price
    observed = (world.units * price).sum(axis=(0, 1, 2))
    wanted = (world.demand_units * price).sum(axis=(0, 1, 2))
    baseline = pd.DataFrame(
        {
            "week_start_date": _weeks(world),
            "base_usd": plain,
            "promotion_usd": cells - plain,
            "baseline_usd": cells,
            "media_usd": expected - cells,
            "expected_usd": expected,
            "noise_usd": observed - expected,
            "observed_usd": observed,
            "lost_to_stockouts_usd": wanted - observed,
            "unseen_drift": demand.drift.mean(axis=0),
        }
    )
    d, r, _, t = world.units.shape
    week = np.broadcast_to(np.array(_weeks(world))[None, None], (d, r, t)).ravel()
    table = pd.DataFrame(
        {
            "week_start_date": week,
            "dma_id": np.broadcast_to(geo.dma_id[:, None, None], (d, r, t)).ravel(),
            "retailer_id": np.broadcast_to(np.array(RETAILERS)[None, :, None], (d, r, t)).ravel(),
            "demand_units": world.demand_units.sum(axis=2).ravel(),
            "sold_units": world.units.sum(axis=2).ravel(),
            "demand_revenue_usd": (world.demand_units * price).sum(axis=2).ravel().round(2),
            "sold_revenue_usd": (world.units * price).sum(axis=2).ravel().round(2),
        }
    )
    return {"baseline_week": baseline, "demand_dma_week": table}


def elasticity_table(world: World) -> pd.DataFrame:
    """Price response: the same for every retailer and item, stated for each scope."""
    demand = world.demand
    scopes = [
        ("brand", world.options.brand_id),
        *(("retailer", r) for r in RETAILERS),
        *(("product", p.product_id) for p in PRODUCTS),
    ]
    return pd.DataFrame(
        [
            {
                "scope": scope, "scope_id": name, "price_elasticity": demand.elasticity, "promo_lift_log": demand.promo_lift,
                "promo_lift_pct": 100 * (np.exp(demand.promo_lift) - 1), "interaction": demand.interaction,
                "pull_forward_share": demand.pull_forward,
            }
            for scope, name in scopes
        ]
    )  # fmt: skip


def lift_table(world: World) -> pd.DataFrame:
    """Each geo test: expected sales with the test minus without it, in the treated DMAs while it ran.

    Without the test its DMAs would have been bought as planned, at the pace at which the plan was kept elsewhere. (A
    heavy-up in weeks off air is against no spend, because its controls have none either.)
    """
    rows = []
    planned = build_plan(world.options, world.geo, world.demand, [])
    for test in world.tests:
        actual = world.spend(test.channel)
        window = slice(test.start_week, test.end_week)
        without = actual.copy()
        untouched = planned[test.channel][~test.treated, window].sum()
        pace = actual[~test.treated, window].sum() / untouched if untouched > 0 else 0.0
        without[test.treated, window] = pace * planned[test.channel][test.treated, window]
        change = world.contribution(test.channel) - world.contribution(test.channel, without)
        effect = float(change[test.treated, window].sum())
        money = float((actual - without)[test.treated, window].sum())
        base = float(expected_revenue(world)[test.treated, window].sum()) - effect
        rows.append(
            {
                "experiment_id": test.experiment_id, "channel": test.channel, "kind": test.kind,
                "start_date": _weeks(world)[test.start_week], "weeks": test.end_week - test.start_week,
                "treated_dmas": int(test.treated.sum()), "incremental_revenue": effect, "spend_change_usd": money,
                "iroas": effect / money if money else 0.0, "lift_pct": 100 * effect / base if base else 0.0,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def segment_table(world: World) -> pd.DataFrame:
    """Relative lift of a segment's purchases per channel at launch-mean pressure."""
    on = world.options.scenario.media_on
    return pd.DataFrame(
        [
            {"segment": segment, "channel": channel, "effect": lifts[at] if on else 0.0}
            for channel, lifts in SEGMENT_LIFT.items()
            for at, segment in enumerate(SEGMENTS)
        ]
    )


def write_truth(world: World, folder: Path, extra: dict[str, pd.DataFrame]) -> None:
    """Write every truth table as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        **channel_tables(world),
        **sales_tables(world),
        "response": response_table(world),
        "elasticity": elasticity_table(world),
        "lift": lift_table(world),
        "segment_response": segment_table(world),
        **extra,
    }
    for name, frame in tables.items():
        (folder / f"{name}.csv").write_bytes(csv_bytes(pa.Table.from_pandas(frame, preserve_index=False)))
