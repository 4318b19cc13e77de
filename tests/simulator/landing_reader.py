"""An independent reader of landing files for the tests: the standard library only, newest delivery wins."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def stamp(path: Path) -> str:
    found = re.search(r"__(\d{8}T\d{6}Z)\.", path.name)
    assert found, path.name
    return found.group(1)


def rows_of(path: Path) -> list[Row]:
    data = path.read_bytes()
    if path.name.endswith(".gz"):
        data = gzip.decompress(data)
    if path.name.startswith(
        tuple(f"{n}_" for n in ("amazon_ads_sp", "amazon_vendor_inventory", "amazon_vendor_forecast"))
    ):
        return list(json.loads(data, parse_float=Decimal))
    if ".ndjson" in path.name:
        return [json.loads(line, parse_float=Decimal) for line in data.splitlines()]
    if data.startswith(b"<!"):
        return []
    return list(csv.DictReader(io.StringIO(data.decode())))


def deliveries(landing: Path, feed: str) -> Iterator[tuple[Path, list[Row]]]:
    for path in sorted((landing / feed).iterdir(), key=stamp):
        try:
            yield path, rows_of(path)
        except EOFError:
            continue


def newest(
    landing: Path, feed: str, day: Callable[[Row], str], value: Callable[[Row], Decimal]
) -> dict[str, Decimal]:
    """Sum of ``value`` by day, the newest delivery of a day winning; rows that do not parse are left out."""
    best: dict[str, Decimal] = {}
    for _, rows in deliveries(landing, feed):
        part: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            try:
                key, amount = day(row), value(row)
            except (KeyError, ArithmeticError, ValueError, TypeError):
                continue
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", key) and amount.is_finite() and abs(amount) < 10**15:
                part[key] += amount
        best.update(part)
    return best


def us(text: str) -> str:
    return f"{text[6:]}-{text[:2]}-{text[3:5]}"


MEDIA: dict[str, tuple[Callable[[Row], str], Callable[[Row], Decimal]]] = {
    "google_ads_campaign": (
        lambda r: r["segments.date"],
        lambda r: Decimal(r["metrics.cost_micros"]) / 1_000_000,
    ),
    "meta_ads": (lambda r: r["date_start"], lambda r: Decimal(r["spend"])),
    "amazon_ads_sp": (lambda r: r["date"], lambda r: Decimal(r["cost"])),
    "amazon_dsp_geo": (lambda r: r["intervalStart"], lambda r: Decimal(r["totalCost"])),
    "dv360_dma": (
        lambda r: r["Date"].replace("/", "-"),
        lambda r: Decimal(r["Media Cost (Advertiser Currency)"]),
    ),
    "walmart_connect": (lambda r: r["date"], lambda r: Decimal(r["adSpend"])),
    "roundel": (lambda r: us(r["Date"]), lambda r: Decimal(r["Spend"].replace("$", "").replace(",", ""))),
}
SALES: dict[str, tuple[Callable[[Row], str], Callable[[Row], Decimal]]] = {
    "amazon_vendor_sales": (lambda r: r["startDate"], lambda r: Decimal(r["orderedRevenue"]["amount"])),
    "walmart_store_sales": (
        lambda r: r["bus_dt"],
        lambda r: Decimal(r["sales_amt"]) * (1 if Decimal(r["sales_qty"]) < 10**9 else 0),
    ),
    "target_sales": (
        lambda r: us(r["Week Begin"]),
        lambda r: Decimal(r["Sales Dollars"]) * int(r["Sales Units"]) / int(r["Sales Units"]),
    ),
}


def crm_cost(landing: Path, since: str) -> Decimal:
    """E-mail at 0.02 a delivered mail, coupons at their discount and 0.12 a redemption, each event once."""
    mails, coupons = set(), {}
    for _, rows in deliveries(landing, "email_events"):
        mails |= {r["uuid"] for r in rows if r["type"] == "Received Email" and r["datetime"] >= since}
    for _, rows in deliveries(landing, "coupon_events"):
        for r in rows:
            if (
                r["event_type"] == "redeem"
                and re.match(r"2026-(0[89]|10)-", r["event_ts"])
                and r["event_ts"] >= since
            ):
                coupons[r["event_id"]] = Decimal(r["discount_usd"]) + Decimal("0.12")
    return Decimal("0.02") * len(mails) + sum(coupons.values(), Decimal(0))
