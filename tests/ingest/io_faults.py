"""Full disks, I/O errors and missing memory in the middle of a load: nothing is inconsistent, nothing hangs, the cause is named.

``python -m tests.ingest.io_faults --trials 500``. Three kinds, in turn: an error raised at a named place of the code;
a real file system that is too small (a tmpfs; needs root); and an error that the kernel gives to a system call
(strace's injection, attached to the loading process). A kind that this machine cannot do is left out by name.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest import failpoints
from settings import Settings
from tests.ingest.evidence import before, keep
from tests.ingest.helpers import ROOT
from tests.ingest.kills import Stage, in_child, places

ERRORS = ("ENOSPC", "EIO", "ENOMEM")
CALLS = ("write", "pwrite64", "fdatasync", "openat", "pread64")
SECONDS = 60.0
NAMED = re.compile(
    r"space|i/o error|input/output|memory|allocat|too large|disk|write|fsync|sync|truncate|director|remove",
    re.I,
)


def told(settings: Settings, action: Callable[[], None]) -> Callable[[], None]:
    """The action; what it raises is written beside the data folder."""

    def run() -> None:
        try:
            action()
        except BaseException as error:
            (settings.data_dir.parent / "error.txt").write_text(f"{type(error).__name__}: {error}")
            raise

    return run


def finished(pid: int) -> int | None:
    """Exit status; None when the process had to be ended because it hung."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def at_place(stage: Stage, settings: Settings, draw: random.Random) -> tuple[str, int | None]:
    place = draw.choice([p for p in places() if not p.startswith("worker_")])
    word = draw.choice(ERRORS)

    def disturbed() -> None:
        failpoints._SPEC = f"{place}:1={word}"
        failpoints._counts.clear()
        stage.run(settings)

    return f"{word} at a named place", finished(in_child(told(settings, disturbed)))


def small_disk(stage: Stage, settings: Settings, draw: random.Random) -> tuple[str, int | None]:
    target = settings.data_dir
    room = len(stage.empty) + draw.randrange(4096, 100_000)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(target)], check=True)
    settings.warehouse_path.write_bytes(stage.empty)
    status = finished(in_child(told(settings, lambda: stage.run(settings))))
    subprocess.run(["mount", "-o", "remount,size=64m", str(target)], check=True)
    return "a file system that is full", status


def traced(stage: Stage, settings: Settings, options: list[str], out: Path) -> int | None:
    """Exit status of a load under strace; only calls on the data folder's files count."""

    def disturbed() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        stage.run(settings)

    home = settings.warehouse_path
    files = [part for path in (home, Path(f"{home}.wal")) for part in ("-P", str(path))]
    pid = in_child(told(settings, disturbed))
    os.waitpid(pid, os.WUNTRACED)
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-o", str(out), *files, *options], stderr=subprocess.PIPE, text=True
    )
    if tracer.stderr is not None:
        tracer.stderr.readline()  # "attached"
    os.kill(pid, signal.SIGCONT)
    status = finished(pid)
    tracer.wait(timeout=SECONDS)
    return status


def system_call(stage: Stage, settings: Settings, draw: random.Random) -> tuple[str, int | None]:
    counts = _calls(stage)
    call, word = draw.choice(CALLS), draw.choice(ERRORS)
    nth = 1 + draw.randrange(max(1, counts[call]))
    options = ["-e", f"trace={call}", "-e", f"inject={call}:error={word}:when={nth}"]
    return f"{word} from {call}", traced(stage, settings, options, Path(os.devnull))


@functools.lru_cache(maxsize=1)
def _calls(stage: Stage) -> Counter[str]:
    """How often an undisturbed load calls the kernel on the warehouse's files: an injection beyond that would miss."""
    spot, settings = stage.folder_for_trial()
    out = stage.folder / "calls.txt"
    traced(stage, settings, ["-e", "trace=" + ",".join(CALLS)], out)
    counts = Counter(re.findall(r"^\d+ +([a-z0-9]+)\(", out.read_text(), re.MULTILINE))
    shutil.rmtree(spot, ignore_errors=True)
    return counts


def kinds() -> tuple[list[Callable[[Stage, Settings, random.Random], tuple[str, int | None]]], list[str]]:
    """The kinds that this machine can do, and the names of the others."""
    able: list[Callable[[Stage, Settings, random.Random], tuple[str, int | None]]] = [at_place]
    unable = []
    with tempfile.TemporaryDirectory() as folder:
        mounted = (
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode == 0
        )
        if mounted:
            subprocess.run(["umount", folder], check=True)
    for possible, kind in ((mounted, small_disk), (shutil.which("strace") is not None, system_call)):
        able.append(kind) if possible else unable.append(kind.__name__)
    return able, unable


def trials(
    folder: Path, count: int, files: int, seed: int = 1, minutes: float = 600, first: int = 0
) -> dict[str, Any]:
    """Disturb ``count`` loads from trial ``first`` on; what was injected, which runs it made fail, what went wrong."""
    stage = Stage(folder, files)
    able, unable = kinds()
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    wrong: list[str] = []
    started = time.monotonic()
    done = 0
    for number in range(first, first + count):
        if time.monotonic() - started > minutes * 60:
            break
        draw = random.Random(f"{seed}:{number}")
        spot, settings = stage.folder_for_trial()
        kind = able[number % len(able)]
        name, status = kind(stage, settings, draw)
        done += 1
        tried[name] += 1
        failed[name] += status != 0
        message = spot / "error.txt"
        if status is None:
            wrong.append(f"{name}: hung")
        elif (
            os.WIFEXITED(status)
            and status
            and not NAMED.search(message.read_text() if message.exists() else "")
        ):
            wrong.append(f"{name}: the error does not name its cause: {message.read_text()[:200]}")
        if complaint := stage.verdict(settings):
            wrong.append(f"{name}: {complaint}")
        if kind is small_disk:
            subprocess.run(["umount", str(settings.data_dir)], check=True)
        shutil.rmtree(spot, ignore_errors=True)
    return {
        "trials": done, "runs_that_failed": sum(failed.values()), "tried": dict(sorted(tried.items())),
        "failed": dict(sorted(failed.items())), "left_out": unable, "wrong": wrong,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--resume", action="store_true", help="add to the result that is there")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_io_faults.json")
    args = parser.parse_args()
    old = before(args.out, args.resume)
    first = old.get("trials", 0)
    folder = Path(tempfile.mkdtemp(prefix="io_faults"))
    try:
        report = trials(folder, args.trials - first, args.files, args.seed, args.minutes, first)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = keep(args.out, old, report, report["trials"])
    print(json.dumps(report, indent=1))
    raise SystemExit(1 if report["wrong"] else 0)


if __name__ == "__main__":
    main()
