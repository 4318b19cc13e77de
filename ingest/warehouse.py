"""The DuckDB warehouse as the intake sees it: one writer, one transaction per file."""

from __future__ import annotations

import re
import time
from pathlib import Path
from types import TracebackType

import duckdb

from ingest.contracts import Contract
from ingest.schema import statements

LOCK_WAIT_SECONDS = 60.0


class WarehouseError(RuntimeError):
    """The warehouse cannot be used now; the message is one clear line."""


def connect(path: Path, *, read_only: bool = False, wait: float = LOCK_WAIT_SECONDS) -> duckdb.DuckDBPyConnection:
    """Open the warehouse file, waiting a bounded time for another process to let go of it.

    Raises:
        WarehouseError: naming the process that holds the lock, or that the file is damaged.
    """
    deadline = time.monotonic() + wait
    pause = 0.05
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            text = str(error)
            if "lock" not in text.lower():
                raise WarehouseError(f"warehouse {path}: {text.splitlines()[0]}") from None
            if time.monotonic() > deadline:
                holder = re.search(r"PID (\d+)", text)
                who = f"process {holder[1]}" if holder else "another process"
                raise WarehouseError(f"warehouse {path} is locked by {who} (waited {wait:.0f} s)") from None
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


class DuckDBWarehouse:
    """Warehouse on one DuckDB file. Open late, close early: a context manager."""

    def __init__(self, path: Path, contracts: dict[str, Contract]) -> None:
        self.path = path
        self.contracts = contracts
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = connect(path)

    def __enter__(self) -> DuckDBWarehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def init(self) -> None:
        """Make every schema and table that the contracts declare and that does not exist yet."""
        for statement in statements(self.contracts.values()):
            self.connection.execute(statement)
        self.connection.execute("delete from intake.feed")
        self.connection.executemany(
            "insert into intake.feed values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (c.feed, c.family, c.partner, c.cadence, c.mode, c.restatement_days, c.event_date, c.timezone, c.version)
                for c in self.contracts.values()
            ],
        )
