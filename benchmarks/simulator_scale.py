"""Time, memory and rows of the simulator by scale.

    python benchmarks/simulator_scale.py [--scales 0.1,1,10]

Each scale runs in a process of its own. Prints a table and writes benchmarks/results/simulator_scale.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHILD = (
    "import resource,sys; from simulator.__main__ import main; code=main(sys.argv[1:]); u=resource.getrusage(resource.RUSAGE_SELF);"
    "print(u.ru_utime+u.ru_stime, u.ru_maxrss/1024); sys.exit(code)"
)


def one(scale: float) -> dict[str, float]:
    """Run one scale and measure it from outside."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, "--out", folder, "--scale", str(scale)],
            cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        wall = time.monotonic() - begun
        cpu, peak = (float(x) for x in done.stdout.split())
        found = re.search(r"(\d+) files, ([\d,]+) rows", done.stderr)
        landing = Path(folder) / "landing"
        size = sum(p.stat().st_size for p in landing.rglob("*") if p.is_file()) / 1e6
        import gzip

        touch = 0
        for path in (landing / "clickstream").iterdir():
            with gzip.open(path) as handle:
                touch += sum(chunk.count(b"\n") for chunk in iter(lambda: handle.read(1 << 20), b""))
    rows = int(found.group(2).replace(",", "")) if found else 0
    return {
        "scale": scale, "rows": rows, "touchpoints": touch, "files": int(found.group(1)) if found else 0,
        "megabytes": round(size, 1), "cpu_seconds": round(cpu, 1), "wall_seconds": round(wall, 1), "peak_mb": round(peak),
    }  # fmt: skip


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scales", default="0.1,1,10")
    results = []
    for scale in parser.parse_args().scales.split(","):
        results.append(one(float(scale)))
        print(results[-1], flush=True)
    out = Path(__file__).parent / "results" / "simulator_scale.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"peak of the measuring process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
