"""Seeded tables of daily figures with and without planted incidents, for tests and the alert benchmark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd

from alerts import arrivals, checks
from alerts.checks import Finding

END = date(2026, 10, 24)
DAYS = 7 * 40
CHANNELS = (
    "youtube",
    "hulu",
    "ctv_other",
    "instagram_reels",
    "meta_retargeting",
    "search_brand",
    "search_nonbrand",
    "amazon_ads",
    "walmart_connect",
    "roundel",
    "email",
    "coupon",
)
RETAILERS = ("amazon", "walmart", "target")
FEEDS = {
    "google_ads_geo": 1,
    "meta_ads": 1,
    "amazon_ads_sp": 1,
    "walmart_store_sales": 1,
    "amazon_vendor_sales": 7,
    "target_sales": 7,
    "weather": 7,
}


class World:
    """Clean tables as the marts would give them: weekday shape, season, trend, campaigns' weekly pacing, heavy-tailed noise."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        days = pd.date_range(END - timedelta(days=DAYS - 1), END)
        t = np.arange(DAYS)
        season = 1 + rng.uniform(0.05, 0.3) * np.sin(2 * np.pi * (t + rng.integers(365)) / 365)
        self.media = pd.concat([self._channel(rng, c, days, t, season) for c in CHANNELS], ignore_index=True)
        self.sales = pd.concat(
            [self._retailer(rng, r, days, t, season) for r in RETAILERS], ignore_index=True
        )
        entities = [(c, self.media[self.media.channel_id == c].spend_usd.to_numpy()) for c in CHANNELS[:7]]
        entities += [(r, self.sales[self.sales.retailer_id == r].revenue_usd.to_numpy()) for r in RETAILERS]
        share = {e: rng.uniform(0.005, 0.04) for e, _ in entities}
        self.unmapped = pd.concat(
            [
                pd.DataFrame(
                    {
                        "date_day": days,
                        "entity": e,
                        "total": total,
                        "unmapped": total * np.clip(share[e] * rng.lognormal(0, 0.2, DAYS), 0, 1),
                    }
                )
                for e, total in entities
            ],
            ignore_index=True,
        )
        self.files = self._ledger(rng)

    @staticmethod
    def _noise(rng: np.random.Generator, sd: float, n: int) -> np.ndarray:
        """Autocorrelated, with Student-t shocks (five degrees of freedom)."""
        shocks = rng.standard_t(5, n) * sd / np.sqrt(5 / 3)
        out = np.zeros(n)
        for i in range(1, n):
            out[i] = 0.3 * out[i - 1] + shocks[i]
        return out

    def _channel(
        self,
        rng: np.random.Generator,
        channel: str,
        days: pd.DatetimeIndex,
        t: np.ndarray,
        season: np.ndarray,
    ) -> pd.DataFrame:
        weekday = rng.uniform(0.85, 1.15, 7)[days.day_of_week]
        plan = np.exp(
            np.repeat(rng.normal(0, 0.06, DAYS // 7 + 1), 7)[:DAYS]
        )  # the planner changes pace by the week
        base = rng.uniform(3_000, 60_000) * (1 + rng.uniform(-0.3, 0.5) * t / DAYS)
        spend = base * weekday * season * plan * np.exp(self._noise(rng, rng.uniform(0.03, 0.10), DAYS))
        impressions = np.round(spend / rng.uniform(4, 25) * 1000 * np.exp(self._noise(rng, 0.04, DAYS)))
        clicks = rng.poisson(impressions * rng.uniform(0.003, 0.03))
        conversions = rng.poisson(clicks * rng.uniform(0.02, 0.08))
        return pd.DataFrame(
            {
                "date_day": days,
                "channel_id": channel,
                "spend_usd": spend,
                "impressions": impressions,
                "clicks": clicks.astype(float),
                "platform_conversions": conversions.astype(float),
                # campaigns times places, of which a few report nothing on a day
                "rows": rng.binomial(int(rng.integers(1, 4)) * 210, 0.97, DAYS).astype(float),
            }
        )

    def _retailer(
        self,
        rng: np.random.Generator,
        retailer: str,
        days: pd.DatetimeIndex,
        t: np.ndarray,
        season: np.ndarray,
    ) -> pd.DataFrame:
        weekday = rng.uniform(0.8, 1.3, 7)[days.day_of_week]
        promo = np.ones(DAYS)
        for start in rng.integers(0, DAYS - 14, 6):
            promo[start : start + 14] *= rng.uniform(1.05, 1.35)
        units = np.round(
            rng.uniform(5_000, 40_000) * weekday * season * promo * np.exp(self._noise(rng, 0.06, DAYS))
        )
        price = rng.uniform(18, 30) * np.where(promo > 1, 0.93, 1.0) * np.exp(rng.normal(0, 0.004, DAYS))
        places = rng.integers(58, 63, DAYS).astype(float)
        return pd.DataFrame(
            {
                "date_day": days,
                "retailer_id": retailer,
                "units": units,
                "revenue_usd": units * price,
                "places": places,
            }
        )

    @staticmethod
    def _ledger(rng: np.random.Generator) -> pd.DataFrame:
        rows = []
        for feed, step in FEEDS.items():
            own = (
                int(rng.integers(1, 6)) if step == 7 else 0
            )  # a weekly partner's week ends on a day of its own
            for back in range(0, 84 if step == 1 else 7 * 26, step):
                last = END - timedelta(days=back + own)
                delivered = pd.Timestamp(last) + pd.Timedelta(hours=30 + float(rng.uniform(0, 3)))
                n = int(rng.integers(800, 1200))
                rows.append(
                    {
                        "feed": feed,
                        "outcome": "LOAD",
                        "rows_file": float(n),
                        "rows_quarantined": float(rng.binomial(n, 0.001)),
                        "money_quarantined": 0.0,
                        "delivered_at": delivered,
                        "last_date": last,
                    }
                )
        return pd.DataFrame(rows)

    def findings(self, *tables: str) -> list[Finding]:
        """What a run finds, over all tables or the named ones."""
        checks_of = {
            "media": lambda: checks.media(self.media),
            "sales": lambda: checks.sales(self.sales),
            "unmapped": lambda: arrivals.unmapped(self.unmapped),
            "files": lambda: arrivals.deliveries(self.files),
        }
        return [finding for table in tables or tuple(checks_of) for finding in checks_of[table]()]


def _recent(frame: pd.DataFrame, key: str, entity: str, first: int, length: int) -> pd.Series:
    day = pd.to_datetime(frame.date_day)
    start = pd.Timestamp(END) - pd.Timedelta(days=first)
    return (frame[key] == entity) & (day >= start) & (day < start + pd.Timedelta(days=length))


def _scale(
    table: str,
    key: str,
    entities: tuple[str, ...],
    factors: dict[str, Callable[[np.random.Generator], float]],
    longest: int = 3,
):
    def plant(world: World, rng: np.random.Generator) -> str:
        frame = getattr(world, table)
        entity = str(rng.choice(entities))
        length = int(rng.integers(1, longest + 1))
        rows = _recent(frame, key, entity, int(rng.integers(length - 1, 6)), length)
        drawn: dict[int, float] = {}
        for column, factor in factors.items():
            frame.loc[rows, column] *= drawn.setdefault(id(factor), factor(rng))
        return entity

    return plant


def _late(world: World, rng: np.random.Generator) -> str:
    feed = str(rng.choice(list(FEEDS)))
    missing = 7 if FEEDS[feed] == 7 else int(rng.integers(2, 6))
    last = pd.to_datetime(world.files.last_date)
    newest = last[world.files.feed == feed].max()
    gone = (world.files.feed == feed) & (last > newest - pd.Timedelta(days=missing))
    world.files = world.files[~gone]
    return feed


def _refused(world: World, rng: np.random.Generator) -> str:
    feed = str(rng.choice(list(FEEDS)))
    newest = world.files[world.files.feed == feed].delivered_at.max()
    rows = (world.files.feed == feed) & (world.files.delivered_at == newest)
    world.files.loc[rows, "rows_quarantined"] = np.round(
        world.files.loc[rows, "rows_file"] * rng.uniform(0.03, 0.6)
    )
    world.files.loc[rows, "outcome"] = "QR"
    return feed


def _unknown_places(world: World, rng: np.random.Generator) -> str:
    entity = str(rng.choice([*CHANNELS[:7], *RETAILERS]))
    rows = _recent(world.unmapped, "entity", entity, int(rng.integers(0, 6)), 2)
    world.unmapped.loc[rows, "unmapped"] = world.unmapped.loc[rows, "total"] * rng.uniform(0.12, 0.5)
    return entity


def _same(low: float, high: float) -> Callable[[np.random.Generator], float]:
    return lambda rng: float(rng.uniform(low, high))


_twice = _same(1.97, 2.03)
_exactly_twice = _same(2.0, 2.0)
_more = _same(2.2, 4.0)
_less = _same(0.3, 0.5)
_none = _same(0.0, 0.0)
BIG = CHANNELS[:10]
#: Twelve incidents that raise no error anywhere: name -> (plants it, rules that count as having caught it).
INCIDENTS: dict[str, tuple[Callable[[World, np.random.Generator], str], tuple[str, ...]]] = {
    "overspend": (
        _scale("media", "channel_id", BIG, {"spend_usd": _more, "impressions": _same(1.6, 2.0)}),
        ("spend_spike", "double_count", "unit_error"),
    ),
    "spend stops": (
        _scale(
            "media",
            "channel_id",
            BIG,
            {"spend_usd": _none, "impressions": _none, "clicks": _none, "platform_conversions": _none},
        ),
        ("spend_stop",),
    ),
    "spend halves": (
        _scale(
            "media",
            "channel_id",
            BIG,
            {"spend_usd": _less, "impressions": _less, "clicks": _less, "platform_conversions": _less},
        ),
        ("spend_drop",),
    ),
    "days loaded twice": (
        _scale(
            "media",
            "channel_id",
            BIG,
            {
                "spend_usd": _twice,
                "impressions": _twice,
                "clicks": _twice,
                "platform_conversions": _twice,
                "rows": _exactly_twice,
            },
        ),
        ("double_count", "spend_spike"),
    ),
    "cost in the wrong unit": (
        _scale(
            "media", "channel_id", BIG, {"spend_usd": lambda rng: float(rng.choice([100.0, 10.0, 0.01, 0.1]))}
        ),
        ("unit_error", "spend_spike", "spend_drop", "spend_stop"),
    ),
    "clicks lost": (
        _scale(
            "media", "channel_id", BIG, {"clicks": _same(0.0, 0.2), "platform_conversions": _same(0.0, 0.2)}
        ),
        ("clicks_lost",),
    ),
    "conversions lost": (
        _scale("media", "channel_id", BIG, {"platform_conversions": _same(0.0, 0.1)}),
        ("conversions_lost",),
    ),
    "retailer sales halve": (
        _scale("sales", "retailer_id", RETAILERS, {"units": _less, "revenue_usd": _less}),
        ("sales_drop",),
    ),
    "stores missing": (
        _scale("sales", "retailer_id", RETAILERS, {"places": _same(0.4, 0.75)}),
        ("places_missing",),
    ),
    "places unknown": (_unknown_places, ("unmapped_jump",)),
    "rows refused": (_refused, ("quarantine_jump",)),
    "feed late": (_late, ("feed_late",)),
}


def caught(name: str, seed: int) -> bool:
    """Whether one planted incident of this type is found, on the right entity, in the same run."""
    world, rng = World(seed), np.random.default_rng([seed, 1])
    plant, rules = INCIDENTS[name]
    entity = plant(world, rng)
    looks = {
        "feed late": ("files",),
        "rows refused": ("files",),
        "places unknown": ("unmapped",),
        "retailer sales halve": ("sales",),
        "stores missing": ("sales",),
    }
    tables = looks.get(name, ("media",))
    # Entities are judged apart from each other, so the others need no looking at here; clean worlds look at all.
    for table, key in (("media", "channel_id"), ("sales", "retailer_id"), ("unmapped", "entity")):
        if table in tables:
            frame = getattr(world, table)
            setattr(world, table, frame[frame[key] == entity])
    return any(f.rule in rules and f.entity == entity for f in world.findings(*tables))


def false_alarms(seed: int) -> int:
    """Incidents found in a clean world."""
    return len(World(seed).findings())
