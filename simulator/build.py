"""Write a whole world: every partner file into ``landing``, and the truth beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from simulator.config import GEO_CHANNELS, NATIONAL_CHANNELS, WORLD_END, Options
from simulator.faults import planted
from simulator.feeds_context import reach_feed, shop_feed, weekly_context, write_registers
from simulator.feeds_crm import crm_feeds
from simulator.feeds_media import daily_rows, google_feeds, meta_feed, video_feeds
from simulator.feeds_retail import amazon_feeds, target_feeds, walmart_feeds
from simulator.feeds_retail_media import retail_media_feeds
from simulator.journeys import write_journeys
from simulator.landing import Feed, Landing, write_feed
from simulator.truth import write_truth
from simulator.world import World, build_world

DAILY_FILES = ("google_ads_campaign", "meta_ads", "amazon_dsp_geo", "walmart_store_sales")
BLOCK_FILES = (
    "amazon_vendor_inventory",
    "amazon_vendor_forecast",
    "search_interest",
    "weather",
    "walmart_store_inventory",
    "target_inventory",
    "business_daily",
)
YEAR_FILES = ("amazon_vendor_sales", "target_sales", "reach_frequency", "crm_customers")
FAULT_COLUMNS = ["feed", "file_name", "fault", "expected_outcome", "bad_rows", "detail"]


def _feeds(world: World, landing: Landing, truth: dict[str, pd.DataFrame]) -> Iterator[Feed]:
    rows = {c: daily_rows(world, c) for c in (*GEO_CHANNELS, *NATIONAL_CHANNELS)}
    yield from google_feeds(world, landing, rows)
    yield meta_feed(world, rows)
    yield from video_feeds(world, rows)
    yield from retail_media_feeds(world, rows)
    reach, truth["frequency"] = reach_feed(world, rows)
    yield reach
    yield from amazon_feeds(world)
    yield from walmart_feeds(world)
    yield from target_feeds(world)
    yield from weekly_context(world)
    yield shop_feed(world)
    yield from crm_feeds(world)


def write_world(options: Options, out: Path, say: Callable[[str], None] = lambda _: None) -> World:
    """Build the world of ``options`` and write ``out/landing`` and ``out/truth`` (both replaced)."""
    say(
        f"simulator: {options.weeks} weeks to {landing_end(options)}, seed {options.seed}, scenario {options.scenario.name}"
    )
    world = build_world(options)
    for part in ("landing", "truth"):
        shutil.rmtree(out / part, ignore_errors=True)
    landing = Landing(out / "landing", options)
    truth: dict[str, pd.DataFrame] = {}
    for feed in _feeds(world, landing, truth):
        if feed.name in BLOCK_FILES:
            plan = landing.block_plan()
        elif feed.name in YEAR_FILES:
            plan = landing.daily_plan(lag_days=4, block_weeks=52)
        else:
            plan = landing.daily_plan()
        first_launch = len(plan) - 12 if feed.name not in BLOCK_FILES else len(plan) - 3
        if feed.name in DAILY_FILES and options.scenario.faults:
            plan = plan + landing.provisional_days()
        write_feed(landing, feed, plan, planted(landing, first_launch) if options.scenario.faults else None)
    write_registers(world, landing)
    say("simulator: visitor journeys")
    truth["attribution"] = write_journeys(world, landing)
    truth["faults"] = pd.DataFrame(landing.faults, columns=FAULT_COLUMNS)
    write_truth(world, out / "truth", truth)
    say(f"simulator: {landing.files} files, {landing.rows:,} rows in {out / 'landing'}")
    return world


def landing_end(options: Options) -> str:
    """The last day of the data."""
    return f"{WORLD_END} ({options.first_day} first)"
