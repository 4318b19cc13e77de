"""One file per brand: a reader who must see one brand only gets a copy in which nothing else exists.

DuckDB has no row policies: whoever can open a file can read all of it. On Redshift the same wall is a row-level policy (sql/roles.py).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import duckdb

from modeling.io.duckdb import quote


class BrandError(ValueError):
    """A brand that cannot be copied; one clear line."""


def brands(serving: Path) -> list[str]:
    """Brands that have rows in the served copy, in order."""
    with duckdb.connect(str(serving), read_only=True) as db:
        tables = [name for name, branded in _tables(db) if branded]
        if not tables:
            return []
        union = " union ".join(f"select brand_id from marts.{quote(name)}" for name in tables)
        return [
            str(row[0])
            for row in db.execute(f"select * from ({union}) where brand_id is not null order by 1").fetchall()
        ]


def write_brand_copy(serving: Path, brand_id: str, folder: Path) -> Path:
    """Write ``folder/<brand_id>.duckdb``: the rows of one brand and the lists that all brands share, with their comments.

    The file is moved into place when it is whole, readable by its owner and group only.

    Raises:
        BrandError: the brand's name is no file name, or the served copy has no row of it.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", brand_id):
        raise BrandError(f"brand {brand_id!r}: letters, digits, - and _ only")
    if brand_id not in brands(serving):
        raise BrandError(f"brand {brand_id!r} has no rows in {serving}")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{brand_id}.duckdb"
    temporary = folder / f".{brand_id}.{os.getpid()}.tmp"
    temporary.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(temporary)) as db:
            db.execute(f"attach '{str(serving).replace(chr(39), chr(39) * 2)}' as served (read_only)")
            db.execute("create schema marts")
            for name, branded in _tables(db, "served"):
                rows = "where brand_id = $brand" if branded else ""
                values = {"brand": brand_id} if branded else {}
                db.execute(
                    f"create table marts.{quote(name)} as from served.marts.{quote(name)} {rows}", values
                )
            _copy_comments(db)
            db.execute("detach served")
            db.execute("checkpoint")
        temporary.chmod(0o640)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _tables(db: duckdb.DuckDBPyConnection, database: str | None = None) -> list[tuple[str, bool]]:
    """Tables of the marts, and whether their rows belong to brands."""
    found = db.execute(
        "select table_name, bool_or(column_name = 'brand_id') from duckdb_columns() "
        "where schema_name = 'marts' and database_name = coalesce(?, current_database()) group by 1 order by 1",
        [database],
    ).fetchall()
    return [(str(name), bool(branded)) for name, branded in found]


def _copy_comments(db: duckdb.DuckDBPyConnection) -> None:
    described = db.execute(
        "select table_name, null, comment from duckdb_tables() where database_name = 'served' and comment is not null "
        "union all select table_name, column_name, comment from duckdb_columns() "
        "where database_name = 'served' and schema_name = 'marts' and comment is not null"
    ).fetchall()
    for table, column, comment in described:
        text = str(comment).replace("'", "''")
        what = (
            f"table marts.{quote(table)}"
            if column is None
            else f"column marts.{quote(table)}.{quote(column)}"
        )
        db.execute(f"comment on {what} is '{text}'")
