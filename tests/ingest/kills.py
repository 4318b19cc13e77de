"""SIGKILL at named places and at random times; a rerun must end where an undisturbed run ends.

``python -m tests.ingest.kills --trials 1000`` prints one line a place. The rows are parsed once and the load is
killed again and again, because random kills would almost never hit it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from ingest import failpoints, pool
from ingest import run as runner
from ingest.contracts import load_contracts
from ingest.parsed import Parsed
from settings import Settings
from tests.faults.harness import place as put
from tests.ingest.evidence import before, keep
from tests.ingest.helpers import ROOT, command, settings_for
from tests.ingest.world import deliver, deliveries

FEEDS = ("google_ads_campaign", "crm_customers")  # one replaces partitions, the other merges by key


def places() -> list[str]:
    """Every failpoint named in the source."""
    found = {
        name
        for path in (ROOT / "ingest").glob("*.py")
        for name in re.findall(r'reach\("([a-z_]+)"\)', path.read_text())
    }
    return sorted(found)


def state(settings: Settings) -> str:
    """Everything that must not depend on kills: raw, history, quarantine, versions, ledger without times."""
    connection = duckdb.connect(str(settings.warehouse_path), read_only=True)
    try:
        tables = [(s, f) for f in FEEDS for s in ("raw", "raw_history")]
        parts = [
            f"select '{s}.{f}' as t, count(*) as n, coalesce(sum(hash(x)::hugeint), 0) as h from {s}.{f} as x"
            for s, f in tables
        ]
        parts += [
            f"select '{name}', count(*), coalesce(sum(hash({columns})::hugeint), 0) from intake.{name}"
            for name, columns in (
                (
                    "ledger",
                    "feed, file_name, sha256, outcome, reason, rows_loaded, rows_quarantined, superseded_rows",
                ),
                ("quarantine", "feed, sha256, line, reason, row_text"),
                ("warning", "feed, sha256, code, detail, row_count"),
                ("partition_version", "feed, partition_key, file_id, delivered_at"),
            )
        ]
        return str(connection.execute(" union all ".join(parts)).fetchall())
    finally:
        connection.close()


def in_child(action: Callable[[], None]) -> int:
    """Run in a forked process; its wait status."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            code = 1
        finally:
            os._exit(code)
    return pid


