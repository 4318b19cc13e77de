"""Runs a model job on a snapshot of the feature marts. Knows no SQL and no scheduler.

A snapshot is a folder of Parquet files plus ``manifest.json``. A job (one room of this package) is fitted per
brand and unit; its result is a folder with ``run.json`` and one Parquet file per output table, which
:mod:`modeling.runner_cli` records in the warehouse. The run's id is a hash of everything that determines its
result, so that fitting again what has not changed is recognised and skipped.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib
import json
import os
import resource
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from modeling.errors import Refusal

__all__ = [
    "JOBS",
    "OPTIONAL_JOBS",
    "JobResult",
    "Refusal",
    "Snapshot",
    "fit_unit",
    "output_tables",
    "stages",
    "waves",
]

#: Rooms that run in the warehouse, in the order in which logs show them.
JOBS = (
    "geolift",
    "attribution",
    "frequency",
    "elasticity",
    "segments",
    "forecast",
    "mmm",
    "mediation",
    "segment_response",
    "budget",
)
#: Run only where they are named: they need an environment of their own.
OPTIONAL_JOBS = ("mmm_bayes",)
#: Jobs whose folder is not their own name.
_ROOMS = {"segment_response": "modeling.segments.response", "mmm_bayes": "modeling.mmm.bayes"}
PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class JobResult:
    """What a job's ``fit`` returns.

    Attributes:
        outputs: output table -> frame with exactly the columns that the job's spec declares.
        metrics: scores and diagnostics of the run (JSON values).
        window: first and last date of the data that the estimates speak of.
        status: "succeeded", or "failed" for a fit that did not converge (kept for diagnosis, never published).
        message: one line for the reader of the run table.
    """

    outputs: dict[str, pd.DataFrame]
    metrics: dict[str, Any] = field(default_factory=dict)
    window: tuple[dt.date | None, dt.date | None] = (None, None)
    status: str = "succeeded"
    message: str = ""


def _room(job: str) -> str:
    return _ROOMS.get(job, f"modeling.{job}")


def spec(job: str) -> ModuleType:
    """The job's ``spec`` module: JOB, REQUIRES, INPUTS, OUTPUTS."""
    return importlib.import_module(f"{_room(job)}.spec")


def _job(job: str) -> ModuleType:
    return importlib.import_module(f"{_room(job)}.job")


def output_tables(jobs: Iterable[str] | None = None) -> dict[str, dict[str, str]]:
    """Every output table of the jobs (default: all, the optional ones too) with its own columns and SQL types."""
    tables: dict[str, dict[str, str]] = {}
    for job in (*JOBS, *OPTIONAL_JOBS) if jobs is None else jobs:
        for table, columns in spec(job).OUTPUTS.items():
            if table in tables and tables[table] != dict(columns):
                raise ValueError(f"{job}: table {table} is declared twice with different columns")
            tables[table] = dict(columns)
    return tables


def waves(jobs: Iterable[str]) -> list[list[str]]:
    """Jobs in groups that can run side by side, each after the groups that it reads from."""
    left, done, order = list(jobs), set[str](), list[list[str]]()
    wanted = set(left)
    while left:
        ready = [j for j in left if set(spec(j).REQUIRES) & wanted <= done]
        if not ready:
            raise ValueError(f"jobs wait for each other: {', '.join(left)}")
        order.append(ready)
        done.update(ready)
        left = [j for j in left if j not in ready]
    return order


def stages(jobs: Iterable[str]) -> dict[str, list[str]]:
    """What a scheduler runs: "alone", the jobs that no other waits for, beside the waves of those that are chained."""
    wanted = list(jobs)
    needs = {j: set(spec(j).REQUIRES) & set(wanted) for j in wanted}
    chained = {j for j in wanted if needs[j] or any(j in other for other in needs.values())}
    groups = {"alone": [j for j in wanted if j not in chained]}
    for depth, wave in enumerate(waves([j for j in wanted if j in chained])):
        groups[f"wave_{depth}"] = wave
    return groups


