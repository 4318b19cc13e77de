"""Erasure touches the subjects' rows and nothing else, wherever copies of them lie."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest import forget as forgetting
from ingest.contracts import load_contracts
from ingest.forget import forget
from ingest.pii import Hasher
from settings import Settings
from tests.faults.catalogue import good
from tests.ingest.helpers import ingest, ledger, place, query, settings_for

CONTRACTS = load_contracts()
GOOD = good(CONTRACTS["crm_customers"])


def crm(settings: Settings, name: str, data: bytes) -> Path:
    path = Path(settings.landing_uri) / "crm_customers" / f"{name}__20261030T060000Z.csv"
    place(path, data)
    return path


def test_a_file_without_the_subject_stays_as_it_is(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    stray = GOOD.replace(b"per3,", b"per\xff3,")
    files = {
        crm(settings, "stray", stray): stray,
        crm(settings, "wide", GOOD.decode().encode("utf-32")): GOOD.decode().encode("utf-32"),
        crm(settings, "new", GOOD): GOOD,
    }
    ingest(settings)
    assert ledger(settings, "stray__20261030T060000Z.csv")[0] == "QR"
    report = forget(settings, CONTRACTS, ["nobody@elsewhere.example"])
    assert (report.landing_files, report.landing_rows) == (0, 0)
    assert {path: path.read_bytes() for path in files} == files


def test_the_subject_leaves_files_that_hold_stray_bytes_or_other_encodings(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    stray = crm(settings, "stray", GOOD.replace(b"per3,", b"per\xff3,"))
    wide = crm(settings, "wide", GOOD.replace(b"per7,", b"per77,").decode().encode("utf-32"))
    marked = crm(settings, "marked", codecs.BOM_UTF8 + GOOD.replace(b"per8,", b"per88,"))
    ingest(settings)
    report = forget(settings, CONTRACTS, ["person5@example.org"])
    assert (report.landing_files, report.landing_rows) == (3, 3)
    assert marked.read_bytes().startswith(codecs.BOM_UTF8)
    assert stray.read_bytes().count(b"\n") == GOOD.count(b"\n") - 1 and b"per\xff3," in stray.read_bytes()
    for path, encoding in (
        (stray, "latin-1"),
        (wide, "utf-32"),
        (marked, "utf-8-sig"),
    ):  # each file keeps its encoding
        text = path.read_bytes().decode(encoding)
        assert "person5@" not in text and "person6@" in text
    assert ingest(settings) == []


def test_a_quote_that_never_ends_hides_nobody(tmp_path: Path) -> None:
    text = GOOD + b'"open,a,b\nper5,person5@example.org,,A,B,10001,2026-09-06,2,walmart\nlast line\n'
    clean, dropped = forgetting._clean_bytes(
        text, CONTRACTS["crm_customers"], CONTRACTS, Hasher(b"k" * 32),
        {str(Hasher(b"k" * 32)("email", "person5@example.org"))},
    )  # fmt: skip
    assert dropped == 2 and clean is not None and b"person5@" not in clean and b"last line" in clean


def test_only_refused_files_go_whole_and_the_ledger_says_so(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    unknown = crm(settings, "refused", b"x;y;z\nperson5@example.org;1;2\n")
    ingest(settings)
    assert ledger(settings, "refused__20261030T060000Z.csv")[0] == "QF"
    unread = crm(settings, "unread", b"x;y;z\nperson5@example.org;1;2\n1;2;3\n")
    report = forget(settings, CONTRACTS, ["person5@example.org"])
    assert not unknown.exists() and unread.exists()  # nobody has judged the second file yet
    assert (report.landing_files, report.unreadable) == (1, 1)
    assert query(
        settings,
        "select outcome, reason from intake.ledger where file_name like 'refused%' order by loaded_at",
    ) == [("QF", query(settings, "select reason from intake.ledger where outcome = 'QF'")[0][0]),
          ("NOOP", "removed_by_forget")]  # fmt: skip


def served(settings: Settings, key: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as db:
        db.execute("create schema marts")
        db.execute("create table marts.dim_customer (brand_id varchar, customer_key varchar)")
        db.execute("insert into marts.dim_customer values ('swiftpod', ?), ('swiftpod', 'other')", [key])


def test_copies_are_cleaned_under_the_lock_and_snapshots_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path)
    crm(settings, "c", GOOD)
    ingest(settings)
    key = str(Hasher(settings.pii_hash_key())("id", "per5"))
    brand = settings.serving_path.parent / "brands" / "swiftpod.duckdb"
    for path in (settings.serving_path, brand):
        served(settings, key, path)
    for name, column in (("0123456789abcdef", "customer_key"), ("fedcba9876543210", "channel_id")):
        folder = settings.runs_dir / name
        (folder / "fits" / "x").mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({}))
        duckdb.sql(f"select 'a' as {column}").write_parquet(str(folder / "fits" / "x" / "t.parquet"))
    half = settings.runs_dir / ".snapshot-killed"
    half.mkdir()
    (half / "t.parquet").write_bytes(b"half a file")
    locked: list[bool] = []
    real = forgetting._copies

    def watched(*args: Any) -> int:
        other = f"import duckdb; duckdb.connect({str(settings.warehouse_path)!r})"
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
        locked.append("lock" in done.stderr.lower())
        return real(*args)

    monkeypatch.setattr(forgetting, "_copies", watched)
    report = forget(settings, CONTRACTS, ["per5"])
    assert locked == [True]
    assert (report.serving_rows, report.snapshots) == (2, 2)
    for path in (settings.serving_path, brand):
        with duckdb.connect(str(path), read_only=True) as db:
            assert db.execute("select customer_key from marts.dim_customer").fetchall() == [("other",)]
    assert [p.name for p in settings.runs_dir.iterdir()] == ["fedcba9876543210"]
    assert not list(settings.serving_path.parent.glob("*.tmp"))
