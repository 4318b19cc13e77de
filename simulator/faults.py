"""Transport and row faults planted in the landing zone, each recorded with the outcome it should have.

Good numbers are never touched: bad rows are extra rows, broken files are followed by a sound delivery, and
provisional numbers are followed by final ones. So the money in the warehouse is still exact.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.demand import stream
from simulator.landing import Delivery, Feed, Landing

Edit = Callable[[Landing, Feed, int, Delivery, pa.Table], bool]

# feed -> the required column spoiled in a few extra rows, and the junk put there
BAD_ROWS = {
    "google_ads_geo": ("segments.date", ("2026-02-30", "not a date")),
    "amazon_dsp_geo": ("totalCost", ("N/A", "12,3,4", "NaN")),
    "walmart_store_sales": ("sales_qty", ("two", "1e30", "-")),
    "target_sales": ("Sales Dollars", ("inf", "#REF!")),
    "coupon_events": ("event_ts", ("yesterday", "2026-13-01T00:00:00+00:00")),
    "email_events": ("type", ("",)),
    "walmart_store_inventory": ("on_hand_qty", ("many",)),
}
HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


def _later(delivery: Delivery, hours: int) -> Delivery:
    return Delivery(delivery.first, delivery.last, delivery.at + timedelta(hours=hours), delivery.version)


def spoil(
    part: pa.Table, column: str, junk: tuple[str, ...], count: int, rng: np.random.Generator
) -> pa.Table:
    """Insert ``count`` copies of rows with junk in one column. Other columns keep their text."""
    n = part.num_rows
    at = np.sort(rng.integers(1, n, count))
    index = np.insert(np.arange(n), at, at)
    bad = np.zeros(n + count, dtype=bool)
    bad[at + np.arange(count)] = True
    out = part.take(pa.array(index))
    words = pa.array([junk[k % len(junk)] for k in range(len(junk))]).take(
        pa.array(np.cumsum(bad) % len(junk))
    )
    text = pc.if_else(pa.array(bad), words, pc.cast(out[column], pa.string()).combine_chunks())
    return out.set_column(out.column_names.index(column), column, text)


def planted(landing: Landing, launch_at: int) -> Edit:
    """The editor of one feed's deliveries; ``launch_at`` is the number of the first launch delivery."""

    def edit(where: Landing, feed: Feed, number: int, delivery: Delivery, part: pa.Table) -> bool:
        week = number - launch_at
        if delivery.version == "provisional":
            path = where.put(feed.name, delivery, feed.ext, feed.encode(part))
            where.fault(
                path, "provisional_overlap", "REPLACE", detail="restated by the weekly file that follows"
            )
            return True
        if feed.name == "roundel" and week == 5:
            path = where.put(feed.name, delivery, "csv", HTML)
            where.fault(path, "html_error_page", "QF")
            where.put(feed.name, _later(delivery, 26), feed.ext, feed.encode(part))
            return True
        if feed.name == "walmart_connect" and week == 6:
            whole = feed.encode(part)
            path = where.put(feed.name, delivery, feed.ext, whole[: len(whole) // 2])
            where.fault(path, "truncated_gzip", "QF")
            where.put(feed.name, _later(delivery, 25), feed.ext, whole)
            return True
        if feed.name == "amazon_dsp_geo" and week == 3:
            turned = part.select(list(reversed(part.column_names)))
            path = where.put(feed.name, delivery, feed.ext, feed.encode(turned))
            where.fault(path, "reordered_columns", "LOAD")
            return True
        if feed.name == "target_sales" and week == 7:
            path = where.put(feed.name, delivery, feed.ext, feed.encode(part.drop_columns(["Sales Units"])))
            where.fault(path, "missing_column", "QF", detail="Sales Units")
            where.put(feed.name, _later(delivery, 24), feed.ext, feed.encode(part))
            return True
        if feed.name == "amazon_ads_sp" and week == 2:
            early = feed.slice(delivery.first, delivery.last, "provisional")
            path = where.put(feed.name, delivery, feed.ext, feed.encode(early))
            where.fault(path, "restated", "REPLACE", detail="final numbers 28 days later")
            where.put(feed.name, _later(delivery, 28 * 24), feed.ext, feed.encode(part))
            return True
        if feed.name == "walmart_connect" and week == 4:
            path = where.put(feed.name, _later(delivery, 30 * 24), feed.ext, feed.encode(part))
            where.fault(path, "late_file", "LOAD", detail="30 days late")
            return True
        if feed.name == "google_ads_campaign" and week == 8:
            path = where.put(feed.name, delivery, feed.ext, feed.encode(part))
            wide = Delivery(delivery.first - 7, delivery.last, delivery.at + timedelta(hours=30))
            again = where.put(feed.name, wide, feed.ext, feed.encode(feed.slice(wide.first, wide.last)))
            where.fault(again, "overlapping_window", "REPLACE", detail=f"overlaps {path.name}")
            return True
        if feed.name in ("amazon_vendor_sales", "meta_ads", "crm_customers") and week == 1:
            data = feed.encode(part)
            where.put(feed.name, delivery, feed.ext, data)
            twin = where.put(feed.name, _later(delivery, 49), feed.ext, data)
            where.fault(twin, "duplicate_file", "NOOP", detail="the same bytes under another name")
            return True
        if feed.name in BAD_ROWS and week in (0, 2, 9) and part.num_rows > 2000:
            column, junk = BAD_ROWS[feed.name]
            count = max(3, part.num_rows // 700)
            rng = stream(where.options, f"bad:{feed.name}:{week}")
            path = where.put(
                feed.name, delivery, feed.ext, feed.encode(spoil(part, column, junk, count, rng))
            )
            where.fault(path, "bad_rows", "QR", count, f"{column}: {', '.join(junk)}")
            where.rows += count
            return True
        return False

    return edit