@cache
def code_version() -> str:
    """A hash of this package's source: what produced an estimate, with or without git."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"src-{digest.hexdigest()[:12]}"


@dataclass(frozen=True)
class Snapshot:
    """Feature marts at one moment. ``manifest``: tables -> {hash by brand}, brands -> as-of date."""

    path: Path

    @property
    def manifest(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.path / "manifest.json").read_text())
        return loaded

    def features(self, job: str, brand_id: str) -> dict[str, pd.DataFrame]:
        """The job's inputs for one brand, each with the columns that its spec lists."""
        frames = {}
        for table, columns in spec(job).INPUTS.items():
            frame = pd.read_parquet(self.path / f"{table}.parquet", columns=list(columns))
            if "brand_id" in frame.columns:
                frame = frame[frame["brand_id"] == brand_id].reset_index(drop=True)
            frames[table] = _plain_types(frame)
        return frames

    def feature_hash(self, job: str, brand_id: str) -> str:
        """Hash of the content of the job's inputs for the brand."""
        digest = hashlib.sha256()
        tables = self.manifest["tables"]
        for table, columns in sorted(spec(job).INPUTS.items()):
            hashes = tables[table]["hashes"]
            digest.update(f"{table}:{','.join(columns)}:{hashes.get(brand_id, hashes.get('', ''))};".encode())
        return digest.hexdigest()[:32]

    def brands(self, job: str) -> list[str]:
        """Brands for which the first input of the job has rows."""
        first = next(iter(spec(job).INPUTS))
        return sorted(b for b in self.manifest["tables"][first]["hashes"] if b)


