"""Unit costs measured on this machine, and what they mean per month for a business of a given size.

    python -m benchmarks.production_sizing --landing DIR --warehouse FILE [--keep-units]

Measured here: processor seconds of the intake on the landing zone (after the cost per row of ingest_speed.json is taken
off: the cost per file), bytes a row of the raw tables as Parquet, rows a brand and day, processor seconds of ``dbt run``
on the warehouse and on an empty one, processor seconds of each recorded model job. Assumed, and printed as such: list
prices, linear growth, that one RPU does what two of these cores do. No cluster was measured. ``--keep-units`` takes the
last measurement and only multiplies again. Writes benchmarks/results/production_sizing.json.
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
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "results" / "production_sizing.json"
#: List prices in USD (us-east-1, as remembered, to be replaced by your own): not measured, not verified here.
PRICES = {"rpu_hour": 0.375, "warehouse_gb_month": 0.024, "s3_gb_month": 0.023, "vcpu_hour": 0.05, "mwaa_small_hour": 0.49}  # fmt: skip
#: brands, DMAs, touchpoints a day in all
SCALES = {
    "1 brand x 210 DMAs": (1, 210, 5_000),
    "10 brands x 100 DMAs": (10, 100, 50_000),
    "100 brands x 210 DMAs": (100, 210, 2_000_000),
    "1,000 brands x 210 DMAs, 1 G touchpoints": (1000, 210, 1_000_000_000),
}
HISTORY_DAYS, NIGHT_HOURS = 3 * 365, 4
#: Feeds whose rows are single people's events; all others grow with brands and DMAs.
EVENTS = ("clickstream", "email_events", "coupon_events", "crm_customers")


def cpu_of(*command: str, **env: str) -> float:
    """Processor seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*command], cwd=ROOT, env={**os.environ, "WAREHOUSE_TARGET": "duckdb", **env}, check=True, capture_output=True
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_intake(landing: Path) -> dict[str, float]:
    """CPU seconds a file: of a whole run, less what its rows cost by the benchmark of one large file."""
    per_million = json.loads((OUT.parent / "ingest_speed.json").read_text())["cpu_seconds_per_million_rows"]
    with tempfile.TemporaryDirectory() as folder:
        env = {"WAREHOUSE_PATH": f"{folder}/w.duckdb", "LANDING_URI": str(landing), "RUNS_DIR": folder}
        cpu = cpu_of(sys.executable, "-m", "ingest", "run", "--quiet", **env)
        with duckdb.connect(f"{folder}/w.duckdb", read_only=True) as db:
            rows, files = db.execute("select sum(rows_loaded), count(*) from intake.ledger").fetchone()
    return {
        "rows": float(rows),
        "files": float(files),
        "cpu_seconds": cpu,
        "cpu_seconds_per_million_rows": per_million,
        "cpu_seconds_per_file": max(cpu - float(rows) / 1e6 * per_million, 0.0) / files,
    }


def measure_rows(warehouse: Path) -> dict[str, float]:
    """Rows a brand and day by kind of feed, files a brand and day, bytes a row as Parquet."""
    found: dict[str, float] = {}
    with duckdb.connect(str(warehouse), read_only=True) as db, tempfile.TemporaryDirectory() as folder:
        days = db.execute(
            "select date_diff('day', min(first_date), max(last_date)) + 1 from intake.ledger where feed = 'google_ads_campaign'"
        ).fetchone()[0]
        sums = {"panel": [0, 0], "event": [0, 0]}
        for (table,) in db.execute(
            "select table_name from information_schema.tables where table_schema = 'raw'"
        ).fetchall():
            rows = db.execute(f'select count(*) from raw."{table}"').fetchone()[0]
            if rows:
                db.execute(f"copy raw.\"{table}\" to '{folder}/t.parquet' (format parquet, compression zstd)")
                kind = sums["event" if table in EVENTS else "panel"]
                kind[0], kind[1] = kind[0] + rows, kind[1] + Path(f"{folder}/t.parquet").stat().st_size
        places = db.execute(
            "select count(distinct dma_id) from marts.fct_pos_week where dma_id not in ('000', '999')"
        ).fetchone()[0]
        # what dbt makes of the raw rows is stored too
        found["built_bytes_per_raw_byte"] = _built(db, folder) / sum(size for _, size in sums.values())
        feeds = db.execute("select count(distinct feed) from intake.ledger").fetchone()[0]
    for kind, (rows, size) in sums.items():
        found[f"{kind}_bytes_per_row"] = size / rows
    return found | {"panel_rows_per_dma_day": sums["panel"][0] / days / places, "files_per_brand_day": float(feeds),
                    "raw_rows": float(sums["panel"][0] + sums["event"][0])}  # fmt: skip


