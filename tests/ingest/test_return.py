"""A partner takes a restatement back: the first content, delivered again as the newest, is current again."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from ingest import run as intake
from ingest.conserve import problems
from ingest.contracts import load_contracts
from ingest.forget import forget
from ingest.landing import Item
from ingest.worker import Worker
from settings import Settings, load_settings
from tests.faults.catalogue import good_rows, render, sources
from tests.ingest.helpers import place, settings_for

CONTRACTS = load_contracts()
FEEDS = ["google_ads_campaign", "crm_customers"]  # replaced by day, merged by key


@pytest.fixture(autouse=True)
def parser_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes a run would be most of these tests' time; and one key, so that two warehouses can be compared."""

    def parse_all(
        batch: list[Item], setup: dict[str, Any], *, workers: int, force: bool
    ) -> list[tuple[Item, dict[str, Any]]]:
        worker = Worker(setup)
        answers = [(item, json.loads(json.dumps(worker.handle(item, force)))) for item in batch]
        worker.engine.connection.close()
        return answers

    monkeypatch.setattr(intake, "parse_all", parse_all)
    monkeypatch.setenv("PII_HASH_KEY", "0123456789abcdef0123456789abcdef")


def content(feed: str, value: int, first: int, rows: int, bad: bool = False) -> bytes:
    """``rows`` rows from number ``first`` on (each a partition or key of its own) whose count is ``value``."""
    contract = CONTRACTS[feed]
    spot = next(
        i for i, (_, f) in enumerate(sources(contract)) if f.type == "integer" and f.name not in contract.key
    )
    listed = good_rows(contract, rows, first)
    dated = contract.mode == "replace" and next(
        i for i, (_, f) in enumerate(sources(contract)) if f.name == contract.event_date
    )
    for number, row in enumerate(listed, first):
        row[spot] = str(value * 10_000)  # more than any click
        if dated is not False:
            row[dated] = f"2026-09-{10 + number}"
    return render(contract, listed) + (b"only one cell\n" if bad else b"")


def name(feed: str, day: int, tag: str = "") -> str:
    return f"{feed}{tag}_{day}__202610{day:02d}T000000Z.{CONTRACTS[feed].format}"


def deliver(settings: Settings, brand: str, feed: str, files: list[tuple[str, bytes]]) -> None:
    for file, data in files:
        place(Path(settings.landing_uri) / f"brand={brand}" / feed / file, data)


def state(settings: Settings, feed: str, brand: str) -> list[Any]:
    """Current rows, superseded rows with their successor, versions, refused rows and warnings of a brand."""
    names = ", ".join(f'"{n}"' for n, _ in CONTRACTS[feed].columns if n != "brand_id")
    with intake.opened(settings, CONTRACTS, read_only=True) as opened:
        return [
            sorted(str(tuple(row.values())) for row in opened.query(f"{sql} where brand_id = ?", [brand]))
            for sql in (
                f"select {names} from raw.{feed}",
                f"select {names}, _superseded_by, _superseded_at from raw_history.{feed}",
                f"select partition_key, file_id, delivered_at, row_count from (select * from intake.partition_version where feed = '{feed}') as v",
                f"select sha256, line, reason, delivered_at from (select * from intake.quarantine where feed = '{feed}') as q",
                f"select sha256, code, detail, row_count from (select * from intake.warning where feed = '{feed}') as w",
            )
        ]


def sound(settings: Settings, feed: str) -> None:
    with intake.opened(settings, CONTRACTS, read_only=True) as opened:
        assert problems(opened, {feed: CONTRACTS[feed]}) == []


