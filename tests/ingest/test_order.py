"""Many deliveries, shuffled: the order of arrival changes nothing (content that comes back: test_return.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest import run as intake
from tests.ingest.orders import orders


@pytest.fixture(autouse=True)
def _parser_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage of :func:`orders` puts kept answers in the parser's place."""
    monkeypatch.setattr(intake, "parse_all", intake.parse_all)


def test_any_order_of_many_deliveries(tmp_path: Path) -> None:
    report = orders(tmp_path, 40, 3)
    assert report["parsed"] == 40
    assert len(report["states"]) == 1 and report["second_runs_that_changed_something"] == 0
