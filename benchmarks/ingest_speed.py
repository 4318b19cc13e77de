"""Speed and memory of the intake on one big CSV file: raw + quarantine + ledger + independent count + SHA-256.

``.venv/bin/python benchmarks/ingest_speed.py --rows 10000000`` makes the file (about 109 bytes a row, one row in a
thousand bad), runs ``python -m ingest run`` on it and prints processor seconds per million rows (all processes) and the largest
resident set of any of them. ``--landing DIR`` does the same for an existing landing zone of many small files. Results go to
benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def make(path: Path, rows: int) -> None:
    """A Google Ads campaign file with unique keys; every thousandth row has a count that is no number."""
    path.parent.mkdir(parents=True)
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "500MB"})
    connection.execute(
        f"""
        copy (
            select '1234567890' as "customer.id", (98000000000 + i % 97)::varchar as "campaign.id",
                'Brand Search | US | ' || (i % 97) as "campaign.name", ['SEARCH', 'VIDEO'][i % 2 + 1] as "campaign.advertising_channel_type",
                date '2016-01-01' + (i // 4000)::int as "segments.date", ['SEARCH', 'YOUTUBE', 'CONTENT'][i % 3 + 1] || (i % 1400) as "segments.ad_network_type",
                case when i % 1000 = 7 then 'n.a.' else (10000 + hash(i) % 100000)::varchar end as "metrics.impressions",
                (hash(i + 1) % 1000)::bigint as "metrics.clicks", (hash(i + 2) % 10000000)::bigint as "metrics.cost_micros",
                ((hash(i + 3) % 10000) / 100)::decimal(18, 2) as "metrics.conversions",
                ((hash(i + 4) % 1000000) / 100)::decimal(18, 2) as "metrics.conversions_value", (hash(i) % 1000)::bigint as "metrics.view_through_conversions"
            from range({rows}) as t(i)
        ) to '{path}' (header)
        """
    )
    connection.close()


def load(folder: Path, landing: Path) -> dict[str, object]:
    """Run the command on a landing zone into an empty warehouse; processor time of all processes and the largest one."""
    env = {**os.environ, "WAREHOUSE_PATH": str(folder / "w.duckdb"), "LANDING_URI": str(landing)}

    def command(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "ingest", *words],
            cwd=ROOT,
            env=env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    command("init")
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command("run", "--quiet")
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
    lines = json.loads(command("status", "--format", "json"))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rows = sum(line["rows_file"] for line in lines)
    return {
        "files": len(lines),
        "rows": rows,
        "cpu_seconds": round(cpu, 1),
        "cpu_seconds_per_million_rows": round(cpu / rows * 1e6, 2),
        "wall_seconds": round(wall, 1),
        "peak_megabytes_of_largest_process": round(after.ru_maxrss / 1024),
        "rows_loaded": sum(line["rows_loaded"] for line in lines),
        "rows_quarantined": sum(line["rows_quarantined"] for line in lines),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--landing", type=Path, help="many small files instead: an existing landing zone")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ingest_speed"))
    try:
        landing = args.landing
        if landing is None:
            landing = folder / "landing"
            make(landing / "google_ads_campaign" / "g__20261030T060000Z.csv", args.rows)
        size = sum(path.stat().st_size for path in landing.rglob("*") if path.is_file())
        report = {"megabytes": round(size / 1e6, 1), **load(folder, landing)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    out = args.out or RESULTS / ("ingest_speed_world.json" if args.landing else "ingest_speed.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")
    for name, value in report.items():
        print(f"{name:36s} {value}")


if __name__ == "__main__":
    main()
