"""Deliveries out of order, on both warehouses: what is current and what was believed do not depend on the order."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from ingest import run as intake
from ingest.contracts import load_contracts
from settings import Settings, load_settings
from tests.faults.catalogue import good_rows, render, sources
from tests.ingest.helpers import place, settings_for
from tests.ingest.orders import orders
from tests.redshift.conftest import environment, standin, warehouse  # noqa: F401  (fixtures)

CONTRACTS = load_contracts()
STAMPS = ("20261001T000000Z", "20261002T000000Z", "20261003T000000Z", "20261004T000000Z")


@pytest.fixture(autouse=True)
def _parser_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage of :func:`orders` puts kept answers in the parser's place."""
    monkeypatch.setattr(intake, "parse_all", intake.parse_all)


def versions(feed: str) -> list[tuple[str, bytes]]:
    """Old content, new content, the old content again, and a third: the newest but one takes the newer one back."""
    contract = CONTRACTS[feed]
    spot = next(
        i for i, (_, f) in enumerate(sources(contract)) if f.type == "integer" and f.name not in contract.key
    )
    contents = []
    for number in range(3):
        rows = good_rows(contract, 6)
        for row in rows[: 6 - number]:
            row[spot] = str(number + 1)
        contents.append(render(contract, rows))
    listed = zip(STAMPS, (contents[0], contents[1], contents[0], contents[2]), strict=True)
    return [(f"{feed}_{stamp[6:8]}__{stamp}.{contract.format}", data) for stamp, data in listed]


def held(settings: Settings, feed: str, brand: str) -> list[Any]:
    """Current and superseded rows of a brand, with their file, times and successor."""
    names = ", ".join(f'"{name}"' for name, _ in CONTRACTS[feed].columns if name != "brand_id")
    with intake.opened(settings, CONTRACTS, read_only=True) as opened:
        return [
            sorted(str(tuple(row.values())) for row in opened.query(f"{sql} where brand_id = ?", [brand]))
            for sql in (
                f"select {names} from raw.{feed}",
                f"select {names}, _superseded_by, _superseded_at from raw_history.{feed}",
                "select feed, partition_key, file_id, delivered_at from intake.partition_version",
            )
        ]


def every_order(settings: Settings, feed: str, orders: list[tuple[int, ...]]) -> list[list[Any]]:
    """What is held after each order, each under a brand of its own; one run a file."""
    files, landing = versions(feed), Path(settings.landing_uri)
    for turn in range(len(files)):
        for number, order in enumerate(orders):
            name, data = files[order[turn]]
            place(landing / f"brand=order{number}" / feed / name, data)
        intake.run(settings, CONTRACTS)
    assert intake.run(settings, CONTRACTS) == []
    return [held(settings, feed, f"order{number}") for number in range(len(orders))]


@pytest.mark.parametrize("feed", ["google_ads_campaign", "crm_customers"])
def test_content_between_two_others_counts_in_any_order(feed: str, tmp_path: Path) -> None:
    found = every_order(settings_for(tmp_path), feed, list(itertools.permutations(range(4)))[::3])
    assert all(state == found[0] for state in found)
    current, past, _ = found[0]
    assert len(current) == 6 and len(past) == 18  # the old content was current twice


def test_any_order_of_many_deliveries(tmp_path: Path) -> None:
    report = orders(tmp_path, 40, 3)
    assert report["parsed"] == 40
    assert len(report["states"]) == 1 and report["second_runs_that_changed_something"] == 0


@pytest.mark.redshift
@pytest.mark.parametrize("feed", ["google_ads_campaign", "crm_customers"])
def test_content_between_two_others_counts_in_any_order_on_redshift(
    feed: str,
    environment: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    settings = load_settings(
        {**environment, "LANDING_URI": str(tmp_path / "landing"), "WAREHOUSE_PATH": str(tmp_path / "w.duckdb"),
         "SERVING_PATH": str(tmp_path / "s.duckdb")}
    )  # fmt: skip
    found = every_order(settings, feed, [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 1, 0), (1, 2, 0, 3)])
    assert all(state == found[0] for state in found)
    assert [len(part) for part in found[0]][:2] == [6, 18]
