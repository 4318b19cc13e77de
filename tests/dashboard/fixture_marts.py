"""A small serving file with every mart that the readers use, for tests and benchmarks only.

Numbers are drawn from a seeded generator and are internally consistent where a page relies on it (scenarios
sum to their budget, forecasts have ordered quantiles). The application never imports this module.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from tests.dashboard.fixture_facts import media_daily_of, sales_of
from tests.dashboard.fixture_operations import gifting_of, operations_of
from tests.dashboard.fixture_outputs import outputs_of
from tests.dashboard.fixture_world import DMAS, END, GROUP, NAMES, RETAILERS, WINDOW


class Builder:
    """Writes frames into schema ``marts`` of one DuckDB file."""

    def __init__(self, path: Path) -> None:
        self.con = duckdb.connect(str(path))
        self.con.execute("set threads=2; create schema if not exists marts")

    def table(self, name: str, frame: pd.DataFrame) -> None:
        for column in frame.columns:  # calendar days are dates in the marts, not timestamps
            if column.endswith(("_date", "_day", "_start", "_end")) and frame[column].dtype.kind == "M":
                frame = frame.assign(**{column: frame[column].dt.date})
        self.con.register("frame", frame)
        self.con.execute(f"create or replace table marts.{name} as select * from frame")
        self.con.unregister("frame")


def build(
    path: Path,
    *,
    weeks: int = 26,
    dmas: int = 8,
    products: int = 4,
    campaigns: int = 2,
    seed: int = 7,
    version: int = 1,
    brands: tuple[str, ...] = ("swiftpod", "otherbrand"),
    stale_days: int = 0,
    failed_jobs: tuple[str, ...] = (),
    scale: float = 1.0,
) -> Path:
    """Write a serving file (atomically, as a publish does) and return its path.

    ``version`` is both the published version and a factor on media spend, so that a reader which mixes two
    versions shows totals that belong to neither.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    out = Builder(temporary)
    places = DMAS[:dmas]
    start = END - timedelta(days=7 * weeks - 1)
    frames: dict[str, list[pd.DataFrame]] = {}
    for index, brand in enumerate(brands):
        rng = np.random.default_rng(seed + index)
        size = (scale if index == 0 else scale * 0.1) * version
        here = places if index == 0 else places[:2]
        for name, frame in _brand(
            rng, brand, start, weeks, here, products, campaigns, size, failed_jobs, version
        ).items():
            frames.setdefault(name, []).append(frame)
    for name, parts in frames.items():
        out.table(name, pd.concat(parts, ignore_index=True))
    _dimensions(out, start, places)
    published = pd.Timestamp(END) + pd.Timedelta(days=1, hours=6)
    out.table(
        "fct_published_version",
        pd.DataFrame(
            {
                "version": np.arange(1, version + 1, dtype="int64"),
                "content_hash": [f"{v:064x}" for v in range(1, version + 1)],
                "published_at": [published] * version,
                "as_of_date": [END - timedelta(days=stale_days)] * version,
                "marts_rows": [sum(len(f) for parts in frames.values() for f in parts)] * version,
                "code_version": ["0.1.0+fixture"] * version,
            }
        ),
    )
    out.con.close()
    os.replace(temporary, path)
    return path


