"""Kills and full disks in the middle of a load: a rerun ends where an undisturbed run ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest import run as runner
from ingest.contracts import load_contracts
from ingest.replay import replay
from tests.ingest.helpers import command, ingest, query, settings_for
from tests.ingest.io_faults import trials
from tests.ingest.kills import load_trials, places, whole_trial
from tests.ingest.world import deliver, deliveries


@pytest.fixture(autouse=True)
def _parser_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage puts kept answers in the parser's place; whatever runs next in this process parses again."""
    monkeypatch.setattr(runner, "parse_all", runner.parse_all)


def test_there_are_enough_places() -> None:
    assert len(places()) >= 25


def test_a_few_kills_and_full_disks_heal(tmp_path: Path) -> None:
    hits, wrong = load_trials(tmp_path / "kills", 8, 6, seed=3)
    assert wrong == [] and sum(hits.values()) - hits["trials"] >= 4
    report = trials(tmp_path / "faults", 6, 6, seed=3)
    assert report["wrong"] == [] and report["runs_that_failed"]


def test_killing_the_whole_command(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(3))
    assert whole_trial(tmp_path, "load_before_commit", 2, settings)
    assert query(settings, "select count(*) from intake.ledger")[0][0] == 3
    assert not list((tmp_path / "data" / "intake_work").glob("intake-*"))


def test_a_crashing_parser_costs_one_file(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(2))
    done = command(settings, "run", env={"INGEST_FAILPOINT": "worker_after_receive:1"})
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert {reason for (reason,) in query(settings, "select reason from intake.ledger")} == {"parser_crashed"}


@pytest.mark.slow
def test_many_kills(tmp_path: Path) -> None:
    hits, wrong = load_trials(tmp_path, 200, 8)
    assert wrong == [] and len([h for h in hits if hits[h]]) > 25


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"INGEST_PARSER_LIMIT_BYTES": str(60 << 20)}, "parser_crashed"),
        ({"INGEST_PARSER_MEMORY": "300KB"}, "memory_limit"),
    ],
)
def test_a_memory_limit_refuses_the_file_and_replay_heals(
    tmp_path: Path, limit: dict[str, str], reason: str
) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(1))
    done = command(settings, "run", env=limit)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    lines = "select outcome, reason, rows_loaded from intake.ledger"
    assert query(settings, lines) == [("QF", reason, 0)]
    assert ingest(settings) == []  # refused is settled: only an engineer who gives it more memory asks again
    assert query(settings, lines) == [("QF", reason, 0)]
    uri = str(next(Path(settings.landing_uri).rglob("*.csv")))
    assert [line.outcome for line in replay(settings, load_contracts(), uri)] == ["LOAD"]
    assert query(settings, "select count(*) from raw.google_ads_campaign")[0][0] > 0


def test_a_full_work_disk_aborts_and_the_next_run_loads(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    deliver(Path(settings.landing_uri), deliveries(1))
    done = command(settings, "run", env={"INGEST_FAILPOINT": "worker_after_receive:1=ENOSPC"})
    assert "Traceback" not in done.stderr
    assert query(settings, "select outcome, reason from intake.ledger") == [("ABORT", "work_disk")]
    assert query(settings, "select count(*) from raw.google_ads_campaign") == [(0,)]
    assert [line.outcome for line in ingest(settings)] == ["LOAD"]
    assert query(settings, "select outcome from intake.ledger") == [("LOAD",)]
    assert ingest(settings) == []
