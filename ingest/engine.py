"""The in-memory engine of a parser process, and what it is told about a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ingest.contracts import Contract
from ingest.pii import Hasher, mask_text, normal_text
from ingest.rows import runner
from ingest.slow import json_reads, slow_value, why


@dataclass(frozen=True)
class Task:
    """What the parser needs to know about a delivery besides its bytes."""

    contract: Contract
    contracts: Mapping[str, Contract]
    delivered: str
    window: tuple[str, str] | None
    folder: Path
    hasher: Hasher
    suppressed: frozenset[str] = frozenset()
    stem: str = ""  # the file's name without endings and stamps


class Engine:
    """One in-memory DuckDB of the parser process, with the Python functions that the expressions call."""

    def __init__(self, hasher: Hasher, folder: Path, memory_limit: str = "512MB", threads: int = 1) -> None:
        self.connection = duckdb.connect(
            config={"threads": threads, "memory_limit": memory_limit, "temp_directory": str(folder / "spill")}
        )
        self.run = runner(self.connection)
        self._zone = ""
        add = self.connection.create_function

        def keyed_hash(kinds: Any, texts: Any) -> Any:
            kind = kinds[0].as_py() if len(kinds) else "id"
            return pa.array([hasher(kind, text) for text in texts.to_pylist()], type=pa.string())

        add(
            "keyed_hash", keyed_hash, ["VARCHAR", "VARCHAR"], "VARCHAR", type="arrow", null_handling="special"
        )
        add("mask_text", mask_text, ["VARCHAR"], "VARCHAR")
        add("slow_value", slow_value, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling="special")
        add("why", why, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling="special")
        add("normal_text", normal_text, ["VARCHAR"], "VARCHAR")
        add("json_reads", json_reads, ["VARCHAR", "BOOLEAN"], "BOOLEAN")
        self.connection.execute("set preserve_insertion_order = true")
        # This rewrite turns a try_cast over a text column into a typed read, which fails the file on its first bad cell.
        self.connection.execute("set disabled_optimizers = 'type_pushdown'")
        self.zone("UTC")

    def column(self, sql: str) -> np.ndarray[Any, Any]:
        """The one column of a query as an array."""
        columns: dict[str, np.ndarray[Any, Any]] = self.connection.execute(sql).fetchnumpy()
        return next(iter(columns.values()))

    def zone(self, name: str) -> None:
        """Read times without an offset as times of this zone."""
        if name != self._zone:
            self.run(f"set timezone = '{name}'")
            self._zone = name
