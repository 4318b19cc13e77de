"""``python -m benchmarks [NAME ...]``: run benchmarks, each a command of its own; without a name, the quick ones.

The quick set is the speed of each room at a size that fits a coffee break; ``--list`` names them all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
QUICK = ("ingest_speed", "attribution_speed", "geolift_speed", "mmm_speed", "forecast_speed")


def commands() -> dict[str, Path]:
    """Scripts that measure something; modules that they share have no command."""
    return {
        path.stem: path
        for path in sorted(FOLDER.glob("*.py"))
        if path.stem != "__main__" and '__name__ == "__main__"' in path.read_text()
    }


def main() -> int:
    scripts, wanted = commands(), sys.argv[1:]
    unknown = [name for name in wanted if name not in scripts]
    if unknown:
        for name, path in scripts.items():
            print(f"{name:28s} {path.read_text().split(chr(34) * 3)[1].strip().splitlines()[0]}")
        print("\npython -m benchmarks NAME ...   (each says what it measured; results: benchmarks/results)")
        return 0 if wanted == ["--list"] else 2
    worst = 0
    for name in wanted or QUICK:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, str(scripts[name])], cwd=FOLDER.parent, check=False)
        worst = max(worst, abs(done.returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
