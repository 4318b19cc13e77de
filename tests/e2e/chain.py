"""Killing a step of the chain, and reading what is served."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from demo.chain import environment, steps
from serving.publish import VOLATILE_COLUMNS, VOLATILE_TABLES, mart_tables

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


def differences(one: Path, other: Path) -> list[str]:
    """Marts of two serving copies that differ: other rows, another value, or a float beyond 1e-9 of its size.

    Sums of the same rows in another order differ in the last digits, so floats have that room; run bookkeeping
    (load times, ids of loads) is left out.
    """
    found = []
    with (
        duckdb.connect(str(one / "serving.duckdb"), read_only=True) as a,
        duckdb.connect(str(other / "serving.duckdb"), read_only=True) as b,
    ):
        if mart_tables(a) != mart_tables(b):
            return ["the list of marts"]
        for table in mart_tables(a):
            if table in VOLATILE_TABLES:
                continue
            left, right = (_rows(db, table) for db in (a, b))
            floats = list(left.select_dtypes("floating").columns)
            keys = [c for c in left.columns if c not in floats]
            same = len(left) == len(right) and left[keys].equals(right[keys])
            if not same or not np.allclose(left[floats], right[floats], rtol=1e-9, atol=1e-9, equal_nan=True):
                found.append(table)
    return found


def _rows(db: duckdb.DuckDBPyConnection, table: str) -> pd.DataFrame:
    frame = db.execute(f'select * from marts."{table}"').df()
    frame = frame.drop(columns=[c for c in frame.columns if c in VOLATILE_COLUMNS])
    floats = set(frame.select_dtypes("floating").columns)
    for column in frame.columns:
        if column not in floats:
            frame[column] = frame[column].astype(str)
    order = [c for c in frame.columns if c not in floats] + [c for c in frame.columns if c in floats]
    return frame.sort_values(order, kind="stable").reset_index(drop=True)
