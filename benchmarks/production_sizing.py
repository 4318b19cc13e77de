"""Unit costs measured on this machine, and what they mean per month for a business of a given size.

    python -m benchmarks.production_sizing --landing DIR [--warehouse FILE]

Measured: processor seconds and staged bytes per million rows of the intake (on the landing zone given), and, when a
warehouse with recorded runs is given, processor seconds of each model job per unit. Assumed and printed as such: list
prices, how often things run, and that a Redshift RPU-hour does for SQL what it did for nobody here: the SQL share is left
as a range, because no cluster was measured. Writes benchmarks/results/production_sizing.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
#: List prices in USD (us-east-1, as remembered, to be replaced by your own): not measured, not verified here.
PRICES = {
    "rpu_hour": 0.375,
    "storage_gb_month": 0.024,
    "s3_gb_month": 0.023,
    "vcpu_hour": 0.05,
    "mwaa_small_hour": 0.49,
}
#: brands, DMAs, retailers, channels, touchpoints a day
SCALES = {
    "1 brand x 210 DMAs (demo shape)": (1, 210, 3, 12, 5_000),
    "10 brands x 100 DMAs": (10, 100, 3, 12, 50_000),
    "100 brands x 210 DMAs": (100, 210, 5, 12, 2_000_000),
    "internet scale (1,000 brands, 1 G touchpoints a day)": (1000, 210, 5, 12, 1_000_000_000),
}
HISTORY_DAYS = 3 * 365


def measure_intake(landing: Path) -> dict[str, float]:
    """Load the landing zone into an empty DuckDB file; CPU seconds and rows of the whole command, children included."""
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            "WAREHOUSE_PATH": f"{folder}/w.duckdb",
            "LANDING_URI": str(landing),
            "WAREHOUSE_TARGET": "duckdb",
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "ingest", "run", "--quiet"],
            cwd=ROOT,
            env=env,
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        with duckdb.connect(f"{folder}/w.duckdb", read_only=True) as db:
            rows = db.execute("select sum(rows_loaded) from intake.ledger").fetchone()[0]
            staged = 0
            for (table,) in db.execute(
                "select table_name from information_schema.tables where table_schema = 'raw'"
            ).fetchall():
                path = f"{folder}/t.parquet"
                db.execute(f"copy raw.\"{table}\" to '{path}' (format parquet, compression zstd)")
                staged += Path(path).stat().st_size if pq.read_metadata(path).num_rows else 0
    return {
        "rows": float(rows),
        "cpu_seconds_per_million_rows": cpu / rows * 1e6,
        "parquet_bytes_per_row": staged / rows,
    }


def measure_fits(warehouse: Path) -> dict[str, dict[str, float]]:
    """CPU seconds of each recorded model job: all units of one run over the brand."""
    with duckdb.connect(str(warehouse), read_only=True) as db:
        rows = db.execute(
            "select job, count(*), sum(cpu_seconds), max(peak_mb) from runs.model_run where status = 'succeeded' group by job order by job"
        ).fetchall()
    return {job: {"units": n, "cpu_seconds": cpu, "peak_mb": peak} for job, n, cpu, peak in rows}


def monthly(scale: tuple[int, int, int, int, int], unit: dict[str, Any]) -> dict[str, float]:
    """Cost of a month in USD, and the rows behind it."""
    brands, dmas, retailers, channels, touches = scale
    media = brands * dmas * channels
    sales = brands * dmas * retailers * 6
    rows_a_day = media + sales + touches
    intake_hours = rows_a_day * 30 / 1e6 * unit["intake"]["cpu_seconds_per_million_rows"] / 3600
    stored_gb = rows_a_day * HISTORY_DAYS * unit["intake"]["parquet_bytes_per_row"] / 1e9
    fits = sum(j["cpu_seconds"] for j in unit["fits"].values())
    fit_hours = brands * dmas / 210 * fits * 30 / 3600  # daily, linear in DMAs
    return {
        "rows_a_day": rows_a_day,
        "stored_gb": stored_gb,
        "intake_usd": intake_hours * PRICES["vcpu_hour"],
        "fits_usd": fit_hours * PRICES["vcpu_hour"],
        "storage_usd": stored_gb * (PRICES["storage_gb_month"] + 2 * PRICES["s3_gb_month"]),
        "airflow_usd": PRICES["mwaa_small_hour"] * 730,
        # SQL: from two hours a day at 8 RPU to the same CPU seconds again as the intake, at one RPU per 2 vCPU
        "sql_low_usd": 2 * 30 * 8 * PRICES["rpu_hour"],
        "sql_high_usd": max(2 * 30 * 8, intake_hours / 2 * 3) * PRICES["rpu_hour"],
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--warehouse", type=Path)
    chosen = parser.parse_args()
    unit: dict[str, Any] = {"intake": measure_intake(chosen.landing), "fits": {}}
    if chosen.warehouse:
        unit["fits"] = measure_fits(chosen.warehouse)
    table = {name: monthly(scale, unit) for name, scale in SCALES.items()}
    print(f"intake: {unit['intake']['cpu_seconds_per_million_rows']:.1f} CPU s per million rows, "
          f"{unit['intake']['parquet_bytes_per_row']:.1f} bytes a row staged ({unit['intake']['rows']:,.0f} rows)")  # fmt: skip
    for job, cost in unit["fits"].items():
        print(
            f"fit {job}: {cost['units']} units, {cost['cpu_seconds']:.1f} CPU s, peak {cost['peak_mb']:.0f} MB"
        )
    print(
        f"{'scale':55} {'rows/day':>14} {'GB':>9} {'intake':>8} {'fits':>8} {'storage':>9} {'Airflow':>8} {'SQL':>17}  USD a month"
    )
    for name, c in table.items():
        print(f"{name:55} {c['rows_a_day']:>14,.0f} {c['stored_gb']:>9,.1f} {c['intake_usd']:>8,.0f} {c['fits_usd']:>8,.0f} "
              f"{c['storage_usd']:>9,.0f} {c['airflow_usd']:>8,.0f} {c['sql_low_usd']:>7,.0f} - {c['sql_high_usd']:>7,.0f}")  # fmt: skip
    out = ROOT / "benchmarks" / "results" / "production_sizing.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"unit": unit, "prices_assumed": PRICES, "monthly": table}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
