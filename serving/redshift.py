"""Publishing on Redshift: the tested marts replace what BI reads, in one transaction.

Schema ``published`` holds one table for each mart. Rows are deleted and inserted, never dropped or truncated (TRUNCATE
commits at once), so grants and row-level policies stay on the tables and a reader sees the old version or the new one.
A mart whose columns changed gets a new table, made by the publisher and closed to the row-filtered readers until the
administrator's next ``python -m sql apply`` has secured it.

The dashboard, the API and the report read one DuckDB file on either engine: what a publish put into ``published`` is
also written to SERVING_PATH, from the same transaction, and moved into place after its commit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import duckdb

from modeling.io.duckdb import quote
from modeling.io.redshift import RedshiftWarehouse
from serving.fingerprint import code_fingerprint
from serving.publish import (
    VOLATILE_COLUMNS,
    VOLATILE_TABLES,
    move_over,
    served_version,
    sweep,
    temporary_beside,
)
from settings import Redshift, Settings
from sql import session
from sql.render import identifier

Columns = list[tuple[str, str]]


def publish_on_redshift(settings: Settings) -> dict[str, Any]:
    """Publish the marts if their content changed since the published version, and see that SERVING_PATH holds that version.

    Returns:
        version, changed (published tables or the served file), tables, rows, content_hash.

    Raises:
        RuntimeError: there are no marts to publish.
    """
    redshift, target = _redshift(settings), settings.serving_path
    sweep(target)
    temporary = temporary_beside(target)

    def action(cursor: Any) -> dict[str, Any]:
        result = _publish(cursor)
        if result["changed"] or served_version(target) != result["version"]:
            temporary.unlink(missing_ok=True)  # of an attempt whose transaction was lost
            _write_copy(cursor, redshift, temporary)
            result["changed"] = True
        return result

    try:
        result: dict[str, Any] = session.retrying(lambda: _once(redshift, action))
        if temporary.exists():
            move_over(temporary, target)
        return result
    finally:
        temporary.unlink(missing_ok=True)


def pending_on_redshift(settings: Settings) -> bool:
    """Whether the ledger or the code differ from those of the last published version, or no copy is served yet."""
    there = served_version(settings.serving_path) is not None
    return not there or bool(session.retrying(lambda: _once(_redshift(settings), _pending)))


def _redshift(settings: Settings) -> Redshift:
    if settings.redshift is None:
        raise RuntimeError("publish: WAREHOUSE_TARGET is not redshift")
    return settings.redshift


def _once(redshift: Redshift, action: Any) -> Any:
    connection = session.connect(redshift)
    try:
        cursor = connection.cursor()
        cursor.paramstyle = "qmark"
        result = action(cursor)
        connection.commit()
        return result
    finally:
        session.close_quietly(connection)  # what was not committed is rolled back


def _rows(cursor: Any, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
    cursor.execute(sql, values or None)
    return [tuple(r) for r in cursor.fetchall()] if cursor.description else []


def _tables(cursor: Any, schema: str) -> dict[str, Columns]:
    found: dict[str, Columns] = {}
    listed = _rows(
        cursor,
        "select table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale "
        "from information_schema.columns where table_schema = ? order by table_name, ordinal_position",
        (schema,),
    )
    for table, column, *kind in listed:
        found.setdefault(str(table), []).append((str(column), "/".join(map(str, kind))))
    return found


def _source_hash(cursor: Any) -> str:
    """Hash of the intake ledger; the fields of ``serving.fingerprint.source_hash``, computed from the rows."""
    lines = _rows(
        cursor,
        "select coalesce(sha256, '') || '|' || coalesce(feed, '') || '|' || coalesce(outcome, '') || '|' || coalesce(brand_id, '') "
        "from intake.ledger where outcome <> 'NOOP' order by 1",
    )
    digest = hashlib.sha256("\n".join(str(r[0]) for r in lines).encode()).hexdigest()
    return f"{len(lines)}-{digest[:16]}"


def _content(cursor: Any, marts: dict[str, Columns]) -> tuple[str, int]:
    """Hash of what readers see, and the number of rows: an order-free sum of row hashes, made by the warehouse."""
    digest, total = hashlib.sha256(), 0
    for table, columns in sorted(marts.items()):
        if table in VOLATILE_TABLES:
            continue
        cells = [
            # nine significant digits, because a parallel sum may change the last ones
            f"to_char({identifier(n)}, '9.99999999EEEE')"
            if kind.startswith("double")
            else f"cast({identifier(n)} as varchar)"
            for n, kind in columns
            if n not in VOLATILE_COLUMNS and not kind.startswith("boolean")
        ]
        cells += [
            f"case {identifier(n)} when true then 't' when false then 'f' end"
            for n, k in columns
            if k.startswith("boolean")
        ]
        line = " || '|' || ".join(f"coalesce({cell}, '~')" for cell in cells) or "''"
        row = _rows(
            cursor,
            f"select count(*), coalesce(sum(cast(strtol(substring(md5({line}), 1, 13), 16) as decimal(38,0))), 0) from marts.{identifier(table)}",
        )[0]
        digest.update(f"{table}({','.join(n for n, _ in columns)}):{row[0]}:{row[1]};".encode())
        total += int(row[0])
    return digest.hexdigest()[:32], total


def _last(cursor: Any) -> tuple[Any, ...] | None:
    rows = _rows(
        cursor,
        "select version, content_hash, source_hash, code_version from runs.published_version order by version desc limit 1",
    )
    return rows[0] if rows else None


def _pending(cursor: Any) -> bool:
    last = _last(cursor)
    return last is None or (last[2], last[3]) != (_source_hash(cursor), code_fingerprint())


def _publish(cursor: Any) -> dict[str, Any]:
    marts = _tables(cursor, "marts")
    if not marts:
        raise RuntimeError("publish: the warehouse has no marts (run dbt build first)")
    content, rows = _content(cursor, marts)
    sources, code, last = _source_hash(cursor), code_fingerprint(), _last(cursor)
    summary = {"tables": len(marts), "rows": rows, "content_hash": content}
    there = _tables(cursor, "published")
    same = last is not None and last[1] == content and {t: c for t, c in there.items() if t in marts} == marts
    if last is not None and last[1] == content:
        version = int(last[0])
        cursor.execute(
            "update runs.published_version set source_hash = ?, code_version = ? where version = ?",
            (sources, code, version),
        )
        if same:
            return {"version": version, "changed": False, **summary}
    else:
        version = int(last[0]) + 1 if last else 1
        as_of = _as_of(cursor, marts)
        cursor.execute(
            "insert into runs.published_version (version, content_hash, published_at, as_of_date, marts_rows, code_version, source_hash) "
            "values (?, ?, ?, ?, ?, ?, ?)",
            (version, content, dt.datetime.now(dt.UTC).replace(tzinfo=None), as_of, rows, code, sources),
        )
    _swap(cursor, marts, there)
    return {"version": version, "changed": True, **summary}


def _write_copy(cursor: Any, redshift: Redshift, temporary: Path) -> None:
    """The marts as this transaction sees them, which are the rows it published, as a DuckDB file."""
    source = RedshiftWarehouse(redshift)
    with duckdb.connect(str(temporary)) as db:
        db.execute("create schema marts")
        for table, columns in sorted(_tables(cursor, "marts").items()):
            db.register("rows", source.read(cursor, f"marts.{table}", [name for name, _ in columns]))
            db.execute(f"create table marts.{quote(table)} as select * from rows")


def _swap(cursor: Any, marts: dict[str, Columns], there: dict[str, Columns]) -> None:
    for table, columns in sorted(marts.items()):
        name, listed = identifier(table), ", ".join(identifier(c) for c, _ in columns)
        if table in there and there[table] != columns:
            cursor.execute(f"drop table published.{name}")
        if there.get(table) != columns:
            cursor.execute(f"create table published.{name} (like marts.{name})")
        else:
            cursor.execute(f"delete from published.{name}")
        cursor.execute(f"insert into published.{name} ({listed}) select {listed} from marts.{name}")
    for table in sorted(set(there) - set(marts)):
        cursor.execute(f"drop table published.{identifier(table)}")


def _as_of(cursor: Any, marts: dict[str, Columns]) -> dt.date | None:
    if "fct_pos_week" not in marts:
        return None
    found = _rows(cursor, "select max(week_start_date) from marts.fct_pos_week where is_complete")[0][0]
    return found + dt.timedelta(days=6) if found else None
