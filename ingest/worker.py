"""The parser process: takes deliveries as JSON lines, answers with JSON lines, never touches the warehouse.

It runs with limits on memory, processor time and file size, so that a hostile file can only hurt this process.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

from ingest.contracts import load_contracts
from ingest.engine import Engine, Task
from ingest.failpoints import reach
from ingest.landing import Item, stem
from ingest.outcomes import Failed, NotYet, Refused, Seen, Settled
from ingest.parse import parse
from ingest.pii import Hasher
from ingest.preflight import open_source, receive, unchanged

CPU_SECONDS_PER_FILE = int(os.environ.get("INGEST_FILE_CPU_SECONDS", 1800))


class _Without:
    """Import hook that hides a package: pyarrow would import pandas (1.5 s) although nothing here needs it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse the one name."""
        if name == self.name:
            raise ModuleNotFoundError(name)


def _limits(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _more_time() -> None:
    """Allow the next file its own processor time (the limit counts the life of the process)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + CPU_SECONDS_PER_FILE
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )


class Worker:
    """State of one parser process."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.contracts = load_contracts()
        self.hasher = Hasher(bytes.fromhex(setup["key"]))
        self.folder = Path(setup["folder"])
        self.known: dict[str, str] = setup["known"]
        self.suppressed = {brand: frozenset(hashes) for brand, hashes in setup["suppressed"].items()}
        self.engine = Engine(self.hasher, self.folder, setup["memory"], setup["threads"])

    def handle(self, item: Item, force: bool) -> dict[str, Any]:
        """Read one delivery and answer what became of it."""
        contract = self.contracts[item.feed]
        answer: dict[str, Any] = {"sha256": None, "size": item.size, "detail": ""}
        source, before = self._open(item)
        with source:
            try:
                received = receive(
                    source,
                    item.name,
                    self.folder,
                    encoding=contract.encoding,
                    in_memory=contract.has_pii,
                    quoting=contract.format == "csv",
                    footer_delimiter=contract.delimiter.encode() if contract.footer_block else b"",
                )
            except Refused as error:
                answer["sha256"], answer["size"] = (
                    getattr(error, "sha256", None),
                    getattr(error, "size", item.size),
                )
                if before is not None:
                    unchanged(item.path, before, source.fileno())
                return {**answer, "outcome": error.outcome, "reason": error.reason, "detail": error.detail}
            try:
                reach("worker_after_receive")
                answer["sha256"], answer["size"] = received.sha256, received.size
                if before is not None:
                    unchanged(item.path, before, source.fileno())
                promised = dict(item.manifest)
                if promised.get("sha256", received.sha256) != received.sha256 or (
                    promised.get("bytes", str(received.size)) != str(received.size)
                ):
                    if received.size < int(promised.get("bytes", "0") or 0):
                        raise NotYet("incomplete", "smaller than its manifest says")
                    raise Refused("manifest_mismatch", "size or digest differ from the manifest")
                if not force and f"{item.brand}|{item.feed}|{received.sha256}" in self.known:
                    raise Seen("same_content", "these bytes are loaded already")
                task = Task(
                    contract, self.contracts, item.delivered, item.window, self.folder, self.hasher,
                    self.suppressed.get(item.brand, frozenset()), stem(item.name),
                )  # fmt: skip
                parsed = parse(self.engine, received, task)
                if before is not None:  # the bytes were read twice: by the scanner and by the engine
                    unchanged(item.path, before, source.fileno())
                if promised.get("rows", str(parsed.rows_file)) not in (
                    str(parsed.rows_file), str(parsed.rows_file - parsed.rows_declared)
                ):  # fmt: skip
                    raise Refused("row_count_mismatch", "rows differ from the manifest")
                reach("worker_after_parse")
                return {**answer, "outcome": "PARSED", "reason": "", "parsed": vars(parsed)}
            except Settled as error:
                return {**answer, "outcome": error.outcome, "reason": error.reason, "detail": error.detail}
            finally:
                received.close()

    def _open(self, item: Item) -> tuple[Any, os.stat_result | None]:
        if item.path.startswith("s3://"):
            from ingest.landing_s3 import fetch

            return fetch(item, self.folder, in_memory=self.contracts[item.feed].has_pii), None
        source = open_source(item.path)
        return source, os.fstat(source.fileno())


def _answer(worker: Worker, message: dict[str, Any]) -> dict[str, Any]:
    item = Item(
        **{
            **message["item"],
            "window": tuple(message["item"]["window"] or ()) or None,
            "manifest": tuple(tuple(pair) for pair in message["item"]["manifest"]),
        }
    )
    try:
        _more_time()
        return worker.handle(item, message.get("force", False))
    except Settled as error:
        return {"outcome": error.outcome, "reason": error.reason, "detail": error.detail, "sha256": None}
    except MemoryError:
        return {"outcome": "LIMIT", "reason": "memory_limit", "detail": "", "sha256": None}
    except OSError as error:
        failed = Failed("work_disk", os.strerror(error.errno or 0))
        return {"outcome": failed.outcome, "reason": failed.reason, "detail": failed.detail, "sha256": None}
    except Exception as error:
        name = type(error).__name__
        if name == "OutOfMemoryException":
            return {"outcome": "LIMIT", "reason": "memory_limit", "detail": "", "sha256": None}
        if name in ("IOException", "FatalException") and "space" in str(error).lower():
            return {"outcome": "ABORT", "reason": "work_disk", "detail": "no space left", "sha256": None}
        if os.environ.get("INGEST_DEBUG"):
            traceback.print_exc()
        return {"outcome": "LIMIT", "reason": "unreadable", "detail": name, "sha256": None}


def main() -> None:
    """Serve until standard input closes."""
    sys.meta_path.insert(0, _Without("pandas"))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    setup = json.loads(sys.stdin.readline())
    _limits(int(setup["limit_bytes"]))
    worker = Worker(setup)
    for line in sys.stdin:
        answer = _answer(worker, json.loads(line))
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
