"""Killing a step of the chain, and reading what is served."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from demo.chain import environment, steps

ROOT = Path(__file__).resolve().parents[2]


def kill_when(folder: Path, landing: Path, name: str, ready: Callable[[], bool], limit: float = 300) -> bool:
    """Start one step and SIGKILL its whole process group as soon as ``ready`` says so; False if it ended before."""
    process = subprocess.Popen(
        steps(folder)[name], cwd=ROOT, env=environment(folder, landing), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + limit
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.05)
    return False


def served(folder: Path) -> tuple[int, str]:
    """Version and content hash of the serving copy."""
    with duckdb.connect(str(folder / "serving.duckdb"), read_only=True) as db:
        row = db.execute(
            "select version, content_hash from marts.fct_published_version order by version desc limit 1"
        ).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])
