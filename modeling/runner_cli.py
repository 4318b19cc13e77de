"""The steps that the scheduler calls: init, snapshot, plan, fit, record."""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from modeling import runner
from modeling.errors import InputError
from modeling.io import RUN_TABLES, Warehouse, open_warehouse
from modeling.progress import progress
from settings import Settings, load_settings

DATE_COLUMNS = {"as_of_date", "window_start", "window_end"}
TIME_COLUMNS = {"started_at", "finished_at"}
#: Snapshots that stay, newest first: one run of fits and one refit at a time read theirs, the rest is for looking back.
KEEP_SNAPSHOTS = 5


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the warehouse commands."""
    commands.add_parser("init", help="create the run-output tables that are missing")
    snapshot = commands.add_parser("snapshot", help="copy the feature marts to Parquet; prints the folder")
    snapshot.add_argument("--jobs", default=",".join(runner.JOBS), help="comma-separated jobs (default: all)")
    plan = commands.add_parser("plan", help="the units of one stage as JSON, for mapped tasks")
    plan.add_argument("--snapshot", required=True, type=Path)
    plan.add_argument("--stage", default="alone", help="alone, wave_0, wave_1, ...")
    plan.add_argument("--jobs", default=",".join(runner.JOBS))
    fit = commands.add_parser("fit", help="fit one unit on a snapshot")
    fit.add_argument("job", choices=(*runner.JOBS, *runner.OPTIONAL_JOBS))
    fit.add_argument("--snapshot", required=True, type=Path)
    fit.add_argument("--brand", required=True)
    fit.add_argument("--unit", default="all")
    fit.add_argument("--seed", type=int, default=1)
    record = commands.add_parser("record", help="write the results of a snapshot's fits to the warehouse")
    record.add_argument("--snapshot", required=True, type=Path)
    everything = commands.add_parser("run", help="snapshot, fit every unit, record: without a scheduler")
    everything.add_argument("--jobs", default=",".join(runner.JOBS))
    everything.add_argument("--seed", type=int, default=1)


def run(args: argparse.Namespace) -> None:
    """Carry out one command; results go to standard output as one JSON line."""
    settings = load_settings()
    if args.command == "init":
        with open_warehouse(settings) as warehouse:
            warehouse.ensure_tables({**RUN_TABLES, **runner.output_tables()})
        print(json.dumps({"tables": len(RUN_TABLES) + len(runner.output_tables())}))
    elif args.command == "snapshot":
        print(json.dumps({"snapshot": str(take_snapshot(settings, _jobs(args.jobs)))}))
    elif args.command == "plan":
        print(json.dumps(runner.plan(_snapshot(args.snapshot), args.stage, _jobs(args.jobs))))
    elif args.command == "fit":
        result = _fit(_snapshot(args.snapshot), args.job, args.brand, args.unit, args.seed)
        if result["status"] == "failed":
            print(f"fit: {args.job} {args.unit}: {result['message']}", file=sys.stderr)
            raise SystemExit(1)
    elif args.command == "record":
        print(json.dumps(record(settings, args.snapshot)))
    else:
        snapshot = _snapshot(take_snapshot(settings, _jobs(args.jobs)))
        for stage in runner.stages(_jobs(args.jobs)):
            for unit in runner.plan(snapshot, stage, _jobs(args.jobs)):
                _fit(snapshot, unit["job"], unit["brand"], unit["unit"], args.seed)
        print(json.dumps(record(settings, snapshot.path)))


def _jobs(text: str) -> list[str]:
    jobs = [j for j in text.split(",") if j]
    known = (*runner.JOBS, *runner.OPTIONAL_JOBS)
    unknown = [j for j in jobs if j not in known]
    if unknown:
        raise InputError(f"--jobs: {unknown[0]!r} is not a job (there are: {', '.join(known)})")
    return jobs


def _snapshot(path: Path) -> runner.Snapshot:
    if not (path / "manifest.json").is_file():
        raise InputError(f"--snapshot: no snapshot at {path}")
    return runner.Snapshot(path)


def _fit(snapshot: runner.Snapshot, job: str, brand: str, unit: str, seed: int) -> dict[str, Any]:
    result = runner.fit_unit(snapshot, job, brand, unit, out=snapshot.path / "fits", seed=seed)
    progress(f"{job} {brand} {unit}: {result['status']} in {result['cpu_seconds']} CPU s {result['message']}")
    return result


def take_snapshot(settings: Settings, jobs: list[str]) -> Path:
    """Copy the inputs of the jobs out of the warehouse; the folder's name is the hash of their content."""
    wanted: dict[str, list[str]] = {}
    for job in jobs:
        for table, columns in runner.spec(job).INPUTS.items():
            known = wanted.setdefault(table, [])
            known += [c for c in columns if c not in known]
    settings.runs_dir.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".snapshot-", dir=settings.runs_dir))
    try:
        with open_warehouse(settings) as warehouse:
            for table, columns in wanted.items():
                qualified = _locate(warehouse, table)
                rows = warehouse.export(qualified, columns, temporary / f"{table}.parquet")
                progress(f"snapshot: {table}, {rows:,} rows")
            as_of = _as_of(warehouse)
        tables = {
            table: {"columns": columns, "hashes": _hashes(temporary / f"{table}.parquet")}
            for table, columns in sorted(wanted.items())
        }
        manifest = {"tables": tables, "as_of": as_of, "code_version": runner.code_version()}
        text = json.dumps(manifest, sort_keys=True, indent=1)
        (temporary / "manifest.json").write_text(text)
        final = settings.runs_dir / hashlib.sha256(text.encode()).hexdigest()[:16]
        if not (final / "manifest.json").is_file():
            snapshot = runner.Snapshot(temporary)
            plans = {stage: runner.plan(snapshot, stage, jobs) for stage in runner.stages(jobs)}
            (temporary / "plan.json").write_text(json.dumps(plans))
            os.replace(temporary, final)
        os.utime(final)  # an equal snapshot that was there already is the newest again
        prune(settings.runs_dir)
        return final
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def prune(runs: Path, keep: int = KEEP_SNAPSHOTS) -> list[str]:
    """Remove all but the newest snapshots, and what killed runs left more than a day ago; the names that went.

    Their results are in the warehouse; only the copies of the features, which hold personal keys, are lost.
    """
    whole = [f for f in runs.iterdir() if not f.name.startswith(".") and (f / "manifest.json").is_file()]
    newest = sorted(whole, key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    yesterday = dt.datetime.now().timestamp() - 86_400
    dead = [f for f in runs.glob(".snapshot-*") if f.stat().st_mtime < yesterday]
    for folder in (gone := [*newest[keep:], *dead]):
        shutil.rmtree(folder, ignore_errors=True)
    return sorted(folder.name for folder in gone)


def _locate(warehouse: Warehouse, table: str) -> str:
    for schema in ("features", "marts"):
        if warehouse.has_table(f"{schema}.{table}"):
            return f"{schema}.{table}"
    raise InputError(f"snapshot: {table} is in neither features nor marts (run dbt build first)")


def _hashes(path: Path) -> dict[str, str]:
    frame = pd.read_parquet(path)
    if "brand_id" not in frame.columns:
        return {"": runner.content_hash(frame)}
    return {str(brand): runner.content_hash(part) for brand, part in frame.groupby("brand_id", sort=True)}


def _as_of(warehouse: Warehouse) -> dict[str, str]:
    """Last day of the last complete week of sales per brand, from the data and never from the clock."""
    rows = warehouse.query(
        "select brand_id, max(week_start_date) from marts.fct_pos_week where is_complete group by brand_id"
    )
    return {str(b): (pd.Timestamp(day).date() + dt.timedelta(days=6)).isoformat() for b, day in rows}


def record(settings: Settings, path: Path) -> dict[str, int]:
    """Write every finished unit of a snapshot; counts by what happened."""
    counts = {"recorded": 0, "unchanged": 0}
    with open_warehouse(settings) as warehouse:
        warehouse.ensure_tables({**RUN_TABLES, **runner.output_tables()})
        for file in sorted((path / "fits").glob("*/*/*/run.json")):
            run_row = json.loads(file.read_text())
            outputs = {table: file.parent / f"{table}.parquet" for table in run_row.pop("outputs")}
            for column in DATE_COLUMNS:
                run_row[column] = dt.date.fromisoformat(run_row[column]) if run_row[column] else None
            for column in TIME_COLUMNS:
                run_row[column] = dt.datetime.fromisoformat(run_row[column])
            done = warehouse.record(run_row, outputs)
            counts["recorded" if done else "unchanged"] += 1
    return counts
