"""The documents name what exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_room_of_the_architecture_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = set(re.findall(r"`([a-z]+)/`", text)) | {"modeling", "tests"}
    assert {"ingest", "dbt", "serving", "dags", "simulator"} <= rooms
    assert [r for r in rooms if not (ROOT / r).is_dir()] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_links_and_make_targets_in_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    links = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    assert [t for t in links if not (ROOT / t).exists()] == []
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`make ([a-z0-9-]+)", text)) | set(re.findall(r"^make ([a-z0-9-]+)", text, re.M))
    assert named <= targets


def test_every_promised_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "test", "lint", "dashboard", "airflow", "docs", "stop", "bench", "test-redshift", "test-browser",
            "clean"} <= targets  # fmt: skip


def test_continuous_integration_runs_what_the_readme_names() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "make lint" in script
    assert "make test" in script


def test_scripts_named_in_documents_exist() -> None:
    text = "".join(p.read_text() for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
    named = set(re.findall(r"\b(benchmarks/[a-z0-9_]+\.py)", text))
    assert [n for n in named if not (ROOT / n).is_file()] == []


def test_the_walls_between_the_rooms_hold() -> None:
    done = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_file_is_larger_than_a_sitting() -> None:
    """A file is read in one sitting: code files stay below 650 lines."""
    tracked = subprocess.run(
        ["git", "ls-files", "*.py", "*.sql"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    long = {f: n for f in tracked.stdout.split() if (ROOT / f).is_file()
            and not f.startswith("tests/") and (n := len((ROOT / f).read_text().splitlines())) > 650}  # fmt: skip
    assert long == {}
