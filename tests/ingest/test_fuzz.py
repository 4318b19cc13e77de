"""A short fuzzing run; ``python -m tests.ingest.fuzz`` is the long one."""

from __future__ import annotations

from tests.ingest.fuzz import run


def test_fuzzed_files_are_all_accounted_for() -> None:
    report = run(120, seed=11)
    assert report["wrong"] == []
    assert report["files"] == 120
