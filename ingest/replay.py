"""Replay: a refused or repaired file is read again, and its refused rows are released."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from ingest.contracts import Contract
from ingest.landing import Item, shown
from ingest.run import landing_zone, opened, run
from ingest.warehouse import LedgerRow, WarehouseError
from settings import Settings

_STAMP = re.compile(r"__(\d{8}T\d{6})Z")


def _find(items: list[Item], given: str) -> Item | None:
    path = os.path.abspath(given)
    for item in items:
        if given in (item.uri, item.path) or path == os.path.abspath(item.path):
            return item
    return None


def _bumped(name: str) -> str:
    """The name one second later, so that the repaired file is the newer delivery."""
    match = _STAMP.search(name)
    if match is None:
        stem, dot, rest = name.partition(".")
        return f"{stem}_repaired{dot}{rest}"
    later = datetime.strptime(match[1], "%Y%m%dT%H%M%S") + timedelta(seconds=1)
    return name[: match.start()] + later.strftime("__%Y%m%dT%H%M%SZ") + name[match.end() :]


def replay(settings: Settings, contracts: Mapping[str, Contract], given: str) -> list[LedgerRow]:
    """Read one file again.

    Args:
        settings: where things are.
        contracts: all contracts.
        given: a file of the landing zone (its uri or path), or a repaired copy elsewhere whose name is that of a
            file in the landing zone; the copy is delivered beside the original as the newer one.

    Returns:
        The ledger lines written.

    Raises:
        WarehouseError: no such delivery is known.
    """
    items = list(landing_zone(settings, contracts).items())
    item = _find(items, given)
    original = item
    if item is None and Path(given).is_file() and not settings.landing_uri.startswith("s3://"):
        name = Path(given).name
        original = next((i for i in reversed(items) if i.name == name), None)
        if original is not None:
            target = Path(original.path).with_name(_bumped(name))
            while target.exists():
                target = target.with_name(_bumped(target.name))
            fresh = target.with_name(target.name + ".part")
            shutil.copy2(given, fresh)
            os.replace(fresh, target)
            item = _find(list(landing_zone(settings, contracts).items()), str(target))
    if item is None or original is None:
        raise WarehouseError(
            f"replay: {shown(given)} is not in the landing zone and no delivery has its name"
        )
    rows = run(settings, contracts, force=[item.uri])
    healed = next((row for row in rows if row.rows_loaded and row.sha256), None)
    if healed is not None:
        with opened(settings, contracts) as warehouse:
            warehouse.release(original.source_key, healed.sha256 or "", original.feed, original.brand)
    return rows
