"""Write, audit, publish: the marts of the warehouse become the serving copy in one atomic swap.

The caller runs this only after ``dbt build`` passed. Readers have the old version open or the new one, never a
mix: the copy is written beside the served file, forced to disk, and moved over it with ``os.replace``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from pathlib import Path
from typing import Any

import duckdb

from modeling.io.base import RUN_TABLES
from modeling.io.duckdb import connect, quote
from serving.fingerprint import code_fingerprint, source_hash
from settings import Settings

#: Facts about a run, not about the brand: they differ between two runs that publish the same marts.
VOLATILE_COLUMNS = frozenset(
    {
        "loaded_at",
        "started_at",
        "finished_at",
        "published_at",
        "recorded_seq",
        "cpu_seconds",
        "peak_mb",
        "raised_at",
        "first_seen_at",
        "last_seen_at",
        "acknowledged_at",
        "resolved_at",
        "ingest_run_id",
        "load_run_id",
        "ledger_id",
        "version",
        "metrics_json",
        "run_seq",
    }
)
#: Tables that describe the act of publishing itself.
VOLATILE_TABLES = frozenset({"fct_published_version"})


def publish(settings: Settings) -> dict[str, Any]:
    """Publish the marts if their content changed since the served version.

    Returns:
        version, changed (whether a new file was swapped in), tables, rows, content_hash.

    Raises:
        RuntimeError: the warehouse has no marts to publish.
        modeling.io.WarehouseBusy: the warehouse stayed locked.
    """
    sweep(settings.serving_path)
    db = connect(settings.warehouse_path)
    try:
        tables = mart_tables(db)
        if not tables:
            raise RuntimeError("publish: the warehouse has no marts (run dbt build first)")
        content, rows = content_hash(db, tables)
        code = code_fingerprint()
        sources = source_hash(db)
        _ensure_version_table(db)
        last = db.execute(
            "select version, content_hash, source_hash, code_version from runs.published_version "
            "order by version desc limit 1"
        ).fetchone()
        served = served_version(settings.serving_path)
        summary = {"tables": len(tables), "rows": rows, "content_hash": content}
        if last and last[1] == content:
            version = int(last[0])
            if (last[2], last[3]) != (sources, code):
                # nothing a reader would see has changed; remember what was checked, so that the next run can rest
                db.execute(
                    "update runs.published_version set source_hash = ?, code_version = ? where version = ?",
                    [sources, code, version],
                )
            if served == version:
                return {"version": version, "changed": False, **summary}
        else:
            version = int(last[0]) + 1 if last else 1
            db.execute(
                "insert into runs.published_version (version, content_hash, published_at, as_of_date, marts_rows, "
                "code_version, source_hash) values (?, ?, ?, ?, ?, ?, ?)",
                [
                    version,
                    content,
                    dt.datetime.now(dt.UTC).replace(tzinfo=None),
                    _as_of(db),
                    rows,
                    code,
                    sources,
                ],
            )
        _write_copy(db, tables, settings.serving_path)
        return {"version": version, "changed": True, **summary}
    finally:
        db.close()


def mart_tables(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the tables and views in schema ``marts``, in order."""
    rows = db.execute(
        "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
    ).fetchall()
    return [str(r[0]) for r in rows]