def _built(db: duckdb.DuckDBPyConnection, folder: str) -> float:
    size = 0
    for schema, table in db.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema in ('intermediate', 'features', 'marts') and table_type = 'BASE TABLE'"
    ).fetchall():
        db.execute(f"copy {schema}.\"{table}\" to '{folder}/b.parquet' (format parquet, compression zstd)")
        size += Path(f"{folder}/b.parquet").stat().st_size
    return float(size)


def measure_sql(warehouse: Path, raw_rows: float) -> dict[str, float]:
    """CPU seconds of ``dbt run`` on a copy of the warehouse and on an empty one."""
    dbt = [str(Path(sys.executable).with_name("dbt")), "--no-version-check"]
    cost = {}
    with tempfile.TemporaryDirectory() as folder:
        where = [
            "--project-dir",
            "dbt",
            "--profiles-dir",
            "dbt",
            "--target-path",
            f"{folder}/t",
            "--log-path",
            f"{folder}/l",
        ]
        for name in ("empty", "full"):
            env = {"WAREHOUSE_PATH": f"{folder}/{name}.duckdb", "LANDING_URI": folder, "RUNS_DIR": folder}
            if name == "full":
                shutil.copy(warehouse, env["WAREHOUSE_PATH"])
            for step in (("ingest", "init"), ("modeling", "init")):
                cpu_of(sys.executable, "-m", *step, **env)
            if name == "empty":
                cpu_of(*dbt, "seed", *where, **env)
            cost[name] = cpu_of(*dbt, "run", "--full-refresh", *where, **env)
    return {
        "cpu_seconds_fixed": cost["empty"],
        "cpu_seconds_per_million_raw_rows": (cost["full"] - cost["empty"]) / raw_rows * 1e6,
    }


def measure_fits(warehouse: Path) -> dict[str, dict[str, float]]:
    """CPU seconds of each recorded model job: all units of one run over the brand."""
    with duckdb.connect(str(warehouse), read_only=True) as db:
        rows = db.execute(
            "select job, count(*), sum(cpu_seconds), max(peak_mb) from runs.model_run where status = 'succeeded' group by job order by job"
        ).fetchall()
    return {job: {"units": n, "cpu_seconds": cpu, "peak_mb": peak} for job, n, cpu, peak in rows}


