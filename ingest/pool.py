"""A few parser processes, fed in parallel, each file under a time limit; a dead one is replaced."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from ingest.landing import Item

ROOT = Path(__file__).resolve().parents[1]
SECONDS_PER_FILE = float(os.environ.get("INGEST_FILE_SECONDS", 3600))


class Parser:
    """One parser process."""

    def __init__(self, setup: dict[str, Any]) -> None:
        env = {k: v for k, v in os.environ.items() if k != "PII_HASH_KEY"}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))
        env.setdefault("OMP_NUM_THREADS", "1")
        env["ARROW_DEFAULT_MEMORY_POOL"] = (
            "system"  # its own pool reserves a gigabyte, which the limit would count
        )
        env.setdefault("MALLOC_ARENA_MAX", "4")
        env.setdefault("OPENBLAS_NUM_THREADS", "1")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ingest.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=str(ROOT),
            stderr=None if os.environ.get("INGEST_DEBUG") else subprocess.DEVNULL,
        )  # fmt: skip
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the parser process has no pipes")
        self._in, self._out = self.process.stdin, self.process.stdout
        self._buffer = b""
        self._send(setup)

    def _send(self, message: dict[str, Any]) -> None:
        self._in.write(json.dumps(message).encode() + b"\n")
        self._in.flush()

    def ask(self, item: Item, force: bool, seconds: float) -> dict[str, Any] | None:
        """The answer for one delivery; None when the process died, a LIMIT answer when it took too long."""
        try:
            self._send({"item": item.message(), "force": force})
        except (BrokenPipeError, OSError):
            return None
        handle = self._out.fileno()
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([handle], [], [], seconds)
            if not ready:
                self.close(kill=True)
                return {
                    "outcome": "LIMIT",
                    "reason": "time_limit",
                    "detail": f"more than {seconds:.0f} s",
                    "sha256": None,
                }
            chunk = os.read(handle, 1 << 16)
            if not chunk:
                return None
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self, kill: bool = False) -> None:
        """End the process."""
        if kill:
            self.process.kill()
        else:
            with contextlib.suppress(OSError):
                self._in.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._out.close()


def _settle(
    parser: Parser, setup: dict[str, Any], item: Item, force: bool, seconds: float
) -> tuple[Parser, dict[str, Any]]:
    """Ask; after a crash or a limit ask once more in a fresh process, then refuse the file."""
    answer = parser.ask(item, force, seconds)
    if answer is not None and answer["outcome"] != "LIMIT":
        return parser, answer
    first = answer or {"reason": "parser_crashed", "detail": "", "sha256": None}
    parser.close(kill=True)
    parser = Parser(setup)
    if first["reason"] != "time_limit":
        answer = parser.ask(item, force, seconds)
        if answer is not None and answer["outcome"] != "LIMIT":
            return parser, answer
        first = answer or {"reason": "parser_crashed", "detail": "", "sha256": None}
        parser.close(kill=True)
        parser = Parser(setup)
    return parser, {**first, "outcome": "QF"}


def parse_all(
    items: Iterable[Item],
    setup: dict[str, Any],
    *,
    workers: int,
    force: bool = False,
    seconds: float = SECONDS_PER_FILE,
    done: Callable[[Item], None] | None = None,
) -> list[tuple[Item, dict[str, Any]]]:
    """Parse deliveries in ``workers`` processes; answers in the order of ``items``."""
    queue: Queue[tuple[int, Item]] = Queue()
    listed = list(items)
    for index, item in sorted(enumerate(listed), key=lambda pair: -pair[1].size):
        queue.put((index, item))
    answers: dict[int, dict[str, Any]] = {}
    failures: list[BaseException] = []

    def serve() -> None:
        parser: Parser | None = None
        try:
            while not failures:
                try:
                    index, item = queue.get_nowait()
                except Empty:
                    break
                parser = parser or Parser(setup)
                parser, answers[index] = _settle(parser, setup, item, force, seconds)
                if done is not None:
                    done(item)
        except BaseException as error:
            failures.append(error)
        finally:
            if parser is not None:
                parser.close(kill=bool(failures))

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(max(1, min(workers, len(listed))))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [(item, answers[index]) for index, item in enumerate(listed)]
