"""What the warehouse build costs: CPU seconds and peak memory of a full build, a no-change run, and one more day.

Usage: ``python benchmarks/dbt_build.py --warehouse FILE [--runs full,same,day]``. FILE is a DuckDB warehouse whose ``raw`` schema
is loaded (``python -m simulator`` then ``python -m ingest run``); it is copied, never changed. "One more day" puts the newest day
of the three large feeds aside, builds, and gives it back. Results go to benchmarks/results/dbt_build.json.
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
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[1]
CORE = ["path:models/staging", "path:models/intermediate", "path:models/marts", "path:seeds"]
NOT_CORE = ["path:models/marts/outputs", "path:models/marts/ops", "path:models/features"]
LARGE = {"walmart_store_sales": "date_day", "clickstream": "cast(event_ts as date)"}


def dbt(warehouse: Path, command: str, *extra: str) -> dict[str, float]:
    """CPU seconds (user and system of the process tree), wall seconds and peak MB of one dbt run over the core marts."""
    env = {
        **os.environ,
        "WAREHOUSE_PATH": str(warehouse),
        "WAREHOUSE_TARGET": "duckdb",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    target = warehouse.parent / "target"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [ROOT / ".venv/bin/dbt", "--no-version-check", "--quiet", command, *extra, "--select", *CORE, "--exclude", *NOT_CORE,
         "--project-dir", "dbt", "--profiles-dir", "dbt", "--target-path", target, "--log-path", warehouse.parent / "logs"],
        cwd=ROOT, env=env, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = json.loads((target / "run_results.json").read_text())["results"] if command != "ls" else []
    return {
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "peak_mb": round(after.ru_maxrss / 1024),
        "nodes": len(results),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--runs", default="parse,full,same,day")
    parser.add_argument("--tests", action="store_true", help="dbt build (with tests) instead of dbt run")
    args = parser.parse_args()
    command = "build" if args.tests else "run"
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Path(folder) / "wh.duckdb"
        shutil.copy(args.warehouse, warehouse)
        with duckdb.connect(str(warehouse)) as connection:
            rows = {
                table: connection.execute(f"select count(*) from raw.{table}").fetchone()[0]
                for table in LARGE
            }
            if "day" in args.runs:
                for table, day in LARGE.items():
                    connection.execute(
                        f"create table aside_{table} as select * from raw.{table} where {day} = (select max({day}) from raw.{table})"
                    )
        out: dict[str, object] = {"rows": rows, "command": f"dbt {command}"}
        for run in args.runs.split(","):
            if run == "parse":
                out[run] = dbt(warehouse, "ls")
                continue
            if run == "day":
                with duckdb.connect(str(warehouse)) as connection:
                    for table, day in LARGE.items():
                        connection.execute(
                            f"delete from raw.{table} where {day} = (select max({day}) from raw.{table})"
                        )
                dbt(warehouse, "run")
                with duckdb.connect(str(warehouse)) as connection:
                    for table in LARGE:
                        connection.execute(f"insert into raw.{table} select * from aside_{table}")
            out[run] = dbt(warehouse, command, *(["--full-refresh"] if run == "full" else []))
        print(json.dumps(out, indent=2))
        results = ROOT / "benchmarks" / "results"
        results.mkdir(exist_ok=True)
        (results / "dbt_build.json").write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
