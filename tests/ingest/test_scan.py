"""The byte scanner against a plain count, whatever the blocks; and what follows from its facts."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from ingest import scan, worker
from ingest.contracts import load_contracts
from ingest.scan import Facts, Scanner
from tests.faults.catalogue import ROWS, good, good_rows, render
from tests.ingest.helpers import ingest, ledger, place, query, settings_for

CONTRACTS = load_contracts()


def scanned(parts: list[bytes]) -> Facts:
    scanner = Scanner()
    for part in parts:
        scanner.feed(part)
    return scanner.finish()


def test_counts_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "STEP", 3)
    draw = random.Random(1)
    for _ in range(4000):
        data = bytes(draw.choice(b'a\n\r,"') for _ in range(draw.randrange(30)))
        i = draw.randrange(len(data) + 1)
        j = draw.randrange(i, len(data) + 1)
        whole, split = scanned([data]), scanned([data[:i], data[i:j], data[j:]])
        longest = max(len(line) for line in data.split(b"\n"))
        for facts in (whole, split):
            assert facts.longest_gap == longest if longest > 3 else facts.longest_gap <= 3, data
            facts.longest_gap = 0
        assert vars(whole) == vars(split), (data, i, j)
        blank = [match.end() - 1 for match in re.finditer(rb"\n(?=\r?\n)", b"\n" + data)]
        assert (whole.blank_lines, whole.first_blank) == (len(blank), blank[0] if blank else -1), data
        assert (whole.newlines, whole.crlf) == (data.count(b"\n"), data.count(b"\r\n"))


def test_a_text_too_long_for_redshift_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["walmart_connect"]
    rows = good_rows(contract)
    spot = next(i for i, field in enumerate(contract.fields.values()) if field.free_text)
    rows[20][spot] = "w " * 40_000
    place(Path(settings.landing_uri) / "walmart_connect" / "w__20261030T060000Z.csv", render(contract, rows))
    ingest(settings)
    assert ledger(settings, "w__20261030T060000Z.csv") == ("QR", "text_too_long")
    assert query(settings, "select count(*) from raw.walmart_connect")[0][0] == ROWS - 1


def test_rows_after_a_blank_line_are_no_footer(tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["dv360_dma"]
    spaced = good(contract).replace(b"\n", b"\n\n")
    footer = b"\nReport Time:,2026/10/30\nFilter by Market:,All\n"
    for stamp, data in (
        ("20261030", spaced),
        ("20261031", good(contract) + footer),
        ("20261101", spaced + footer),
    ):
        place(Path(settings.landing_uri) / "dv360_dma" / f"d__{stamp}T060000Z.csv", data)
    ingest(settings)
    found = query(settings, "select rows_loaded, rows_declared from intake.ledger order by file_name")
    assert found == [(ROWS, 0), (ROWS, 2), (ROWS, 2)]


def test_a_file_that_changes_while_it_is_parsed_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.landing import LocalLanding, Router

    settings, contract = settings_for(tmp_path), CONTRACTS["weather"]
    path = Path(settings.landing_uri) / "weather" / "w__20261030T060000Z.csv"
    place(path, good(contract))
    item = next(iter(LocalLanding(settings.landing_uri, Router(CONTRACTS, "swiftpod")).items()))
    setup = {
        "key": "00" * 16,
        "folder": str(tmp_path),
        "known": {},
        "suppressed": {},
        "memory": "256MB",
        "threads": 1,
    }
    parser, original = worker.Worker(setup), worker.parse

    def touched(*words: Any) -> Any:
        path.write_bytes(good(contract).replace(b".25", b".75"))
        return original(*words)

    monkeypatch.setattr(worker, "parse", touched)
    answer = parser.handle(item, False)
    assert (answer["outcome"], answer["reason"]) == ("WAIT", "still_growing")