def _dimensions(out: Builder, start: date, places: list[str]) -> None:
    seed = pd.read_csv(Path(__file__).parents[2] / "dbt" / "seeds" / "dma.csv", dtype={"dma_id": str})
    out.table("dim_dma", seed)
    channels = list(NAMES)
    out.table(
        "dim_channel",
        pd.DataFrame(
            {
                "channel_id": channels,
                "channel_name": [NAMES[c] for c in channels],
                "channel_group": [GROUP[c] for c in channels],
                "is_rmn": [GROUP[c] == "rmn" for c in channels],
                "is_demand_chasing": [c in ("meta_retargeting", "search_brand") for c in channels],
                "platform": channels,
                "retailer_id": [
                    {"amazon_ads": "amazon", "walmart_connect": "walmart", "roundel": "target"}.get(c)
                    for c in channels
                ],
                "attribution_window": [WINDOW[c] for c in channels],
                "adstock_kind": "geometric",
                "adstock_decay": 0.5,
                "adstock_length": 8,
            }
        ),
    )
    out.table(
        "dim_retailer",
        pd.DataFrame(
            {
                "retailer_id": list(RETAILERS),
                "retailer_name": list(RETAILERS.values()),
                "is_rmn_provider": True,
                "week_convention": ["sunday"] * 3,
            }
        ),
    )
    days = pd.date_range(start - timedelta(days=14), END + timedelta(days=120))
    sunday = days - pd.to_timedelta((days.day_of_week + 1) % 7, unit="D")
    out.table(
        "dim_calendar",
        pd.DataFrame(
            {
                "date_day": days,
                "date_id": days.strftime("%Y%m%d").astype(int),
                "week_start_date": sunday,
                "week_end_date": sunday + pd.Timedelta(days=6),
                "week_id": (sunday.year * 100 + sunday.isocalendar().week.to_numpy()),
                "is_holiday": False,
                "holiday_name": None,
            }
        ),
    )
    out.table(
        "dim_segment",
        pd.DataFrame(
            {
                "brand_id": "swiftpod",
                "run_id": "run-segments",
                "as_of_date": END,
                "segment_id": ["s1", "s2", "s3", "s4"],
                "segment_name": ["Loyal families", "Deal seekers", "New tryers", "Lapsed"],
                "description": [
                    "Two orders a month, full price",
                    "Buy on coupon",
                    "First order in 60 days",
                    "No order in 120 days",
                ],
                "customers": [4200, 5100, 2600, 3300],
                "share": [0.2763, 0.3355, 0.1711, 0.2171],
            }
        ),
    )


def _brand(
    rng: np.random.Generator,
    brand: str,
    start: date,
    weeks: int,
    places: list[str],
    products: int,
    campaigns: int,
    size: float,
    failed: tuple[str, ...],
    version: int,
) -> dict[str, pd.DataFrame]:
    days = pd.date_range(start, END)
    share = 1 / np.arange(1, len(places) + 1) ** 0.6
    share /= share.sum()
    media = media_daily_of(rng, brand, days, places, share, campaigns, size)
    frames = {"fct_media_daily": media}
    week = media.assign(
        week_start_date=media.date_day - pd.to_timedelta((media.date_day.dt.day_of_week + 1) % 7, unit="D")
    )
    keys = [
        "brand_id",
        "week_start_date",
        "channel_id",
        "retailer_id",
        "dma_id",
        "attribution_window",
        "is_modelled_geo",
    ]
    sums = [
        "impressions",
        "viewable_impressions",
        "clicks",
        "video_completes",
        "spend_usd",
        "platform_conversions",
        "platform_value_usd",
    ]
    weekly = week.groupby(keys, dropna=False, as_index=False)[sums].sum()
    weekly = weekly.assign(
        week_id=weekly.week_start_date.dt.year * 100
        + weekly.week_start_date.dt.isocalendar().week.astype("int64"),
        viewability_rate=weekly.viewable_impressions / weekly.impressions.where(weekly.impressions > 0),
        reach_persons=(weekly.impressions * 0.31).astype("int64"),
        frequency=3.2,
        is_complete=True,
    )
    frames["fct_media_week"] = weekly
    frames.update(sales_of(rng, brand, days, places, share, products, size))
    frames.update(outputs_of(rng, brand, start, weeks, places, share, weekly, size))
    frames.update(operations_of(rng, brand, failed, version, days))
    frames.update(gifting_of(rng, brand))
    return frames


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    for name, default in (("weeks", 26), ("dmas", 8), ("products", 4), ("campaigns", 2), ("version", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    print(build(**vars(parser.parse_args())))
