"""JSON that the engine takes and a strict reader does not: refused by row, wherever in the file it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.contracts import load_contracts
from ingest.engine import Engine
from ingest.pii import Hasher
from tests.faults.catalogue import good_rows, render
from tests.ingest.test_canonical import read

CONTRACTS = load_contracts()
LAX = ['{"asin": "x",}', '{"asin": ["x", ]}', '{"asin": nan}', '{"asin": [1, -inf]}']


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(Hasher(b"k" * 32), tmp_path_factory.mktemp("engine"))


def told(rows: list[tuple[Any, ...]]) -> list[tuple[int, str | None]]:
    """(line, reason) of every row that is not good."""
    return sorted((row[-5], row[-3]) for row in rows if row[-3] is not None)


def lines(feed: str, count: int) -> list[bytes]:
    return render(CONTRACTS[feed], good_rows(CONTRACTS[feed], count)).splitlines()


@pytest.mark.parametrize("lax", LAX)
@pytest.mark.parametrize("at", [4, 620])
def test_a_row_that_only_the_engine_takes_is_refused(
    engine: Engine, tmp_path: Path, lax: str, at: int
) -> None:
    listed = lines("amazon_vendor_sales", 640)
    listed.insert(at, lax.encode())
    rows = read(engine, "amazon_vendor_sales", b"\n".join(listed) + b"\n", tmp_path)
    assert len(rows) == 641
    # (the later of so many made-up days lie in the future, and are refused for that)
    assert [pair for pair in told(rows) if pair[1] != "future_date"] == [(at + 1, "malformed_json")]


def test_the_same_marks_inside_a_text_are_text(engine: Engine, tmp_path: Path) -> None:
    listed = [json.loads(line) for line in lines("meta_ads", 6)]
    for row, text in zip(listed, ["a, }", "x ,]", "one: nan", "[inf, 2", "plain", ","], strict=True):
        row["campaign_name"] = text
    rows = read(engine, "meta_ads", "".join(json.dumps(row) + "\n" for row in listed).encode(), tmp_path)
    assert told(rows) == []


@pytest.mark.parametrize("cell", ["[1,]", '[{"value": NaN}]', "[Infinity]", "[1, inf]"])
def test_a_cell_of_lax_json_is_refused(engine: Engine, tmp_path: Path, cell: str) -> None:
    listed = [json.loads(line) for line in lines("meta_ads", 40)]
    listed[3]["actions"] = cell
    listed[5]["actions"] = '[{"value": "nan, 1"}]'
    rows = read(engine, "meta_ads", "".join(json.dumps(row) + "\n" for row in listed).encode(), tmp_path)
    assert told(rows) == [(4, "bad_json")]


def test_a_value_nested_very_deep_does_not_end_the_file(engine: Engine, tmp_path: Path) -> None:
    listed = lines("amazon_vendor_sales", 20)
    listed[2] = listed[2].replace(b"{", b'{"deep": ' + b"[" * 3000 + b"]" * 3000 + b", ", 1)
    rows = read(engine, "amazon_vendor_sales", b"\n".join(listed) + b"\n", tmp_path)
    assert told(rows) == []
    assert len(rows) == 20


KEYS = [
    "",
    " ",
    "*",
    "**",
    "[0]",
    "$",
    "#-1",
    "0",
    "a.b",
    "a/b",
    "a~b",
    "~1",
    "\\",
    '\\"',
    '"',
    "'",
    "\t",
    "\n",
    "\0",
    "é",
    "x" * 300,
]


@pytest.mark.parametrize("inner", [False, True])
def test_any_key_is_kept_as_text(engine: Engine, tmp_path: Path, inner: bool) -> None:
    listed = [json.loads(line) for line in lines("amazon_vendor_sales", len(KEYS))]
    for row, key in zip(listed, KEYS, strict=True):
        row.update({"more": {key: "kept"}} if inner else {key: "kept"})
    text = "".join(json.dumps(row) + "\n" for row in listed).encode()
    rows = read(engine, "amazon_vendor_sales", text, tmp_path)
    assert told(rows) == []
    assert len(rows) == len(KEYS)
    assert sum("kept" in (row[-4] or "") for row in rows) == len(KEYS)
