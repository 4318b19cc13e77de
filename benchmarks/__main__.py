"""``python -m benchmarks [NAME ...]``: run the benchmarks, each a command of its own; without a name, list them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    scripts = {p.stem: p for p in sorted(FOLDER.glob("*.py")) if not p.stem.startswith("_")}
    wanted = sys.argv[1:]
    unknown = [n for n in wanted if n not in scripts]
    if unknown or not wanted:
        for name, path in scripts.items():
            print(f"{name:28s} {path.read_text().split(chr(34) * 3)[1].strip().splitlines()[0]}")
        print("\npython -m benchmarks NAME ...   (each says what it measured; results: benchmarks/results)")
        return 2 if unknown else 0
    return max(
        subprocess.run([sys.executable, str(scripts[n])], cwd=FOLDER.parent, check=False).returncode
        for n in wanted
    )


if __name__ == "__main__":
    sys.exit(main())