class Stage:
    """One landing zone, parsed once, and one empty warehouse, made once; loads are then cheap."""

    def __init__(self, folder: Path, files: int) -> None:
        self.folder = folder
        self.settings = settings_for(folder / "base")
        self.contracts = {feed: contract for feed, contract in load_contracts().items() if feed in FEEDS}
        landing = Path(self.settings.landing_uri)
        deliver(landing, deliveries(files, feeds=FEEDS))
        put(landing / FEEDS[0] / "broken__20261015T000000Z.csv", b"nothing\n1\n")
        with runner.opened(self.settings, self.contracts):
            pass
        self.empty = self.settings.warehouse_path.read_bytes()
        self.kept = folder / "rows"
        self.kept.mkdir(parents=True)
        self.answers: dict[str, dict[str, Any]] = {}
        original = pool.parse_all

        def keep(items: Any, setup: Any, **more: Any) -> Any:
            answers = original(items, setup, **more)
            for item, answer in answers:
                for path in Parsed(**answer["parsed"]).paths if answer["outcome"] == "PARSED" else ():
                    shutil.copy(path, self.kept / Path(path).name)
                self.answers[item.uri] = json.loads(json.dumps(answer))
            return answers

        runner.parse_all = keep  # type: ignore[assignment]
        runner.run(
            self.settings, self.contracts
        )  # in one run, so that every file is parsed, repeated ones too
        runner.parse_all = self._replay  # type: ignore[assignment]
        spot, settings = self.folder_for_trial()
        self.run(settings)
        self.wanted = state(settings)
        shutil.rmtree(spot, ignore_errors=True)

    def _replay(self, items: Any, setup: Any, **more: Any) -> Any:
        out = []
        for item in items:
            answer = json.loads(json.dumps(self.answers[item.uri]))
            for part in ("rows", "careful_rows") if answer["outcome"] == "PARSED" else ():
                if answer["parsed"][part]:
                    name = Path(answer["parsed"][part]).name
                    answer["parsed"][part] = str(shutil.copy(self.kept / name, Path(setup["folder"]) / name))
            out.append((item, answer))
        return out

    def run(self, settings: Settings) -> None:
        """The later half of the deliveries first: the others then come late."""
        items = list(runner.landing_zone(settings, self.contracts).items())
        items.sort(key=lambda item: item.delivered)
        runner.run(settings, self.contracts, items=items[len(items) // 2 :])
        runner.run(settings, self.contracts)

    def folder_for_trial(self, place: str = "") -> tuple[Path, Settings]:
        """A fresh data folder on the same landing zone, with the empty warehouse unless its making is the matter."""
        spot = Path(tempfile.mkdtemp(dir=self.folder))
        settings = settings_for(spot, self.settings.landing_uri)
        settings.warehouse_path.parent.mkdir(parents=True)
        if not place.startswith("init_"):
            settings.warehouse_path.write_bytes(self.empty)
        return spot, settings

    def verdict(self, settings: Settings) -> str:
        """What is wrong after a rerun; '' when everything is as after an undisturbed run."""

        def healed() -> None:
            self.run(settings)
            if runner.run(settings, self.contracts):
                raise AssertionError("a second run found work")

        _, status = os.waitpid(in_child(healed), 0)
        if status != 0:
            return f"the rerun failed ({status})"
        if state(settings) != self.wanted:
            return "another state than the undisturbed run"
        return "work files left behind" if list(settings.data_dir.glob("intake_work/intake-*")) else ""

    def trial(self, place: str, nth: int, seconds: float | None) -> tuple[bool, str]:
        """Whether the kill met the run, and what was wrong after the rerun."""
        spot, settings = self.folder_for_trial(place)

        def disturbed() -> None:
            failpoints._SPEC = f"{place}:{nth}" if place else ""
            failpoints._counts.clear()
            self.run(settings)

        pid = in_child(disturbed)
        if seconds is not None:
            time.sleep(seconds)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        wrong = self.verdict(settings)
        shutil.rmtree(spot, ignore_errors=True)
        return os.WIFSIGNALED(status), wrong


def load_trials(
    folder: Path, trials: int, files: int, seed: int = 1, minutes: float = 600, first: int = 0
) -> tuple[Counter[str], list[str]]:
    """Kill the load ``trials`` times from trial ``first`` on; kills that met it, by place, and what went wrong."""
    stage = Stage(folder, files)
    names = [p for p in places() if not p.startswith("worker_")]
    hits: Counter[str] = Counter()
    wrong: list[str] = []
    until = time.monotonic() + minutes * 60
    for number in range(first, first + trials):
        if time.monotonic() > until:
            break
        draw = random.Random(f"{seed}:{number}")
        random_time = number % 5 == 4
        place = "" if random_time else names[(number - number // 5 + seed) % len(names)]
        nth = 1 + draw.randrange(3)
        hit, complaint = stage.trial(place, nth, draw.uniform(0.01, 0.5) if random_time else None)
        if not hit and not random_time and nth > 1:
            hit, complaint = stage.trial(place, 1, None)
        hits[place or "random time"] += hit
        hits["trials"] += 1
        if complaint:
            wrong.append(f"{place or 'random time'}:{nth} {complaint}")
    return hits, wrong


def whole_trial(folder: Path, place: str, nth: int, settings: Settings) -> bool:
    """Kill the real command (parsers included) at a place, run it again; whether the place was reached."""
    first = command(settings, "run", "--quiet", env={"INGEST_FAILPOINT": f"{place}:{nth}"})
    again = command(settings, "run", "--quiet")
    assert again.returncode == 0, again.stderr
    return first.returncode != 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--trials", type=int, default=200, help="so many in all, with --resume the earlier ones included"
    )
    parser.add_argument("--files", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="stop early after so long")
    parser.add_argument("--resume", action="store_true", help="add to the result that is there")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_kills.json")
    args = parser.parse_args()
    old = before(args.out, args.resume)
    first = old.get("trials", 0)
    folder = Path(tempfile.mkdtemp(prefix="kills"))
    started = time.monotonic()
    try:
        hits, wrong = load_trials(folder, args.trials - first, args.files, args.seed, args.minutes, first)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    done = hits.pop("trials", 0)
    report = {
        "trials": done,
        "reached": sum(hits.values()),
        "by_place": dict(sorted(hits.items())),
        "wrong": wrong,
        "seconds": round(time.monotonic() - started, 1),
    }
    report = keep(args.out, old, report, done)
    by_place = report["by_place"]
    for name, count in sorted(by_place.items()):
        print(f"{name:28s} {count}")
    print(
        f"{report['reached']} of {report['trials']} reached at {sum(map(bool, by_place.values()))} places; "
        f"{len(report['wrong'])} wrong; {report['seconds']} s"
    )
    for line in report["wrong"]:
        print("WRONG", line)
    raise SystemExit(1 if report["wrong"] else 0)


if __name__ == "__main__":
    main()
