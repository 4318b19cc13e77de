"""The newcomer's path, measured: a fresh clone, the install, `make demo` twice, `make stop`.

    python benchmarks/demo.py [--keep] [--out benchmarks/results/demo.json]

Prints and writes: seconds of the install and of both runs, peak memory of everything that the demo started (sum of
resident sets, sampled), what the second run changed, counts of dbt models, tests and DAG tasks, processes left over.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def resident_mb(marker: str) -> float:
    """Resident memory of all processes whose command line or folder names the clone."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*"):
        try:
            command = (status / "cmdline").read_bytes().decode(errors="replace")
            folder = os.readlink(status / "cwd")
            if marker in command or marker in folder:
                # proportional share: forked workers do not count their shared pages twice
                for line in (status / "smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) / 1024
        except (OSError, ValueError):
            continue
    return total


class Peak(threading.Thread):
    """Samples the memory of the clone's processes twice a second."""

    def __init__(self, marker: str) -> None:
        super().__init__(daemon=True)
        self.marker, self.peak, self.stopped = marker, 0.0, threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.5):
            self.peak = max(self.peak, resident_mb(self.marker))


def timed(command: list[str], folder: Path, log: Path) -> tuple[float, int]:
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    begun = time.monotonic()
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            stream.write(line.encode())
        code = process.wait()
    return time.monotonic() - begun, code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--keep", action="store_true", help="leave the clone (its path is printed) and Airflow running"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "demo.json")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="newcomer-")) / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    log = folder.parent / "demo.log"
    result: dict[str, object] = {"clone": str(folder)}
    result["install_seconds"], code = timed(["make", "install"], folder, log)
    sampler = Peak(str(folder))
    sampler.start()
    if code == 0:
        result["first_run_seconds"], code = timed(["make", "demo"], folder, log)
    result["first_exit"] = code
    if code == 0:
        before = (folder / ".data" / "serving.duckdb").stat().st_mtime_ns
        result["second_run_seconds"], code = timed(["make", "demo"], folder, log)
        result["second_exit"] = code
        result["second_run_changed_the_served_file"] = (
            before != (folder / ".data" / "serving.duckdb").stat().st_mtime_ns
        )
    sampler.stopped.set()
    result["peak_mb"] = round(sampler.peak)
    if not args.keep:
        timed(["make", "stop"], folder, log)
        time.sleep(1)
        result["left_running_mb"] = round(resident_mb(str(folder)))
        shutil.rmtree(folder.parent, ignore_errors=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(
        json.dumps({k: round(v, 1) if isinstance(v, float) else v for k, v in result.items()}, indent=1)
        + "\n"
    )
    print(args.out.read_text())
    return 0 if code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
