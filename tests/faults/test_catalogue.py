"""The fault catalogue against the pipeline: exact outcome word, reason and counts in the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.catalogue import Case, cases
from tests.faults.harness import complaints, play


def quick() -> list[Case]:
    """One or two feeds for each kind of fault, another pair for each, so that all feeds and faults occur."""
    chosen: dict[tuple[int, str], int] = {}
    feeds: dict[str, int] = {}
    out = []
    for case in cases():
        key = (case.fault, case.label.split(" ")[0])
        if chosen.get(key, 0) < 1 and feeds.get(case.feed, 0) < 9:
            chosen[key] = chosen.get(key, 0) + 1
            feeds[case.feed] = feeds.get(case.feed, 0) + 1
            out.append(case)
    return out


def test_catalogue_is_large() -> None:
    listed = list(cases())
    assert len(listed) >= 600
    assert len({(c.fault, c.label, c.feed) for c in listed}) == len(listed)


def test_every_fault_once(tmp_path: Path) -> None:
    listed = quick()
    assert len({case.fault for case in listed}) >= 55
    assert complaints(play(listed, tmp_path)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_every_fault_in_every_feed(tmp_path: Path, part: int) -> None:
    listed = [case for index, case in enumerate(cases()) if index % 8 == part]
    assert complaints(play(listed, tmp_path)) == []
