"""The demo's made-up files: whole or not there at all, and their truth never beside somebody else's data."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo.__main__ import _truth, make_world
from ingest.contracts import load_contracts
from ingest.run import landing_zone
from settings import Settings, load_settings


def _settings(folder: Path, landing: str) -> Settings:
    return load_settings(
        {"WAREHOUSE_PATH": str(folder / "data" / "w.duckdb"), "LANDING_URI": str(folder / landing)}
    )


class Simulator:
    """Stands in for ``python -m simulator``: writes a file, and may be killed before the second one."""

    def __init__(self) -> None:
        self.killed = False

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        out = Path(command[command.index("--out") + 1])
        for part in ("landing/meta_ads", "truth"):
            (out / part).mkdir(parents=True, exist_ok=True)
        (out / "landing/meta_ads/meta_ads_20260801_20260801__20260802T060000Z.ndjson").write_text("{}\n")
        if self.killed:
            raise KeyboardInterrupt
        (out / "truth/channel.csv").write_text("channel,roi\n")
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    fake = Simulator()
    monkeypatch.setattr("demo.__main__.subprocess.run", fake)
    return fake


@pytest.mark.parametrize("name", ["landing", "inbox"])
def test_a_demo_killed_while_it_writes_files_starts_over(
    tmp_path: Path, simulator: Simulator, name: str
) -> None:
    settings = _settings(tmp_path, name)
    simulator.killed = True
    with pytest.raises(KeyboardInterrupt):
        make_world(settings, 0.0)
    assert not (tmp_path / name).exists()
    simulator.killed = False
    make_world(settings, 0.0)
    assert [item.feed for item in landing_zone(settings, load_contracts()).items()] == ["meta_ads"]
    truth = _truth(settings)
    assert truth is not None
    assert (truth / "channel.csv").is_file()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_files_that_are_there_stay_and_get_no_truth(tmp_path: Path, simulator: Simulator) -> None:
    settings = _settings(tmp_path, "landing")
    make_world(settings, 0.0)
    own = _settings(tmp_path, "own")
    (tmp_path / "own/roundel").mkdir(parents=True)
    (tmp_path / "own/roundel/a.csv").write_text("x\n")
    make_world(own, 0.0)
    assert [p.name for p in (tmp_path / "own").rglob("*") if p.is_file()] == ["a.csv"]
    assert _truth(own) is None
