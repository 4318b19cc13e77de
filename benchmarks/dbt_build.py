"""What the warehouse build costs: CPU and wall seconds and peak memory of a full build, a no-change run and one more day.

Usage: ``python benchmarks/dbt_build.py --warehouse FILE [--touchpoints N --pos-rows N] [--runs full,same,day,questions]``.
FILE is a DuckDB warehouse with loaded raw tables (``make demo``, or ``python -m simulator`` then ``python -m ingest run``); it is copied,
never changed. With ``--touchpoints`` the simulator's visitors are multiplied day by day straight inside DuckDB (their own ids, the same
journeys), with ``--pos-rows`` its Walmart stores are: the CSV files and the loader are measured elsewhere (ingest_speed.py), here only the
build counts. "One more day" holds back the newest day of every daily feed, builds, gives it back and builds again. "questions" runs
the three questions of every core mart. Results go to benchmarks/results/dbt_build*.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import yaml

ROOT = Path(__file__).resolve().parents[1]
#: daily feeds and the SQL of their day
DAILY = {
    "clickstream": "cast(event_ts as date)",
    **dict.fromkeys(("walmart_store_sales", "google_ads_campaign", "google_ads_geo", "meta_ads", "amazon_ads_sp", "amazon_dsp_geo", "dv360_dma", "walmart_connect", "roundel"), "date_day"),
}  # fmt: skip
SELECTIONS = {
    "core": ["--select", "path:models/staging", "path:models/intermediate", "path:models/marts", "path:seeds",
             "--exclude", "path:models/marts/outputs", "path:models/marts/ops", "path:models/features"],
    "dag": ["--exclude", "tag:outputs"],
    "all": [],
}  # fmt: skip


def dbt(
    warehouse: Path, selection: str, command: str, *extra: str, artefacts: bool = True
) -> dict[str, object]:
    """CPU (user and system of the process tree) and wall seconds, peak MB and slowest nodes of one dbt run."""
    env = {
        **os.environ,
        "WAREHOUSE_PATH": str(warehouse),
        "WAREHOUSE_TARGET": "duckdb",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_LOG_LEVEL_FILE": "none",
        "DBT_WRITE_JSON": str(artefacts).lower(),
    }
    target = warehouse.parent / "target"
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak = warehouse.parent / "peak"
    done = subprocess.run(
        ["/usr/bin/time", "-o", peak, "-f", "%M", ROOT / ".venv/bin/dbt", "--no-version-check", "--quiet", command, *extra,
         *SELECTIONS[selection], "--project-dir", "dbt", "--profiles-dir", "dbt", "--target-path", target,
         "--log-path", warehouse.parent / "logs"],
        cwd=ROOT, env=env, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    results = (
        json.loads((target / "run_results.json").read_text())["results"]
        if artefacts and command != "parse"
        else []
    )
    slowest = sorted(results, key=lambda r: -r["execution_time"])[:6]
    return {
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "wall_seconds": round(time.monotonic() - started, 1),
        "peak_mb": round(int(peak.read_text().split()[-1]) / 1024),
        "nodes": len(results),
        "slowest_wall_seconds": {
            r["unique_id"].split(".")[2]: round(r["execution_time"], 1) for r in slowest
        },
    }


def multiply(connection: duckdb.DuckDBPyConnection, touchpoints: int, pos_rows: int) -> None:
    """More visitors and more stores of the same kind, in the order of their days, as a loader would leave them."""
    for feed, wanted, named in (
        (
            "clickstream",
            touchpoints,
            "event_id || '-' || n as event_id, visitor_id || '-' || n as visitor_id",
        ),
        ("walmart_store_sales", pos_rows, "store_nbr || '-' || n as store_nbr"),
    ):
        have = connection.execute(f"select count(*) from raw.{feed}").fetchone()[0]
        copies = max(1, round(wanted / have))
        if copies == 1:
            continue
        connection.execute(f"alter table raw.{feed} rename to {feed}_small")
        # every row keeps the line of its file, each copy has lines of its own
        connection.execute(
            f"create table raw.{feed} as select small.* replace ({named}, _line + n * 1000000 as _line) "
            f"from (select * from raw.{feed}_small order by {DAILY[feed]} nulls first) as small, range({copies}) as t(n)"
        )
        connection.execute(f"drop table raw.{feed}_small")
        if feed == "walmart_store_sales":
            connection.execute(
                f"insert into raw.store_locations select small.* replace ({named}) from raw.store_locations as small, "
                f"range({copies}) as t(n) where retailer_id = 'walmart'"
            )
    connection.execute("checkpoint")


def aside(connection: duckdb.DuckDBPyConnection) -> None:
    """Hold the newest day of every daily feed back."""
    for table, day in DAILY.items():
        newest = f"{day} = (select max({day}) from raw.{table})"
        connection.execute(f"create table aside_{table} as select * from raw.{table} where {newest}")
        connection.execute(f"delete from raw.{table} where {newest}")


def give_back(connection: duckdb.DuckDBPyConnection) -> None:
    for table in DAILY:
        connection.execute(f"insert into raw.{table} select * from aside_{table}")
        connection.execute(f"drop table aside_{table}")


def ask(warehouse: Path) -> dict[str, object]:
    """Median of three timings of each question of each core mart, in milliseconds; the slowest ones by name."""
    times: dict[str, float] = {}
    with duckdb.connect(
        str(warehouse), read_only=True, config={"threads": 2, "memory_limit": "4GB"}
    ) as connection:
        built = {
            r[0]
            for r in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        }
        for path in sorted((ROOT / "dbt" / "models" / "marts").rglob("*.yml")):
            for model in yaml.safe_load(path.read_text()).get("models", []):
                if model["name"] not in built:
                    continue
                for number, question in enumerate(model["config"]["meta"].get("questions", []), 1):
                    taken = []
                    for _ in range(3):
                        started = time.monotonic()
                        connection.execute(question["sql"]).fetchall()
                        taken.append(1000 * (time.monotonic() - started))
                    times[f"{model['name']} {number}"] = round(statistics.median(taken), 1)
    slowest = dict(sorted(times.items(), key=lambda item: -item[1])[:8])
    return {
        "questions": len(times),
        "slowest_ms": slowest,
        "over_300_ms": sum(t > 300 for t in times.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--touchpoints", type=int, default=0)
    parser.add_argument("--pos-rows", type=int, default=0)
    parser.add_argument("--runs", default="parse,full,same,day,questions")
    parser.add_argument("--select", choices=SELECTIONS, default="core")
    parser.add_argument("--tests", action="store_true", help="dbt build (with data tests) instead of dbt run")
    parser.add_argument(
        "--no-artefacts", action="store_true", help="write no manifest and no results, as the DAGs do"
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--name", default="dbt_build")
    args = parser.parse_args()
    command = ["build", "--exclude-resource-type", "unit_test"] if args.tests else ["run"]
    results = ROOT / "benchmarks" / "results"
    results.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        warehouse = folder / "wh.duckdb"
        shutil.copy(args.warehouse, warehouse)
        runs = args.runs.split(",")
        with duckdb.connect(str(warehouse), config={"threads": 2, "memory_limit": "4GB"}) as connection:
            for schema in ("staging", "intermediate", "features", "marts", "seeds"):
                connection.execute(f"drop schema if exists {schema} cascade")
            multiply(connection, args.touchpoints, args.pos_rows)
            counts = {
                table: connection.execute(f"select count(*) from wh.raw.{table}").fetchone()[0]
                for table in ("clickstream", "walmart_store_sales")
            }
            if "day" in runs:
                aside(connection)
        out: dict[str, object] = {
            "rows": counts,
            "command": f"dbt {' '.join(command)} ({args.select})",
            "threads": 2,
        }
        for run in runs:
            if run == "questions":
                out[run] = ask(warehouse)
            elif run == "parse":
                out[run] = dbt(warehouse, "all", "parse")
            else:
                if run == "day":
                    with duckdb.connect(str(warehouse)) as connection:
                        give_back(connection)
                if run == "full" and args.select == "core":
                    dbt(warehouse, "core", "seed")
                refresh = ["--full-refresh"] if run == "full" else []
                out[run] = dbt(warehouse, args.select, *command, *refresh, artefacts=not args.no_artefacts)
            print(run, json.dumps(out[run]), flush=True)
            (results / f"{args.name}.json").write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
