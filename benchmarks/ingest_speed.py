"""Speed and memory of the intake on one big CSV file: raw + quarantine + ledger + independent count + SHA-256.

``.venv/bin/python benchmarks/ingest_speed.py --rows 10000000`` makes the file (about 109 bytes a row, one row in a
thousand bad), runs ``python -m ingest run`` on it and prints processor seconds per million rows (all processes) and the largest
resident set of any of them. Results go to benchmarks/results/ingest_speed.json.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_speed.json")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ingest_speed"))
    try:
        path = folder / "landing" / "google_ads_campaign" / "g__20261030T060000Z.csv"
        make(path, args.rows)
        size = path.stat().st_size
        env = {
            **os.environ,
            "WAREHOUSE_PATH": str(folder / "w.duckdb"),
            "LANDING_URI": str(folder / "landing"),
        }
        subprocess.run(
            [sys.executable, "-m", "ingest", "init"], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL
        )
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run([sys.executable, "-m", "ingest", "run"], cwd=ROOT, env=env, check=True)
        after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
        status = json.loads(
            subprocess.run(
                [sys.executable, "-m", "ingest", "status", "--format", "json"],
                cwd=ROOT,
                env=env,
                check=True,
                capture_output=True,
            ).stdout
        )[0]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report = {
        "rows": args.rows,
        "megabytes": round(size / 1e6, 1),
        "cpu_seconds_per_million_rows": round(cpu / args.rows * 1e6, 2),
        "wall_seconds": round(wall, 1),
        "peak_megabytes_of_largest_process": round(after.ru_maxrss / 1024),
        "outcome": status["outcome"],
        "rows_loaded": status["rows_loaded"],
        "rows_quarantined": status["rows_quarantined"],
        "load_average": os.getloadavg()[0],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    for name, value in report.items():
        print(f"{name:36s} {value}")


if __name__ == "__main__":
    main()
