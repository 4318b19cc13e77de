"""The commands that the DAGs run, one after the other, on a folder of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[2]
DBT = str(ROOT / ".venv" / "bin" / "dbt")


def dbt(folder: Path, *words: str) -> list[str]:
    return [DBT, "--no-version-check", "--quiet", "build", "--project-dir", "dbt", "--profiles-dir", "dbt",
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"), *words]  # fmt: skip


def steps(folder: Path) -> dict[str, list[str]]:
    """Name -> command, in order."""
    python = [sys.executable, "-m"]
    return {
        "ingest": [*python, "ingest", "run"],
        "prepare": [*python, "modeling", "init"],
        "core": dbt(folder, "--exclude", "tag:outputs"),
        "fit": [*python, "modeling", "run"],
        "outputs": dbt(folder, "--select", "tag:outputs"),
        "alerts": [*python, "alerts", "run"],
        "alert_mart": dbt(folder, "--select", "fct_alert"),
        "publish": [*python, "serving", "publish"],
    }


def environment(folder: Path, landing: Path) -> dict[str, str]:
    return {
        **os.environ,
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "SERVING_PATH": str(folder / "serving.duckdb"),
        "RUNS_DIR": str(folder / "runs"),
        "LANDING_URI": str(landing),
        "PII_HASH_KEY": "a key for tests that hides nothing",
        "PYTHONPATH": str(ROOT),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def run(folder: Path, landing: Path, only: list[str] | None = None) -> None:
    """Run the steps (or some of them); a failing one stops the chain and shows its last lines."""
    for name, command in steps(folder).items():
        if only is not None and name not in only:
            continue
        done = subprocess.run(
            command, cwd=ROOT, env=environment(folder, landing), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"


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