def content_hash(db: duckdb.DuckDBPyConnection, tables: list[str]) -> tuple[str, int]:
    """Hash of what readers see, independent of row order and of run bookkeeping, and the number of rows.

    Floating-point cells count in single precision (seven digits), because the order of a sum changes the last ones.
    """
    digest, total = hashlib.sha256(), 0
    for table in tables:
        if table in VOLATILE_TABLES:
            continue
        columns = db.execute(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = 'marts' and table_name = ? order by ordinal_position",
            [table],
        ).fetchall()
        cells = [
            f"coalesce(try_cast({quote(n)} as float), {quote(n)}) + 0.0"
            if kind in ("DOUBLE", "FLOAT")
            else quote(n)
            for n, kind in columns
            if n not in VOLATILE_COLUMNS
        ]
        names = ",".join(n for n, _ in columns)
        row_hash = f"hash({', '.join(cells)})" if cells else "hash(0)"
        row = db.execute(
            f"select count(*), coalesce(sum({row_hash} % 1000000007), 0), coalesce(bit_xor({row_hash}), 0) "
            f"from marts.{quote(table)}"
        ).fetchone()
        assert row is not None  # noqa: S101 - an aggregate always has one row
        digest.update(f"{table}({names}):{row[0]}:{row[1]}:{row[2]};".encode())
        total += int(row[0])
    return digest.hexdigest()[:32], total


def _ensure_version_table(db: duckdb.DuckDBPyConnection) -> None:
    body = ", ".join(f"{quote(c)} {t}" for c, t in RUN_TABLES["published_version"].items())
    db.execute("create schema if not exists runs")
    db.execute(f"create table if not exists runs.published_version ({body})")


def served_version(path: Path) -> int | None:
    """Version inside the serving copy; None when there is none or it cannot be read."""
    if not path.is_file():
        return None
    try:
        with duckdb.connect(str(path), read_only=True) as db:
            row = db.execute("select max(version) from marts.fct_published_version").fetchone()
            return int(row[0]) if row and row[0] is not None else None
    except duckdb.Error:
        return None


def temporary_beside(target: Path) -> Path:
    """Where this process writes the next copy; ``sweep`` finds it if the process is killed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    return temporary


def move_over(temporary: Path, target: Path) -> None:
    """Force a whole copy to disk and move it over the served file in one step."""
    with temporary.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(temporary, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_copy(db: duckdb.DuckDBPyConnection, tables: list[str], target: Path) -> None:
    temporary = temporary_beside(target)
    literal = str(temporary).replace("'", "''")
    try:
        db.execute(f"attach '{literal}' as serving")
        db.execute("begin")  # one transaction: a thousand comments would each wait for the disk
        db.execute("create schema serving.marts")
        for table in tables:
            db.execute(f"create table serving.marts.{quote(table)} as select * from marts.{quote(table)}")
        _copy_comments(db, tables)
        db.execute("commit")
        db.execute("checkpoint serving")
        db.execute("detach serving")
        move_over(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _copy_comments(db: duckdb.DuckDBPyConnection, tables: list[str]) -> None:
    """Descriptions that dbt persisted travel with the copy, so that a BI tool shows them."""
    described = db.execute(
        "select table_name, null, comment from duckdb_tables() where schema_name = 'marts' and comment is not null "
        "and database_name = current_database() "
        "union all select view_name, null, comment from duckdb_views() where schema_name = 'marts' "
        "and comment is not null and database_name = current_database() "
        "union all select table_name, column_name, comment from duckdb_columns() "
        "where schema_name = 'marts' and comment is not null and database_name = current_database()"
    ).fetchall()
    for table, column, comment in described:
        if table not in tables:
            continue
        # the warehouse notes at the end of a table's comment what it was built from; readers need the description only
        text = str(comment).split(" [inputs ")[0].strip().replace("'", "''")
        if column is None:
            db.execute(f"comment on table serving.marts.{quote(table)} is '{text}'")
        else:
            db.execute(f"comment on column serving.marts.{quote(table)}.{quote(column)} is '{text}'")


def _as_of(db: duckdb.DuckDBPyConnection) -> dt.date | None:
    try:
        row = db.execute("select max(week_start_date) from marts.fct_pos_week where is_complete").fetchone()
    except duckdb.Error:
        return None
    return row[0] + dt.timedelta(days=6) if row and row[0] else None


def sweep(target: Path) -> None:
    """Remove copies that a killed publisher left behind."""
    for orphan in target.parent.glob(f"{target.name}.*.tmp*"):
        orphan.unlink(missing_ok=True)
