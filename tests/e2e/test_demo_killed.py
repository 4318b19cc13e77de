"""`make demo` on its real scheduler, killed with everything it started, then run again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from demo.stack import Stack
from settings import load_settings
from tests.e2e import chain

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 900


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run([sys.executable, "-m", "demo", "stop"], cwd=ROOT, env=_environment(tmp_path), check=False)


def _environment(folder: Path) -> dict[str, str]:
    return {
        **chain.environment(folder, folder / "landing"),
        "PII_HASH_KEY": "a key for tests that hides nothing",
        "DEMO_WEEKS": "60",
        "DEMO_SCALE": "0.2",
    }


def _demo(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "demo", "run"], cwd=ROOT, env=_environment(folder),
            stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip


def _kill_everything(process: subprocess.Popen[bytes], folder: Path) -> None:
    """SIGKILL to every process of this test's demo, as a power cut would.

    Airflow writes titles over its processes' environments, so these are found by the demo's list and their families.
    """
    parts = {part["pid"] for part in Stack(load_settings(_environment(folder))).parts().values()}
    mine = []
    for other in psutil.process_iter():
        with suppress(psutil.Error):
            named = other.environ().get("WAREHOUSE_PATH") == str(folder / "warehouse.duckdb")
            if named or other.pid in parts:
                mine += [other, *other.children(recursive=True)]
    for other in mine:
        with suppress(psutil.Error):
            other.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    psutil.wait_procs(mine, timeout=10)


def _wait_for(log: Path, text: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.2)


def _finish(folder: Path, log: Path) -> str:
    process = _demo(folder, log)
    assert process.wait(timeout=LIMIT_S) == 0, log.read_text()[-3000:]
    return log.read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    try:
        _finish(folder, folder / "demo.log")
    finally:
        subprocess.run([sys.executable, "-m", "demo", "stop"], cwd=ROOT, env=_environment(folder), check=True)
    return folder


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("families           success", 6.0),
        ("prepare_run_tables success", 9.0),
        ("plan_alone         success", 5.0),
    ],
    ids=["in a load", "in a dbt build", "in a fit"],
)
def test_a_killed_demo_ends_with_the_same_marts(
    after: str, seconds: float, undisturbed: Path, folder: Path
) -> None:
    log = folder / "killed.log"
    process = _demo(folder, log)
    _wait_for(log, after, process)
    time.sleep(seconds)
    _kill_everything(process, folder)
    assert not (folder / "serving.duckdb").exists()
    again = _finish(folder, folder / "again.log")
    assert "was killed with Airflow; starting again" in again
    assert chain.differences(folder, undisturbed) == []
    assert "nothing new" in _finish(folder, folder / "third.log")
