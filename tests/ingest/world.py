"""A small landing zone in which everything happens: duplicates, restatements, late and overlapping files, bad rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from ingest.contracts import load_contracts
from tests.faults.catalogue import good_rows, render, sources
from tests.faults.harness import place

FEEDS = ("google_ads_campaign", "roundel", "meta_ads", "clickstream", "crm_customers", "target_sales")


def deliveries(count: int, seed: int = 1, feeds: Sequence[str] = FEEDS) -> list[tuple[str, str, bytes]]:
    """(feed, file name, bytes): windows that overlap, some restated, some twice, some with a bad row."""
    contracts, draw = load_contracts(), random.Random(seed)
    out: list[tuple[str, str, bytes]] = []
    for number in range(count):
        feed = feeds[number % len(feeds)]
        contract = contracts[feed]
        stamp = f"202610{1 + draw.randrange(28):02d}T{draw.randrange(24):02d}{number % 60:02d}{draw.randrange(60):02d}Z"
        name = f"{feed}_part{number:03d}__{stamp}.{contract.format}"
        kind = draw.random()
        if (kind < 0.12 or number % 8 == 7) and number >= len(feeds):
            earlier = next((d for d in reversed(out) if d[0] == feed), None)
            if earlier is not None:
                out.append((feed, name, earlier[2]))
                continue
        rows = good_rows(contract, 10 + draw.randrange(20), draw.randrange(4) * 10)
        changed = [
            i
            for i, (_, item) in enumerate(sources(contract))
            if item.type == "integer" and item.name not in contract.key
        ]
        if changed:
            for row in rows:
                row[changed[-1]] = str(draw.randrange(1, 3))
        if kind > 0.8:
            rows[3][-1 if contract.format == "csv" else 0] = (
                "\x01bad" if contract.format != "csv" else rows[3][-1]
            )
        if (kind > 0.9 or number % 8 in (3, 4)) and contract.format == "csv":
            data = render(contract, rows) + b"only one cell\n"
        else:
            data = render(contract, rows)
        out.append((feed, name, data))
    return out


def deliver(folder: Path, files: list[tuple[str, str, bytes]]) -> None:
    for feed, name, data in files:
        place(folder / feed / name, data)