def values(settings: Settings, feed: str, brand: str) -> list[int]:
    contract = CONTRACTS[feed]
    spot = next(f.name for _, f in sources(contract) if f.type == "integer" and f.name not in contract.key)
    with intake.opened(settings, CONTRACTS, read_only=True) as opened:
        rows = opened.query(f'select "{spot}" as v from raw.{feed} where brand_id = ? order by 1', [brand])
    return [int(row["v"]) // 10_000 for row in rows]


def words(settings: Settings, brand: str) -> list[str]:
    """Outcomes of a brand's deliveries in the order of their stamps."""
    with intake.opened(settings, CONTRACTS, read_only=True) as opened:
        rows = opened.query(
            "select outcome from intake.ledger where brand_id = ? order by delivered_at, loaded_at", [brand]
        )
    return [str(row["outcome"]) for row in rows]


def story(feed: str) -> list[tuple[str, bytes]]:
    """A, B over a part of A and more, A again, A once more, C over an edge, B again: six rows and eight."""
    a, b, c = content(feed, 1, 0, 6, True), content(feed, 2, 3, 5, True), content(feed, 3, 4, 1)
    return [(name(feed, d), data) for d, data in ((1, a), (2, b), (3, a), (4, a), (5, c), (6, b))]


def every_order(settings: Settings, feed: str, orders: list[tuple[int, ...]]) -> list[list[Any]]:
    files = story(feed)
    for turn in range(len(files)):
        for number, order in enumerate(orders):
            deliver(settings, f"order{number}", feed, [files[order[turn]]])
        intake.run(settings, CONTRACTS)
    assert intake.run(settings, CONTRACTS) == []
    sound(settings, feed)
    return [state(settings, feed, f"order{number}") for number in range(len(orders))]


@pytest.mark.parametrize("feed", FEEDS)
def test_content_that_comes_back_is_current_again(feed: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    a, b = content(feed, 1, 0, 6), content(feed, 2, 3, 5)
    for day, data, now, word in (
        (10, a, [1] * 6, "LOAD"),
        (12, b, [1] * 3 + [2] * 5, "REPLACE"),
        (14, a, [1] * 6 + [2] * 2, "REPLACE"),  # only a part of B is taken back
        (16, a, [1] * 6 + [2] * 2, "NOOP"),
        (18, b, [1] * 3 + [2] * 5, "REPLACE"),
    ):
        deliver(settings, "x", feed, [(name(feed, day), data)])
        rows = intake.run(settings, CONTRACTS)
        assert [row.outcome for row in rows] == [word]
        assert values(settings, feed, "x") == now
        sound(settings, feed)
        assert intake.run(settings, CONTRACTS) == []
    deliver(settings, "x", feed, [(name(feed, 8), a), (name(feed, 17), b)])
    rows = intake.run(settings, CONTRACTS)
    assert [row.outcome for row in rows] == ["NOOP", "NOOP"]  # older stamps change no current row
    assert values(settings, feed, "x") == [1] * 3 + [2] * 5


@pytest.mark.parametrize("feed", FEEDS)
def test_one_run_is_like_many(feed: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(settings, "order0", feed, story(feed))
    intake.run(settings, CONTRACTS)
    assert intake.run(settings, CONTRACTS) == []
    other = settings_for(tmp_path / "other")
    assert state(settings, feed, "order0") == every_order(other, feed, [(0, 1, 2, 3, 4, 5)])[0]


@pytest.mark.parametrize("feed", FEEDS)
def test_every_order_ends_the_same(feed: str, tmp_path: Path) -> None:
    orders = list(itertools.permutations(range(6)))[::55]
    found = every_order(settings_for(tmp_path), feed, orders)
    assert [number for number, got in enumerate(found) if got != found[0]] == []
    assert [len(part) for part in found[0]][:2] == [8, 10]


def test_the_same_place_overwritten_and_put_back(tmp_path: Path) -> None:
    settings, feed = settings_for(tmp_path), FEEDS[0]
    a, b = content(feed, 1, 0, 6, True), content(feed, 2, 0, 6, True)
    for turn, data in enumerate((a, b, a, b, a)):
        deliver(settings, "x", feed, [(name(feed, 1), data)])
        rows = intake.run(settings, CONTRACTS)
        assert [row.outcome for row in rows] == ["QR"] and values(settings, feed, "x") == [1 + turn % 2] * 6
        with intake.opened(settings, CONTRACTS, read_only=True) as opened:
            open_rows = opened.query("select sha256 from intake.quarantine where released_by is null")
        assert [row["sha256"] for row in open_rows] == [rows[0].sha256]
        assert intake.run(settings, CONTRACTS) == []
    assert len(state(settings, feed, "x")[1]) == 4 * 6
    sound(settings, feed)


def test_people_who_were_forgotten_do_not_come_back_with_a_file(tmp_path: Path) -> None:
    settings, feed = settings_for(tmp_path), "crm_customers"
    a, b = content(feed, 1, 0, 6), content(feed, 2, 0, 6)
    for day, data in ((1, a), (2, b), (3, a)):
        deliver(settings, "x", feed, [(name(feed, day), data)])
        intake.run(settings, CONTRACTS)
    forget(settings, CONTRACTS, ["per3"])
    assert [len(part) for part in state(settings, feed, "x")][:2] == [5, 10]
    deliver(settings, "x", feed, [(name(feed, 4), b)])
    intake.run(settings, CONTRACTS)
    assert values(settings, feed, "x") == [2] * 5
    assert [len(part) for part in state(settings, feed, "x")][:2] == [5, 15]
    sound(settings, feed)


@pytest.mark.redshift
@pytest.mark.parametrize("feed", FEEDS)
def test_content_that_comes_back_on_redshift(
    feed: str,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    settings = load_settings(
        {**environment, "LANDING_URI": str(tmp_path / "landing"), "WAREHOUSE_PATH": str(tmp_path / "w.duckdb"),
         "SERVING_PATH": str(tmp_path / "s.duckdb")}
    )  # fmt: skip
    orders = [(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0), (2, 0, 1, 5, 3, 4)]
    found = every_order(settings, feed, orders)
    here = every_order(settings_for(tmp_path / "duckdb"), feed, orders[:1])[0]
    assert [[len(part) for part in got] for got in found] == [[len(part) for part in here]] * 3
    assert all(got == found[0] for got in found)
    assert words(settings, "order0")[:3] == ["QR", "QR", "QR"] and "NOOP" in words(settings, "order0")
