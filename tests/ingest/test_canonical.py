"""The canonical query and the careful one never judge a cell differently: what the first takes, the second takes alike."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ingest import canonical
from ingest.contracts import load_contracts
from ingest.engine import Engine, Task
from ingest.outcomes import Settled
from ingest.parse import parse
from ingest.pii import Hasher
from ingest.preflight import receive
from tests.faults.catalogue import good, good_rows, render
from tests.ingest.fuzz import broken

CONTRACTS = load_contracts()
CELLS = [
    "", " ", "0", "-0", "007", "+5", "5.5", "5.0", "1e3", "1e2", "1_000", "0x1F", " 12", "12 ", "$5.50", "$1,258.54", "1,258.54",
    "1,25", "(7.25)", "7.25-", "12.3456789", "1e-7", "NaN", "inf", "n/a", " N/A ", "null", "2026-09-08", "2026/09/08", "09/08/2026",
    "9/8/2026", "2026-02-30", "infinity", "epoch", "2026-09-08 10:00:00", "2026-09-08T10:00:00Z", "2026-09-08 24:00:00", "true", "Y",
    "[1,]", "[NaN]", "yes", "ｆｕｌｌ", "a\u200bb", "123.0", "[]", "{", "jane@example.org", "call 212-555-0100", "USD", "eur", "9" * 19, "x" * 70_000,
]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(Hasher(b"k" * 32), tmp_path_factory.mktemp("engine"))


def read(engine: Engine, feed: str, data: bytes, folder: Path) -> Any:
    """All rows, or the word and reason of the refusal."""
    contract = CONTRACTS[feed]
    path = folder / "delivery"
    path.write_bytes(data)
    with path.open("rb", buffering=0) as source:
        try:
            received = receive(source, f"f.{contract.format}", folder, in_memory=contract.has_pii)
        except Settled as error:
            return error.outcome, error.reason
        try:
            task = Task(contract, CONTRACTS, "2026-10-30 06:00:00", None, folder, Hasher(b"k" * 32))
            parsed = parse(engine, received, task)
        except Settled as error:
            return error.outcome, error.reason
        finally:
            received.close()
    names = ", ".join(
        f'"{name}"' for name in [*contract.fields, "_line", "_extra", "_reason", "_field", "_row"]
    )
    rows = engine.run(f"select {names} from {parsed.relation} order by all").fetchall()
    parsed.remove()
    return rows


def both(engine: Engine, feed: str, data: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = read(engine, feed, data, folder)
    original = canonical._field

    def nothing_is_canonical(*words: Any) -> Any:
        value, shape, tests = original(*words)
        return value, shape, [*tests, "false"]

    with monkeypatch.context() as patch:
        patch.setattr(canonical, "_field", nothing_is_canonical)
        slow = read(engine, feed, data, folder)
    assert fast == slow, feed


FEEDS = sorted(name for name, contract in CONTRACTS.items() if not contract.open_columns)


@pytest.mark.parametrize("part", range(4))
def test_odd_cells_are_judged_alike(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    draw = random.Random(part)
    for feed in FEEDS[part::4]:
        contract = CONTRACTS[feed]
        rows = good_rows(contract, 120)
        for index, row in enumerate(rows):
            if index % 3 == 0:
                row[draw.randrange(len(row))] = CELLS[(index // 3 + part) % len(CELLS)]
        both(engine, feed, render(contract, rows), tmp_path, monkeypatch)


def test_broken_bytes_are_judged_alike(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(9)
    for _ in range(40):
        feed = draw.choice(FEEDS)
        both(engine, feed, broken(good(CONTRACTS[feed]), draw), tmp_path, monkeypatch)


def test_good_files_need_no_second_look(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canonical query really takes what partners usually write; otherwise every file would be read twice."""
    from ingest import careful

    def never(*words: Any) -> str:
        raise AssertionError("the careful query was asked")

    monkeypatch.setattr(careful, "query", never)
    for feed in FEEDS:
        assert len(read(engine, feed, good(CONTRACTS[feed]), tmp_path)) == 40, feed
