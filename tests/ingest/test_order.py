"""Many deliveries, shuffled: the order of arrival changes nothing (content that comes back: test_return.py)."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from ingest import run as intake
from ingest.contracts import load_contracts
from tests.ingest.helpers import settings_for
from tests.ingest.orders import orders, unlike


@pytest.fixture(autouse=True)
def _parser_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage of :func:`orders` puts kept answers in the parser's place."""
    monkeypatch.setattr(intake, "parse_all", intake.parse_all)


def test_any_order_of_many_deliveries(tmp_path: Path) -> None:
    report = orders(tmp_path, 40, 3)
    assert report["parsed"] == 40
    assert len(report["states"]) == 1 and report["second_runs_that_changed_something"] == 0


def test_rows_that_differ_are_named(tmp_path: Path) -> None:
    both = [settings_for(tmp_path / name) for name in ("one", "other")]
    for settings in both:
        with intake.opened(settings, load_contracts()):
            pass
    assert unlike(*both) == []
    with duckdb.connect(str(both[1].warehouse_path)) as connection:
        connection.execute(
            "insert into intake.partition_version (feed, partition_key) values ('roundel', 'k')"
        )
    (found,) = unlike(*both)
    assert (
        found.startswith("only other: select * from intake.partition_version: ") and "'roundel', 'k'" in found
    )