def _plain_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates as datetime64 and decimals as float: what numerical code expects."""
    for column in frame.columns:
        values = frame[column]
        if values.dtype == object and len(values):
            sample = next((v for v in values if v is not None), None)
            if isinstance(sample, dt.date):
                frame[column] = pd.to_datetime(values)
            elif sample is not None and type(sample).__name__ == "Decimal":
                frame[column] = values.astype(float)
        elif isinstance(values.dtype, pd.ArrowDtype):
            frame[column] = values.astype(float)
    return frame


def content_hash(frame: pd.DataFrame) -> str:
    """Hash of a frame's cells and column names; the order of rows counts.

    Floating-point cells count in single precision: sums of the same rows in another order differ in the last digits.
    """
    digest = hashlib.sha256(",".join(map(str, frame.columns)).encode())
    if len(frame):
        doubles = frame.select_dtypes("float64").columns
        frame = frame.astype(dict.fromkeys(doubles, "float32"))
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]


# --------------------------------------------------------------------------------------------- fitting


def unit_dir(out: Path, job: str, brand_id: str, unit: str) -> Path:
    """Folder of one unit's result; the unit's name is data, so the folder carries its hash."""
    return out / job / brand_id / hashlib.sha256(unit.encode()).hexdigest()[:12]


def plan(snapshot: Snapshot, stage: str, jobs: Iterable[str]) -> list[dict[str, str]]:
    """Units of one stage: ``[{"job", "brand", "unit"}, ...]``, the mapped tasks of the scheduler."""
    listed = []
    for job in stages(jobs).get(stage, []):
        for brand in snapshot.brands(job):
            try:
                units = _job(job).units(snapshot.features(job, brand))
            except Refusal:
                units = ["all"]  # the fit says why, in a run row of its own
            listed += [{"job": job, "brand": brand, "unit": u} for u in units]
    return listed


def _upstream(out: Path, job: str, brand_id: str) -> tuple[dict[str, pd.DataFrame], list[str]]:
    frames: dict[str, list[pd.DataFrame]] = {}
    run_ids = []
    for required in spec(job).REQUIRES:
        for path in sorted((out / required / brand_id).glob("*/run.json")):
            run = json.loads(path.read_text())
            if run["status"] != "succeeded":
                continue
            run_ids.append(run["run_id"])
            for table in run["outputs"]:
                frames.setdefault(table, []).append(
                    _plain_types(pd.read_parquet(path.parent / f"{table}.parquet"))
                )
    return {t: pd.concat(parts, ignore_index=True) for t, parts in frames.items()}, sorted(set(run_ids))


def fit_unit(
    snapshot: Snapshot, job: str, brand_id: str, unit: str, *, out: Path, seed: int
) -> dict[str, Any]:
    """Fit one unit and write its result folder; an equal earlier result is kept.

    Returns:
        The content of ``run.json``: identity, status, message, window, cost, metrics.
    """
    upstream, upstream_ids = _upstream(out, job, brand_id)
    feature_hash = snapshot.feature_hash(job, brand_id)
    identity = "|".join([job, brand_id, feature_hash, code_version(), str(seed), *upstream_ids])
    run_id = hashlib.sha256(identity.encode()).hexdigest()[:32]
    folder = unit_dir(out, job, brand_id, unit)
    earlier = folder / "run.json"
    if earlier.is_file():
        run: dict[str, Any] = json.loads(earlier.read_text())
        if run["run_id"] == run_id and run["status"] != "failed":
            return run
    started, cpu = dt.datetime.now(dt.UTC), _cpu_seconds()
    result = _fit(snapshot, job, brand_id, unit, seed=seed, upstream=upstream)
    run = {
        "run_id": run_id,
        "job": job,
        "unit": unit,
        "brand_id": brand_id,
        "status": result.status,
        "message": " ".join(result.message.split())[:1000],
        "as_of_date": snapshot.manifest["as_of"].get(brand_id),
        "window_start": _iso(result.window[0]),
        "window_end": _iso(result.window[1]),
        "code_version": code_version(),
        "feature_hash": feature_hash,
        "seed": seed,
        "started_at": started.replace(tzinfo=None).isoformat(timespec="milliseconds"),
        "finished_at": dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(timespec="milliseconds"),
        "cpu_seconds": round(_cpu_seconds() - cpu, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "metrics_json": json.dumps(result.metrics, default=str, sort_keys=True),
        "outputs": sorted(result.outputs),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for table, frame in result.outputs.items():
        write_output(frame, spec(job).OUTPUTS[table], run, folder / f"{table}.parquet")
    temporary = folder / "run.json.part"
    temporary.write_text(json.dumps(run, indent=1))
    os.replace(temporary, earlier)  # the result exists once this file does
    return run


def _fit(
    snapshot: Snapshot, job: str, brand_id: str, unit: str, *, seed: int, upstream: Mapping[str, pd.DataFrame]
) -> JobResult:
    try:
        result: JobResult = _job(job).fit(
            snapshot.features(job, brand_id), unit, seed=seed, upstream=upstream
        )
    except Refusal as refusal:
        return JobResult(outputs={}, status="refused", message=str(refusal))
    except (
        Exception
    ) as error:  # a failed fit is a row that an engineer reads, and the last good run stays served
        traceback.print_exc()
        return JobResult(outputs={}, status="failed", message=f"{type(error).__name__}: {error}")
    if result.status != "succeeded":
        return JobResult(outputs={}, metrics=result.metrics, status="failed", message=result.message)
    return result


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _iso(day: Any) -> str | None:
    return None if day is None or pd.isna(day) else pd.Timestamp(day).date().isoformat()


# ---------------------------------------------------------------------------------------- output files


def arrow_type(sql: str) -> pa.DataType:
    """Arrow type of an SQL column type as the specs write it."""
    name = sql.lower().strip()
    if name.startswith("varchar"):
        return pa.string()
    if name.startswith("decimal"):
        precision, scale = name[name.index("(") + 1 : name.index(")")].split(",")
        return pa.decimal128(int(precision), int(scale))
    types: dict[str, pa.DataType] = {
        "bigint": pa.int64(),
        "integer": pa.int32(),
        "double precision": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "boolean": pa.bool_(),
    }
    return types[name]


#: Decimals of money in the marts, where they are not four: credit is a split of cents that has to add up again.
MONEY_DECIMALS = {"credited_value_usd": 6}


def write_output(frame: pd.DataFrame, columns: Mapping[str, str], run: Mapping[str, Any], path: Path) -> None:
    """Write one output table with the run's common columns, checked against its declared columns and types.

    Raises:
        ValueError: the frame's columns are not those of the spec, or a value does not fit its type.
    """
    from modeling.io.base import COMMON_COLUMNS

    if list(frame.columns) != list(columns):
        missing, extra = set(columns) - set(frame.columns), set(frame.columns) - set(columns)
        if missing or extra:
            raise ValueError(f"{path.stem}: columns missing {sorted(missing)}, not declared {sorted(extra)}")
    arrays, names = [], []
    for column, sql in COMMON_COLUMNS.items():
        value = run[column]
        kind = arrow_type(sql)
        if kind == pa.date32() and isinstance(value, str):
            value = dt.date.fromisoformat(value)
        arrays.append(pa.array([value] * len(frame), type=kind))
        names.append(column)
    for column, sql in columns.items():
        values = frame[column]
        if sql == "double precision" and column.endswith("_usd"):
            # once and here: engines differ in how they round a double that lies between two decimals
            values = pd.to_numeric(values).astype(float).round(MONEY_DECIMALS.get(column, 4))
        arrays.append(_column(values, arrow_type(sql), f"{path.stem}.{column}"))
        names.append(column)
    pq.write_table(pa.Table.from_arrays(arrays, names=names), path)


def _column(values: pd.Series[Any], kind: pa.DataType, name: str) -> pa.Array:
    if pa.types.is_decimal(kind):
        scale = kind.scale
        numbers = pd.to_numeric(values).astype(float)
        texts = [None if pd.isna(v) else f"{v:.{scale}f}" for v in numbers]
        return pa.array(texts, type=pa.string()).cast(kind)
    if pa.types.is_date(kind):
        return pa.array(pd.to_datetime(values).dt.date, type=kind, from_pandas=True)
    if pa.types.is_integer(kind):
        return pa.array([None if pd.isna(v) else int(v) for v in values], type=kind)
    if pa.types.is_string(kind):
        return pa.array([None if pd.isna(v) else str(v) for v in values], type=kind)
    try:
        return pa.array(values, type=kind, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"{name}: {error}") from error
