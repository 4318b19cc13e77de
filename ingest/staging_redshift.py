"""A parsed file's rows on their way to Redshift: Parquet in the staging bucket, then COPY."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.checks import DECLARED
from ingest.contracts import Contract
from ingest.moves_redshift import moment_of
from ingest.parsed import Parsed
from ingest.schema import quoted
from ingest.warehouse import LedgerRow, WarehouseError
from sql.catalog import raw_columns
from sql.transfer import Staging, copy_parquet

_QUARANTINE = {
    "brand_id": pa.string(), "feed": pa.string(), "sha256": pa.string(), "file_name": pa.string(), "line": pa.int64(),
    "reason": pa.string(), "field": pa.string(), "row_text": pa.string(), "delivered_at": pa.timestamp("us"),
    "run_id": pa.string(),
}  # fmt: skip


def read(parsed: Parsed) -> pa.Table:
    """All rows of a parsed file, those of the careful query after the others."""
    first = pq.read_table(parsed.rows)
    if not parsed.careful_rows:
        return first
    second = pq.read_table(parsed.careful_rows)
    taken = first.filter(pc.is_null(first["_reason"])).select(second.column_names)
    return pa.concat_tables([taken, second.cast(taken.schema)])


def stage(
    cursor: Any, staging: Staging, role: str, contract: Contract, row: LedgerRow, rows: pa.Table
) -> None:
    """Temporary table ``incoming_rows`` with the file's good rows in the shape of the raw table."""
    good = rows.filter(pc.is_null(rows["_reason"])) if "_reason" in rows.column_names else rows
    constants = {
        "brand_id": pa.scalar(row.item.brand, pa.string()),
        "_file_id": pa.scalar(row.sha256, pa.string()),
        "_delivered_at": pa.scalar(moment_of(row.delivered), pa.timestamp("us")),
    }
    columns = {}
    for column in raw_columns(contract):
        values = (
            pa.repeat(constants[column.name], good.num_rows)
            if column.name in constants
            else good[column.name]
        )
        columns[column.name] = fitting(values, column.name, column.type, contract.feed)
    manifest = staging.put(pa.table(columns), "rows")
    cursor.execute("drop table if exists incoming_rows")
    cursor.execute(f"create temp table incoming_rows (like raw.{contract.feed})")
    cursor.execute(copy_parquet("incoming_rows", list(map(quoted, columns)), manifest, role))


def quarantine(cursor: Any, staging: Staging, role: str, row: LedgerRow, rows: pa.Table) -> list[str]:
    """COPY the refused rows; their reasons, most frequent first."""
    bad = rows.filter(
        pc.and_(
            pc.is_valid(rows["_reason"]),
            pc.invert(pc.is_in(rows["_reason"], value_set=pa.array(list(DECLARED)))),
        )
    )
    fixed = {
        "brand_id": row.item.brand, "feed": row.item.feed, "sha256": row.sha256, "file_name": row.item.shown_name,
        "delivered_at": moment_of(row.delivered), "run_id": row.run_id,
    }  # fmt: skip
    of_row = {"line": "_line", "reason": "_reason", "field": "_field", "row_text": "_row"}
    columns = {
        name: bad[of_row[name]].cast(kind)
        if name in of_row
        else pa.repeat(pa.scalar(fixed[name], kind), bad.num_rows)
        for name, kind in _QUARANTINE.items()
    }
    manifest = staging.put(pa.table(columns), "quarantine")
    cursor.execute(copy_parquet("intake.quarantine", [quoted(name) for name in columns], manifest, role))
    counted = sorted((-v["counts"].as_py(), v["values"].as_py()) for v in pc.value_counts(bad["_reason"]))
    return [reason for _, reason in counted]


def fitting(values: Any, name: str, kind: str, feed: str) -> Any:
    """The column in the type COPY expects.

    Raises:
        WarehouseError: a text is longer in bytes than its column; Redshift would refuse the whole file.
    """
    types = {"bigint": pa.int64(), "integer": pa.int32(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
             "boolean": pa.bool_(), "double precision": pa.float64()}  # fmt: skip
    if kind.startswith("varchar"):
        texts = values.cast(pa.string())
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        size = int(kind[8:-1])
        if longest > size:
            raise WarehouseError(f"{feed}.{name}: a text of {longest} bytes does not fit {kind}")
        return texts
    if kind.startswith("decimal"):
        precision, scale = kind[8:-1].split(",")
        return values.cast(pa.decimal128(int(precision), int(scale)))
    return values.cast(types[kind])
