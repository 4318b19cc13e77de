"""Deliveries over time: order, repetition, lateness, growth, repair, erasure, two runs at once."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from pathlib import Path
from typing import IO, Any

import duckdb
import pytest

from ingest import landing, preflight, worker
from ingest import run as runner
from ingest.conserve import problems
from ingest.contracts import load_contracts
from ingest.forget import forget
from ingest.outcomes import Failed
from ingest.preflight import open_source
from ingest.replay import replay
from ingest.run import opened
from sql.catalog import raw_columns
from tests.faults.catalogue import good, good_rows, render, sources
from tests.ingest.helpers import command, ingest, ledger, place, query, raw_hash, settings_for
from tests.ingest.world import deliver, deliveries

CONTRACTS = load_contracts()


def test_any_order_gives_the_same_rows(tmp_path: Path) -> None:
    files = deliveries(24)
    wanted: set[str] = set()
    for order in range(3):
        settings = settings_for(tmp_path / str(order))
        settings.data_dir.mkdir(parents=True)
        (settings.data_dir / "pii_hash_key").write_text("5a" * 32)  # one key, or the hashes would differ
        shuffled = random.Random(order).sample(files, len(files))
        for start in range(0, len(shuffled), 8):
            deliver(Path(settings.landing_uri), shuffled[start : start + 8])
            ingest(settings)
        wanted.add(raw_hash(settings))
        with opened(settings, CONTRACTS, read_only=True) as warehouse:
            assert problems(warehouse, CONTRACTS) == []
    assert len(wanted) == 1


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(6))
    ingest(settings)
    before = raw_hash(settings), query(settings, "select * from intake.ledger order by all")
    assert ingest(settings) == []
    assert before == (raw_hash(settings), query(settings, "select * from intake.ledger order by all"))


def test_history_answers_what_was_believed(tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["search_interest"]
    for stamp, value in (
        ("20260915T000000Z", "10.25"),
        ("20260925T000000Z", "20.25"),
        ("20260920T000000Z", "15.25"),
    ):
        rows = good_rows(contract, 1)
        rows[0][2] = value
        place(Path(settings.landing_uri) / "search_interest" / f"s__{stamp}.csv", render(contract, rows))
        ingest(settings)  # the middle delivery comes last
    believed = [
        query(
            settings,
            f"select index_value::varchar from (select index_value, _delivered_at, null::timestamp as until from raw.search_interest "
            f"union all select index_value, _delivered_at, _superseded_at from raw_history.search_interest) "
            f"where _delivered_at <= timestamp '{day}' and coalesce(until > timestamp '{day}', true)",
        )
        for day in ("2026-09-16", "2026-09-21", "2026-09-30")
    ]
    assert believed == [[("10.250000",)], [("15.250000",)], [("20.250000",)]]


def test_a_growing_file_waits(tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["weather"]
    path = Path(settings.landing_uri) / "weather" / "w__20261030T060000Z.csv"
    place(path, good(contract))
    stop = threading.Event()

    def grow() -> None:
        while not stop.is_set():
            with path.open("ab") as stream:
                stream.write(b"2026-09-06,dma999,1.5\n")
            time.sleep(0.02)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        ingest(settings)
    finally:
        stop.set()
        writer.join()
    assert ledger(settings, "w__20261030T060000Z.csv") == ("WAIT", "still_growing")
    place(path, good(contract))
    ingest(settings)
    assert ledger(settings, "w__20261030T060000Z.csv")[0] == "LOAD"
    assert query(settings, "select count(*) from intake.ledger")[0][0] == 1


def test_links_and_folders_are_no_deliveries(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    secret = tmp_path / "secret.csv"
    secret.write_bytes(good(CONTRACTS["weather"]))
    (Path(settings.landing_uri) / "weather" / "folder.csv").mkdir(parents=True)
    os.symlink(secret, Path(settings.landing_uri) / "weather" / "link.csv")
    ingest(settings)
    assert ledger(settings, "link.csv") == ("QF", "path_traversal")
    assert query(settings, "select count(*) from raw.weather")[0][0] == 0


def test_an_unknown_folder_is_reported(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    place(Path(settings.landing_uri) / "mystery" / "x.csv", b"a,b\n1,2\n")
    ingest(settings)
    assert ledger(settings, "x.csv") == ("QF", "unknown_feed")


def test_replay_releases_refused_rows(tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["roundel"]
    name = "roundel__20261030T060000Z.csv"
    rows = good_rows(contract)
    rows[4][6] = "NaN"
    place(Path(settings.landing_uri) / "roundel" / name, render(contract, rows))
    ingest(settings)
    assert ledger(settings, name)[0] == "QR"
    repaired = tmp_path / "repaired" / name
    place(repaired, good(contract))
    lines = replay(settings, CONTRACTS, str(repaired))
    assert [line.outcome for line in lines] == ["REPLACE"]
    assert query(settings, "select count(*) from raw.roundel")[0][0] == 40
    assert query(settings, "select count(*) from intake.quarantine where released_by is null")[0][0] == 0


def test_forgotten_people_stay_away(tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["crm_customers"]
    landing = Path(settings.landing_uri)
    original = good(contract)
    place(landing / "crm_customers" / "c__20261001T000000Z.csv", original)
    place(landing / "email_events" / "e__20261001T000000Z.csv", good(CONTRACTS["email_events"]))
    ingest(settings)
    with duckdb.connect(str(settings.serving_path)) as serving:
        serving.execute(f"attach '{settings.warehouse_path}' as w (read_only)")
        serving.execute("create schema marts")
        serving.execute(
            "create table marts.fct_customer_segment as select person_key as customer_key from w.raw.crm_customers"
        )
    erased = forget(settings, CONTRACTS, ["PERSON3@example.org", "per5"])
    assert erased.landing_rows >= 3 and erased.warehouse_rows >= 3 and erased.serving_rows == 2
    assert ingest(settings) == []
    assert query(settings, "select count(*) from raw.crm_customers")[0][0] == 38
    for path in landing.rglob("*.csv"):
        assert b"person3@" not in path.read_bytes()
    place(
        landing / "crm_customers" / "again__20261101T000000Z.csv",
        original + b"per99,x@example.org,,A,B,10001,2026-09-06,2,walmart\n",
    )
    ingest(settings)
    assert query(settings, "select count(*) from raw.crm_customers")[0][0] == 39
    assert "suppressed" in ledger(settings, "again__20261101T000000Z.csv")[1]
    with opened(settings, CONTRACTS, read_only=True) as warehouse:
        assert problems(warehouse, CONTRACTS) == []


def test_a_locked_warehouse_is_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(1))
    settings.warehouse_path.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse_path)):
        done = command(settings, "run", env={"INGEST_LOCK_SECONDS": "0.5"})
    assert done.returncode == 2
    assert f"process {os.getpid()}" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_two_runs_at_once_load_once(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(4))
    command(settings, "init")
    results = []
    threads = [threading.Thread(target=lambda: results.append(command(settings, "run"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.returncode for r in results] == [0, 0], [r.stderr for r in results]
    assert (
        query(
            settings,
            "select count(*) from (select sha256, feed from intake.ledger where outcome in ('LOAD', 'QR', 'REPLACE', 'WARN') group by all having count(*) > 1)",
        )[0][0]
        == 0
    )


def test_status_is_json_with_every_column(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(2))
    assert command(settings, "run").returncode == 0
    lines = json.loads(command(settings, "status", "--format", "json").stdout)
    wanted = {
        "file",
        "feed",
        "outcome",
        "reason",
        "rows_file",
        "rows_loaded",
        "rows_quarantined",
        "rows_declared",
        "sha256",
        "delivered_at",
        "run_id",
    }
    assert len(lines) == 2 and all(wanted <= set(line) for line in lines)


def test_a_file_that_may_not_be_read_aborts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, landed = settings_for(tmp_path), Path(settings_for(tmp_path).landing_uri)
    place(landed / "weather" / "a__20261030T060000Z.csv", good(CONTRACTS["weather"]))
    place(landed / "roundel" / "b__20261030T060000Z.csv", good(CONTRACTS["roundel"]))
    real = open_source

    def deny(path: str) -> IO[bytes]:
        if path.endswith("a__20261030T060000Z.csv"):
            raise Failed("permission_denied", "the file may not be read")
        return real(path)

    def here(batch: Any, setup: Any, *, workers: int, force: bool) -> Any:
        with monkeypatch.context() as patched:  # the parser's own process, without the process
            patched.setattr(worker, "open_source", deny)
            patched.setattr(worker, "_more_time", lambda: None)
            parser = worker.Worker(setup)
            return [(i, worker._answer(parser, {"item": i.message(), "force": force})) for i in batch]

    with monkeypatch.context() as patched:
        patched.setattr(runner, "parse_all", here)
        assert sorted(row.outcome for row in ingest(settings)) == ["ABORT", "LOAD"]
    assert ledger(settings, "a__20261030T060000Z.csv") == ("ABORT", "permission_denied")
    assert query(settings, "select count(*) from raw.roundel")[0][0] == 40
    assert [row.outcome for row in ingest(settings)] == ["LOAD"]  # readable again: the next run heals


def test_a_denied_open_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*args: object, **more: object) -> int:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(preflight.os, "open", deny)
    with pytest.raises(Failed, match="permission_denied"):
        open_source(str(tmp_path / "x.csv"))


def test_a_folder_that_may_not_be_listed_is_told_after_the_rest_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["weather"]
    place(Path(settings.landing_uri) / "weather" / "w__20261030T060000Z.csv", good(contract))
    place(Path(settings.landing_uri) / "roundel" / "r__20261030T060000Z.csv", good(CONTRACTS["roundel"]))
    real = os.scandir

    def scan(folder: str) -> Any:
        if str(folder).endswith("/roundel"):
            raise PermissionError(13, "denied")
        return real(folder)

    monkeypatch.setattr(landing.os, "scandir", scan)
    with pytest.raises(Failed, match="permission_denied: the folder roundel"):
        ingest(settings)
    assert ledger(settings, "w__20261030T060000Z.csv")[0] == "LOAD"
    with pytest.raises(Failed, match="permission_denied"):
        ingest(settings)  # nothing new, and still told
    monkeypatch.undo()
    assert [row.outcome for row in ingest(settings)] == ["LOAD"]


def test_a_landing_zone_that_is_not_there_is_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, str(tmp_path / "typo"))
    done = command(settings, "run")
    assert (done.returncode, done.stdout) == (2, "") and "LANDING_URI" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("REDSHIFT_COPY_ROLE_ARN", ""), ("S3_STAGING_URI", "s3://bucket with blanks/x")]
)
def test_redshift_settings_that_cannot_work_are_refused_before_reading(
    variable: str, value: str, tmp_path: Path
) -> None:
    wanted = {
        "WAREHOUSE_TARGET": "redshift", "REDSHIFT_HOST": "127.0.0.1", "REDSHIFT_PORT": "1", "REDSHIFT_USER": "u",
        "REDSHIFT_PASSWORD": "p", "REDSHIFT_COPY_ROLE_ARN": "default", "S3_STAGING_URI": "s3://bucket/x",
        "PII_HASH_KEY": "0123456789abcdef", "REDSHIFT_SECRET_ARN": "",
    }  # fmt: skip
    (tmp_path / "landing").mkdir()
    done = command(settings_for(tmp_path), "run", env={**wanted, variable: value})
    assert done.returncode == 2 and variable in done.stderr and "Traceback" not in done.stderr
    done = command(settings_for(tmp_path), "run", env=wanted)  # nobody listens there
    assert done.returncode == 1 and "warehouse" in done.stderr and "Traceback" not in done.stderr


def test_a_text_that_no_column_takes_is_refused_by_row(tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path), CONTRACTS["google_ads_campaign"]
    widths = {c.name: int(c.type[8:-1]) for c in raw_columns(contract) if c.type.startswith("varchar")}
    rows = good_rows(contract)
    spots = {f.name: i for i, (_, f) in enumerate(sources(contract)) if f.type == "text"}
    long = [(n, i) for n, i in spots.items() if not contract.fields[n].role]
    for line, (name, spot) in enumerate(long):
        rows[2 * line][spot] = "x" * widths[name]
        rows[2 * line + 1][spot] = "x" * (widths[name] + 1)
    place(
        Path(settings.landing_uri) / contract.feed / f"{contract.feed}__20261030T060000Z.csv",
        render(contract, rows),
    )
    ingest(settings)
    refused = query(settings, "select field, reason from intake.quarantine order by 1")
    assert refused == sorted((name, "text_too_long") for name, _ in long)
    assert query(settings, f"select count(*) from raw.{contract.feed}")[0][0] == len(rows) - len(long)


def test_the_writer_has_a_bounded_memory(tmp_path: Path) -> None:
    with opened(settings_for(tmp_path), CONTRACTS) as warehouse:
        limit = str(warehouse.query("select current_setting('memory_limit') as m")[0]["m"])
    assert limit.endswith("MiB") and float(limit.split()[0]) <= 768
