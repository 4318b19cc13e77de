"""The DuckDB warehouse's file: opening it while others may hold it, and what its one writer keeps in memory."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

import duckdb

from ingest.outcomes import ABORT, LOADED_WORDS, NOOP, WAIT
from ingest.rows import Run
from ingest.warehouse import WarehouseError

LOCK_WAIT_SECONDS = float(os.environ.get("INGEST_LOCK_SECONDS", 180))
#: Memory of the writer; a restatement of many millions of rows goes to disk beyond it.
WRITER_MEMORY = os.environ.get("INGEST_WRITER_MEMORY", "768MB")


def connect(
    path: Path, *, read_only: bool = False, wait: float = LOCK_WAIT_SECONDS
) -> duckdb.DuckDBPyConnection:
    """Open the warehouse file, waiting a bounded time for another process to let go of it.

    Raises:
        WarehouseError: naming the process that holds the lock, or that the file is damaged.
    """
    deadline = time.monotonic() + wait
    pause = 0.05
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.Error as error:
            text = str(error)
            if "lock" not in text.lower() or not isinstance(error, duckdb.IOException):
                raise WarehouseError(f"warehouse {path}: {text.splitlines()[0]}") from None
            if time.monotonic() > deadline:
                holder = re.search(r"PID (\d+)", text)
                who = f"process {holder[1]}" if holder else "another process"
                raise WarehouseError(f"warehouse {path} is locked by {who} (waited {wait:.0f} s)") from None
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


class Index:
    """What the ledger and the partition versions say, held while this process is the only writer."""

    def __init__(self, run: Run) -> None:
        self.content: dict[tuple[str, str, str], str] = {}  # brand, feed, sha -> place of the loaded file
        self.repeated: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}  # sha -> first and last time
        self.places: dict[str, list[tuple[str, str]]] = {}  # place -> (sha, delivered_at) of what lay there
        self._first: dict[tuple[str, str, str], str] = {}
        self.unsettled: set[str] = set()
        self.lines: set[str] = set()
        self.versions: dict[tuple[str, str], dict[str, list[tuple[str, str]]]] = {}
        for line, brand, feed, sha, place, delivered, word, reason, rows in run(
            "select ledger_id, brand_id, feed, sha256, source_key, delivered_at::varchar, outcome, reason, rows_file "
            "from intake.ledger"
        ).fetchall():
            self.add_line(line, brand, feed, sha, place, delivered, word, reason, rows)
        for brand, feed, key, sha, delivered in run(
            "select brand_id, feed, partition_key, file_id, delivered_at::varchar from intake.partition_version"
        ).fetchall():
            self.add_version(brand, feed, key, sha, delivered)

    def add_line(
        self,
        line: str,
        brand: str,
        feed: str,
        sha: str | None,
        place: str,
        delivered: str,
        word: str,
        reason: str,
        rows: int,
    ) -> None:
        self.lines.add(line)
        if word in (WAIT, ABORT):
            self.unsettled.add(place)
        same = word == NOOP and reason == "same_content"
        if sha is None or not (same or word in LOADED_WORDS):
            return
        self.places.setdefault(place, []).append((sha, delivered))
        if rows > 0:
            self.content.setdefault((brand, feed, sha), place)
        if rows > 0 or same:
            first = self._first.setdefault((brand, feed, sha), delivered)
            if first != delivered:
                low, high = self.repeated.setdefault((brand, feed), {}).get(sha, (first, first))
                self.repeated[brand, feed][sha] = min(low, delivered), max(high, delivered)

    def surrounded(self, brand: str, feed: str, sha: str, delivered: str) -> bool:
        """Whether another content was delivered both before and after this delivery."""
        spans = self.repeated.get((brand, feed), {})
        return any(other != sha and low <= delivered <= high for other, (low, high) in spans.items())

    def add_version(self, brand: str, feed: str, key: str, sha: str, delivered: str) -> None:
        self.versions.setdefault((brand, feed), {}).setdefault(key, []).append((delivered, sha))

    def settled(self, brand: str, feed: str, rows: Iterable[tuple[str, str, str]]) -> None:
        """Versions (key, sha, delivered_at) in the place of those that were known of the same keys."""
        known = self.versions.setdefault((brand, feed), {})
        fresh: dict[str, list[tuple[str, str]]] = {}
        for key, sha, delivered in rows:
            fresh.setdefault(key, []).append((delivered, sha))
        known.update(fresh)
