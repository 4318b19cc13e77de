"""Writing partner files: names with delivery stamps, CSV and JSON in bytes, the delivery plan, planted faults.

Files are byte-identical for the same options: gzip carries no time, rows keep their order.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from simulator.config import LAUNCH_WEEKS, Options

LAUNCH_DAYS = 7 * LAUNCH_WEEKS


@dataclass(frozen=True)
class Delivery:
    """One file to write: the first and last day it covers (offsets from the first day), and when it came."""

    first: int
    last: int
    at: datetime
    version: str = "final"  # or "provisional": numbers a later file restates


@dataclass
class Landing:
    """The landing zone being written, with a record of every fault planted in it."""

    root: Path
    options: Options
    faults: list[dict[str, object]] = field(default_factory=list)
    rows: int = 0
    files: int = 0

    def day(self, offset: int) -> date:
        """The date of a day offset."""
        return self.options.first_day + timedelta(days=offset)

    @property
    def days(self) -> int:
        """Days of data in all."""
        return 7 * self.options.weeks

    def stamp(self, offset: int, hour: int, minute: int = 0) -> datetime:
        """A delivery time: hour of the day ``offset`` in UTC."""
        return datetime.combine(self.day(offset), datetime.min.time(), UTC) + timedelta(
            hours=hour, minutes=minute
        )

    def path(self, feed: str, delivery: Delivery, ext: str) -> Path:
        """``<feed>/<feed>_<from>_<to>__<delivered>.<ext>`` under the landing zone."""
        first, last = self.day(delivery.first), self.day(delivery.last)
        name = f"{feed}_{first:%Y%m%d}_{last:%Y%m%d}__{delivery.at:%Y%m%dT%H%M%SZ}.{ext}"
        return self.root / feed / name

    def put(self, feed: str, delivery: Delivery, ext: str, data: bytes) -> Path:
        """Write one file with its delivery time as modification time."""
        path = self.path(feed, delivery, ext)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.date_file(path, delivery)
        self.files += 1
        return path

    def date_file(self, path: Path, delivery: Delivery) -> None:
        """Give a file its delivery time as modification time."""
        os.utime(path, (delivery.at.timestamp(), delivery.at.timestamp()))

    def fault(self, path: Path, fault: str, outcome: str, bad_rows: int = 0, detail: str = "") -> None:
        """Record a planted fault: file, what it is, and the outcome a careful intake gives it."""
        feed, name = path.parent.name, path.name
        self.faults.append(
            {
                "feed": feed,
                "file_name": name,
                "fault": fault,
                "expected_outcome": outcome,
                "bad_rows": bad_rows,
                "detail": detail,
            }
        )

    # delivery plans -------------------------------------------------------------------------------------------

    def daily_plan(
        self, lag_days: int = 2, hour: int = 8, block_weeks: int = 13, only_launch_from: int = 0
    ) -> list[Delivery]:
        """History in blocks of ``block_weeks``, the launch week by week."""
        split = self.days - LAUNCH_DAYS
        out = []
        for first in range(only_launch_from, split, 7 * block_weeks):
            last = min(first + 7 * block_weeks, split) - 1
            out.append(Delivery(first, last, self.stamp(last + lag_days, hour)))
        for week in range(LAUNCH_WEEKS):
            first = split + 7 * week
            out.append(Delivery(first, first + 6, self.stamp(first + 6 + lag_days, hour)))
        return out

    def block_plan(self, launch_weeks: int = 4, lag_days: int = 3, hour: int = 9) -> list[Delivery]:
        """History in one file a year, the launch in files of ``launch_weeks`` weeks."""
        split = self.days - LAUNCH_DAYS
        out = []
        for first in range(0, split, 364):
            last = min(first + 364, split) - 1
            out.append(Delivery(first, last, self.stamp(last + lag_days, hour)))
        for week in range(0, LAUNCH_WEEKS, launch_weeks):
            first = split + 7 * week
            last = first + 7 * launch_weeks - 1
            out.append(Delivery(first, last, self.stamp(last + lag_days, hour)))
        return out

    def provisional_days(self, count: int = 14) -> list[Delivery]:
        """A file for each of the last days, one day of overlap, delivered before the weekly file restates it."""
        return [
            Delivery(day - 1, day, self.stamp(day + 1, 6), "provisional")
            for day in range(self.days - count, self.days - 1)
        ]


# bytes ----------------------------------------------------------------------------------------------------------


def csv_bytes(table: pa.Table, *, quote_all: bool = False, header: bool = True) -> bytes:
    """A table as CSV; nulls are empty."""
    sink = pa.BufferOutputStream()
    style = "all_valid" if quote_all else "needed"
    plain = pacsv.WriteOptions(include_header=False, quoting_style=style)
    pacsv.write_csv(table, sink, plain)
    body = bytes(sink.getvalue())
    if not header:
        return body
    names = (f'"{n}"' if quote_all or "," in n else n for n in table.column_names)
    return ",".join(names).encode() + b"\n" + body


def pack(data: bytes) -> bytes:
    """Gzip without a time stamp."""
    return gzip.compress(data, compresslevel=1, mtime=0)


def json_lines(
    table: pa.Table, *, quoted: Sequence[str] = (), nested: Mapping[str, str] | None = None
) -> list[str]:
    """One JSON object a row. Text columns and those in ``quoted`` are strings; ``nested`` columns are JSON already.

    Text must need no escaping (ids, codes, names without quotes), which the simulator's own vocabulary guarantees.
    """
    nested = nested or {}
    parts: list[object] = []
    for at, name in enumerate(table.column_names):
        column = table[name]
        text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        lead = ("{" if at == 0 else ",") + json.dumps(name) + ":"
        if nested.get(name) == "json" or not (text or name in quoted):
            parts += [lead, pc.fill_null(pc.cast(column, pa.string()), "null")]
        else:
            parts += [lead + '"', pc.cast(column, pa.string()), '"']
    parts.append("}")
    arrays = [p if isinstance(p, str) else p.combine_chunks() for p in parts]  # type: ignore[attr-defined]
    return list(pc.binary_join_element_wise(*arrays, "").to_pylist())


def money(cents: np.ndarray) -> pa.Array:
    """Whole cents as text with two decimals, exactly."""
    sign = np.where(cents < 0, "-", "")
    whole, rest = np.divmod(np.abs(cents), 100)
    tail = pc.utf8_slice_codeunits(pc.cast(pa.array(rest + 100), pa.string()), 1, 3)
    return (
        pc.binary_join_element_wise(
            pa.array(sign), pc.cast(pa.array(whole), pa.string()), pa.scalar("."), tail, ""
        )
        if (cents < 0).any()
        else pc.binary_join_element_wise(pc.cast(pa.array(whole), pa.string()), tail, ".")
    )


def text_dates(first_day: date, offsets: np.ndarray, pattern: str = "%Y-%m-%d") -> pa.Array:
    """Day offsets as formatted text through a dictionary of the distinct days."""
    if len(offsets) == 0:
        return pa.array([], pa.string())
    low, high = int(offsets.min()), int(offsets.max())
    words = pa.array([(first_day + timedelta(days=k)).strftime(pattern) for k in range(low, high + 1)])
    return words.take(pa.array(offsets - low))


def take_words(words: Sequence[str] | np.ndarray, index: np.ndarray) -> pa.Array:
    """Text by index, without making Python strings a row."""
    return pa.array([str(w) for w in words]).take(pa.array(index))


# feeds ----------------------------------------------------------------------------------------------------------

Encode = Callable[[pa.Table], bytes]


@dataclass
class Feed:
    """Rows of a feed sorted by day, and how to encode a slice of them."""

    name: str
    ext: str
    day: np.ndarray  # (N,) sorted day offsets
    table: pa.Table
    encode: Encode
    provisional: pa.Table | None = None  # same rows with early, lower numbers

    def slice(self, first: int, last: int, version: str = "final") -> pa.Table:
        """Rows of the days first..last."""
        low, high = np.searchsorted(self.day, [first, last + 1])
        source = self.provisional if version == "provisional" and self.provisional is not None else self.table
        return source.slice(int(low), int(high - low))


def csv_feed(table: pa.Table) -> bytes:
    """Encode as plain CSV."""
    return csv_bytes(table)


def csv_gz_feed(table: pa.Table) -> bytes:
    """Encode as gzipped CSV."""
    return pack(csv_bytes(table))


def quoted_gz_feed(table: pa.Table) -> bytes:
    """Encode as gzipped CSV with every value quoted."""
    return pack(csv_bytes(table, quote_all=True))


def write_feed(
    landing: Landing,
    feed: Feed,
    plan: Sequence[Delivery],
    edit: Callable[[Landing, Feed, int, Delivery, pa.Table], bool] | None = None,
) -> None:
    """Write each delivery of a plan. ``edit`` may write a delivery itself (a planted fault) and return True."""
    for number, delivery in enumerate(plan):
        part = feed.slice(delivery.first, delivery.last, delivery.version)
        landing.rows += part.num_rows
        if edit is not None and edit(landing, feed, number, delivery, part):
            continue
        landing.put(feed.name, delivery, feed.ext, feed.encode(part))


def frame_table(frame: pd.DataFrame) -> pa.Table:
    """A small pandas frame as a table of text."""
    return pa.table(
        {name: pa.array([("" if v is None else str(v)) for v in frame[name]]) for name in frame.columns}
    )
