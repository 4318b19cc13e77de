"""The commands of the DAGs one after the other, without a scheduler: for tests and studies over many worlds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from settings import ROOT


class ChainError(RuntimeError):
    """A step failed; the message has its last lines."""


def dbt_build(folder: Path, *words: str) -> list[str]:
    """Command of a dbt build whose artefacts stay in ``folder``."""
    dbt = str(Path(sys.executable).parent / "dbt")
    places = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    return [
        dbt,
        "--no-version-check",
        "--quiet",
        "build",
        "--project-dir",
        "dbt",
        "--profiles-dir",
        "dbt",
        "--exclude-resource-type",
        "unit_test",
        *places,
        *words,
    ]


def steps(folder: Path, jobs: str | None = None) -> dict[str, list[str]]:
    """Name -> command, in the order in which assets start the DAGs."""
    python = [sys.executable, "-m"]
    return {
        "ingest": [*python, "ingest", "run"],
        "prepare": [*python, "modeling", "init"],
        "core": dbt_build(folder, "--exclude", "tag:outputs"),
        "fit": [*python, "modeling", "run", *(["--jobs", jobs] if jobs else [])],
        "outputs": dbt_build(folder, "--select", "tag:outputs"),
        "alerts": [*python, "alerts", "run"],
        "publish": [*python, "serving", "publish"],
    }


def environment(folder: Path, landing: Path) -> dict[str, str]:
    """Settings of a chain that keeps everything below ``folder``."""
    return {
        **os.environ,
        "WAREHOUSE_TARGET": "duckdb",
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "SERVING_PATH": str(folder / "serving.duckdb"),
        "RUNS_DIR": str(folder / "runs"),
        "LANDING_URI": str(landing),
        "PYTHONPATH": str(ROOT),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # a build needs no manifest.json (3 of its 7 s of start), and the console has what the debug log file repeats
        "DBT_WRITE_JSON": "false",
        "DBT_LOG_LEVEL_FILE": "none",
        "DBT_CACHE_SELECTED_ONLY": "true",
        "DO_NOT_TRACK": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def run(folder: Path, landing: Path, only: Iterable[str] | None = None, jobs: str | None = None) -> None:
    """Run the steps, or those named in ``only``.

    Raises:
        ChainError: a step failed.
    """
    wanted = None if only is None else set(only)
    for name, command in steps(folder, jobs).items():
        if wanted is not None and name not in wanted:
            continue
        done = subprocess.run(
            command, cwd=ROOT, env=environment(folder, landing), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ChainError(f"{name}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}")