def monthly(scale: tuple[int, int, int], unit: dict[str, Any]) -> dict[str, float]:
    """Processor hours a day, cores for a night of ``NIGHT_HOURS``, and USD a month."""
    brands, dmas, touches = scale
    rows, intake, sql = unit["rows"], unit["intake"], unit["sql"]
    panel = brands * dmas * rows["panel_rows_per_dma_day"]
    a_day = panel + touches
    intake_h = (a_day / 1e6 * intake["cpu_seconds_per_million_rows"] + brands * rows["files_per_brand_day"] * intake["cpu_seconds_per_file"]) / 3600  # fmt: skip
    stored = (
        (panel * rows["panel_bytes_per_row"] + touches * rows["event_bytes_per_row"]) * HISTORY_DAYS / 1e9
    )
    stored *= 1 + rows["built_bytes_per_raw_byte"]
    fits_h = brands * dmas / 210 * sum(j["cpu_seconds"] for j in unit["fits"].values()) / 3600
    # All of a year's rows once a day is the high end; the low end touches a week (incremental models).
    per_row = sql["cpu_seconds_per_million_raw_rows"] / 1e6 / 3600
    low, high = (sql["cpu_seconds_fixed"] / 3600 + a_day * span * per_row for span in (7, 365))
    usd = PRICES["vcpu_hour"] * 30
    return {
        "rows_a_day": a_day, "stored_gb": stored, "intake_cpu_hours_a_day": intake_h, "fits_cpu_hours_a_day": fits_h,
        "sql_cpu_hours_a_day_low": low, "sql_cpu_hours_a_day_high": high,
        "cores_for_the_night": max((intake_h + fits_h) / NIGHT_HOURS, 1.0),
        "intake_usd": intake_h * usd, "fits_usd": fits_h * usd,
        "storage_usd": stored * (PRICES["warehouse_gb_month"] + 2 * PRICES["s3_gb_month"]),
        "airflow_usd": PRICES["mwaa_small_hour"] * 730,
        "sql_usd_low": max(low / 2, 8 / 60 * 10) * 30 * PRICES["rpu_hour"],  # at least ten minutes a day of 8 RPU
        "sql_usd_high": max(high / 2, 8 / 60 * 10) * 30 * PRICES["rpu_hour"],
    }  # fmt: skip


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--landing", type=Path)
    parser.add_argument("--warehouse", type=Path)
    parser.add_argument("--keep-units", action="store_true")
    chosen = parser.parse_args()
    if chosen.keep_units:
        unit = json.loads(OUT.read_text())["unit"]
    elif chosen.landing and chosen.warehouse:
        rows = measure_rows(chosen.warehouse)
        unit = {
            "intake": measure_intake(chosen.landing), "rows": rows, "sql": measure_sql(chosen.warehouse, rows["raw_rows"]),
            "fits": measure_fits(chosen.warehouse), "load_average": os.getloadavg()[0],
        }  # fmt: skip
    else:
        parser.error("--landing and --warehouse, or --keep-units")
    table = {name: monthly(scale, unit) for name, scale in SCALES.items()}
    for part in ("intake", "rows", "sql"):
        print(f"{part}: " + ", ".join(f"{k} {v:,.2f}" for k, v in unit[part].items()))
    for job, cost in unit["fits"].items():
        print(
            f"fit {job}: {cost['units']} units, {cost['cpu_seconds']:.1f} CPU s, peak {cost['peak_mb']:.0f} MB"
        )
    print(f"fits of one brand: {sum(j['cpu_seconds'] for j in unit['fits'].values()):.0f} CPU s")
    print(
        "\nCPU hours a day\n| scale | rows a day | stored, 3 years | intake | fits | SQL | cores for a night |\n|---|---|---|---|---|---|---|"
    )
    for name, c in table.items():
        print(f"| {name} | {c['rows_a_day']:,.0f} | {c['stored_gb']:,.1f} GB | {c['intake_cpu_hours_a_day']:.2f} | {c['fits_cpu_hours_a_day']:.2f} | "
              f"{c['sql_cpu_hours_a_day_low']:,.2f} - {c['sql_cpu_hours_a_day_high']:,.1f} | {c['cores_for_the_night']:.0f} |")  # fmt: skip
    print("\nUSD a month\n| scale | intake | fits | storage | Airflow | SQL |\n|---|---|---|---|---|---|")
    for name, c in table.items():
        print(f"| {name} | {c['intake_usd']:,.0f} | {c['fits_usd']:,.0f} | {c['storage_usd']:,.0f} | {c['airflow_usd']:,.0f} | "
              f"{c['sql_usd_low']:,.0f} - {c['sql_usd_high']:,.0f} |")  # fmt: skip
    OUT.write_text(json.dumps({"unit": unit, "prices_assumed": PRICES, "monthly": table}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
