"""One small warehouse for the whole suite: the reference files where they are present, and a hand-made world of two brands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.dbt import world

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
BIN = ROOT / ".venv" / "bin"
# The rooms whose models belong to this suite; the feature and output marts are tested beside their models.
CORE = "path:models/staging path:models/intermediate path:models/marts path:seeds"
OTHERS = "path:models/marts/outputs path:models/features fct_alert"


class Warehouse:
    """A DuckDB warehouse and the dbt project that builds it. The path never changes, so dbt parses once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "wh.duckdb"
        self.env = {
            **os.environ,
            "WAREHOUSE_TARGET": "duckdb",
            "WAREHOUSE_PATH": str(self.path),
            "LANDING_URI": str(folder / "landing"),
            "PII_HASH_KEY": "0123456789abcdef0123456789abcdef",
            "RUNS_DIR": str(folder / "runs"),
            "OMP_NUM_THREADS": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_WRITE_JSON": "true",
            "DBT_LOG_LEVEL_FILE": "none",
        }

    def reset(self) -> None:
        """An empty warehouse with the tables that the loader and the runner make."""
        self.path.unlink(missing_ok=True)
        for module in ("ingest", "modeling"):
            self.python("-m", module, "init")

    def python(self, *args: str) -> str:
        done = subprocess.run(
            [BIN / "python", *args], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def dbt(self, *args: str, check: bool = True, project: Path | None = None) -> str:
        command = [
            BIN / "dbt", "--no-version-check", "--no-use-colors", *args,
            "--project-dir", project or "dbt", "--profiles-dir", "dbt",
            "--target-path", self.folder / "target", "--log-path", self.folder / "logs",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)
        if check:
            assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def write(self, *statements: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="session")
def session_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(tmp_path_factory.mktemp("dbt"))


@pytest.fixture(scope="session")
def built_once(session_warehouse: Warehouse) -> Path:
    """The hand-made world and, where present, the real files, loaded by the loader and built with every test of the core marts."""
    warehouse = session_warehouse
    warehouse.reset()
    if SHARED.exists():
        for feed, source in world.REAL_FILES.items():
            folder = warehouse.folder / "landing" / "brand=lifesight" / feed
            folder.mkdir(parents=True)
            shutil.copy(SHARED / source, folder)
        warehouse.python("-m", "ingest", "run")
    with duckdb.connect(str(warehouse.path)) as connection:
        world.fill(connection, "alpha")
        world.fill(connection, "beta", times=3)
    warehouse.dbt("build", "--select", *CORE.split(), "--exclude", *OTHERS.split())
    kept = warehouse.path.with_suffix(".built")
    shutil.copy(warehouse.path, kept)
    return kept


@pytest.fixture(scope="module")
def built(session_warehouse: Warehouse, built_once: Path) -> Warehouse:
    """The built world as it was after its build, whatever the tests of another file have done to it."""
    shutil.copy(built_once, session_warehouse.path)
    return session_warehouse


@pytest.fixture
def real_files() -> None:
    if not SHARED.exists():
        pytest.skip(f"reference files are not here ({SHARED})")
