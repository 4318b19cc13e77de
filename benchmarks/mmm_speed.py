"""Processor seconds and memory of the whole command: fit with intervals, plan, folds, diagnostics.

    python benchmarks/mmm_speed.py [--sizes 20x156x4,210x156x20]

Each size (geographies x weeks x channels) is run as `python -m modeling mmm` in a process of its own, on a made-up
panel. Prints a table, writes benchmarks/results/mmm_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import mmm_worlds

ROOT = Path(__file__).resolve().parents[1]

RESULTS = ROOT / "benchmarks" / "results" / "mmm_speed.json"


def files(folder: Path, geos: int, weeks: int, channels: int) -> list[str]:
    """Data and spec of a made-up panel; the command's arguments."""
    panel = mmm_worlds.make_world(1, mmm_worlds.Kind(geos=geos, weeks=weeks, channels=channels)).panel
    rows: dict[str, object] = {
        "week": np.tile(panel.dates.strftime("%Y-%m-%d"), geos),
        "geo": np.repeat(panel.geos, weeks),
        "population": np.repeat(panel.size * 1e5, weeks),
        "revenue": panel.kpi.ravel(),
        "price": panel.controls[0].ravel(),
    }
    rows |= {name: panel.spend[c].ravel() for c, name in enumerate(panel.channels)}
    pd.DataFrame(rows).to_csv(folder / "data.csv", index=False)
    spec = {
        "date": "week",
        "geo": "geo",
        "population": "population",
        "kpi": "revenue",
        "controls": ["price"],
        "channels": [{"name": n, "spend": n} for n in panel.channels],
    }
    (folder / "spec.yml").write_text(yaml.safe_dump(spec))
    return [
        "--data",
        str(folder / "data.csv"),
        "--spec",
        str(folder / "spec.yml"),
        "--out",
        str(folder / "out"),
    ]


def measure(geos: int, weeks: int, channels: int) -> dict[str, float | str]:
    """One row: CPU seconds and peak memory of the child process."""
    with tempfile.TemporaryDirectory() as folder:
        args = files(Path(folder), geos, weeks, channels)
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-m", "modeling", "mmm", *args], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"the command ended with {child.returncode}")
        return {
            "size": f"{geos}x{weeks}x{channels}",
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
            "wall_seconds": round(time.perf_counter() - start, 1),
            "peak_mb": round(used.ru_maxrss / 1024, 0),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="20x156x4,210x156x20")
    args = parser.parse_args()
    table = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    for size in args.sizes.split(","):
        found = measure(*(int(n) for n in size.split("x")))
        table = [r for r in table if r["size"] != found["size"]] + [found]
        print(pd.DataFrame(table).to_string(index=False), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
