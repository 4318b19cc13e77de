"""The first thing a newcomer runs: which Python it takes, and what it says when there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from settings import ROOT

WRONG = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "install", *words], cwd=folder, capture_output=True, text=True)


def test_a_wrong_python_leaves_no_environment_behind(clone: Path) -> None:
    wrong = program(clone / "bin" / "python3", WRONG)
    done = make(clone, f"PYTHON={wrong}")
    assert (
        done.returncode and "is no Python 3.11 or 3.12" in done.stdout and "PYTHON=python3.12" in done.stdout
    )
    assert not (clone / ".venv").exists()


def test_a_kept_environment_of_a_wrong_python_is_named_with_its_mend(clone: Path) -> None:
    program(clone / ".venv" / "bin" / "python", WRONG)
    done = make(clone, f"PYTHON={sys.executable}")
    assert done.returncode and "rm -rf .venv" in done.stdout


def test_the_makefile_takes_the_pythons_that_the_project_takes() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    low, high = re.findall(r"3\.(\d+)", wanted)
    assert f"(3, {low}) <= sys.version_info[:2] < (3, {high})" in (ROOT / "Makefile").read_text()


def test_the_documented_request_goes_where_the_api_listens() -> None:
    """`make api` and the example of docs/dashboard.md name one port, and the token is set before it is used."""
    text = (ROOT / "docs" / "dashboard.md").read_text()
    port = re.search(r'"API", (\d+),', (ROOT / "demo" / "__main__.py").read_text())
    assert (
        port and f"http://127.0.0.1:{port[1]}/v1/" in text and text.index("TOKEN=$(") < text.index("$TOKEN")
    )
