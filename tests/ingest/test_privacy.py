"""Planted identifiers must not appear in any byte that the intake writes."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import duckdb
import pytest

from ingest.audience import email_hash, export, phone_hash
from ingest.contracts import load_contracts
from ingest.pii import Hasher, mask_text, normal_email, normal_phone
from ingest.run import opened
from tests.faults.catalogue import good_rows, render
from tests.ingest.canary import DISGUISES, canaries, found, needles, plant, texts
from tests.ingest.helpers import command, ingest, place, query, settings_for

CONTRACTS = load_contracts()


def test_no_planted_identifier_in_any_byte(tmp_path: Path) -> None:
    settings, people = settings_for(tmp_path), canaries(1000)
    plant(Path(settings.landing_uri), people)
    out = [
        command(settings, *words)
        for words in (
            ("run",),
            ("status",),
            ("quarantine", "--limit", "5000"),
            ("status", "--format", "json"),
            ("check",),
            ("families",),
            ("export-audience", "--platform", "meta", "--out", str(tmp_path / "data" / "audience.csv")),
        )
    ]
    assert [o.returncode for o in out] == [0] * len(out), [o.stderr for o in out]
    # Airflow keeps the last line of a task: it may hold counts and family names, nothing that came in a file
    for done, allowed in ((out[0], r"[0-9A-Z ,:;a-z]+ rows loaded"), (out[5], r'[\[\]{}":, a-z0-9_]+')):
        assert re.fullmatch(allowed, done.stdout.strip().splitlines()[-1])
    assert query(settings, "select count(*) from raw.crm_customers")[0][0] > 900
    words = needles(people)
    assert found("".join(o.stdout + o.stderr for o in out).encode(), words) == []
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            assert found(path.read_bytes(), words) == [], path.name
    for table, text in texts(settings.warehouse_path):  # the file's own bytes may be compressed
        assert found(text, words) == [], table


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    people = canaries(3)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.t as select ? as a, 'x' as b", [f"to {people[1][0].upper()}"])
    (table, text), *others = texts(tmp_path / "w.duckdb")
    assert not others and table == "raw.t"
    assert found(text, needles(people)) == [people[1][2][2:].encode()]
    for number, (_, phone, _) in enumerate(people):
        assert found(f"a-{phone}x".encode(), needles(people)) == [people[number][1].encode()]
        assert len(found(f"{phone[:3]}-{phone[3:6]}-{phone[6:]}".encode(), needles(people))) == 1


@pytest.mark.parametrize("disguise", DISGUISES)
def test_masks_see_through_disguises(disguise: object) -> None:
    text = f"for {disguise('jane.doe@example.com')} only"  # type: ignore[operator]
    masked = mask_text(text) or ""
    assert "jane" not in masked.lower() and "doe" not in masked.lower()


@pytest.mark.parametrize("piece", ["a", "a.", "a ", "a@", "a[dot]", "1", "1.", "(2", "+1 "])
def test_masks_take_no_time_over_long_texts(piece: str) -> None:
    started = time.process_time()
    mask_text(piece * 100_000)
    assert time.process_time() - started < 10


def test_numbers_that_are_no_identifiers_stay() -> None:
    for text in (
        "Brand Search | US | 97",
        "2026-10-01 launch",
        "Campaign 571234567890123456",
        "Q4 2026 10.5% off",
        "1234567 views",
    ):
        assert mask_text(text) == text


def test_hashes_join_across_spellings_and_need_the_key() -> None:
    one, other = Hasher(b"k" * 32), Hasher(b"j" * 32)
    assert one("email", " Jane.Doe@Example.com ") == one("email", "mailto:jane.doe@example.com")
    assert one("phone", "(212) 555-0100") == one("phone", "+1 212 555 0100") == one("phone", "12125550100")
    assert one("email", "a@b.c") != other("email", "a@b.c")
    assert one("email", "  ") is None
    assert normal_email("X <Y@Z.com>") == "y@z.com" and normal_phone("+44 20 7946 0958") == "442079460958"


def test_platform_hashes_follow_each_platform() -> None:
    meta_mail = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"  # printed by Meta for John_Smith@gmail.com
    meta_phone = "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"  # printed by Meta for (650)555-1212
    assert email_hash("meta", " John_Smith@gmail.com ") == meta_mail
    assert phone_hash("meta", "(650)555-1212") == meta_phone
    assert phone_hash("google", "650-555-1212") == hashlib.sha256(b"+16505551212").hexdigest()
    assert email_hash("google", "J.Doe@Gmail.com") == hashlib.sha256(b"jdoe@gmail.com").hexdigest()
    assert email_hash("meta", "J.Doe@Gmail.com") == hashlib.sha256(b"j.doe@gmail.com").hexdigest()
    assert email_hash("google", "j.doe@example.com") == hashlib.sha256(b"j.doe@example.com").hexdigest()
    assert email_hash("meta", "nobody") == phone_hash("google", "12") == ""


def test_export_leaves_forgotten_people_out(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    place(
        Path(settings.landing_uri) / "crm_customers" / "c__20261030T060000Z.csv",
        render(CONTRACTS["crm_customers"], good_rows(CONTRACTS["crm_customers"])),
    )
    ingest(settings)
    out = tmp_path / "audience.csv"
    out.touch(0o644)
    assert export(settings, CONTRACTS, "meta", out) == 40
    assert out.stat().st_mode & 0o077 == 0 and b"@" not in out.read_bytes()
    with opened(settings, CONTRACTS) as warehouse:
        warehouse.connection.execute(
            "insert into intake.suppression values ('swiftpod', ?, 'subject', 'x')",
            [Hasher(settings.pii_hash_key())("email", "person7@example.org")],
        )  # type: ignore[attr-defined]
    assert export(settings, CONTRACTS, "google", out) == 39
