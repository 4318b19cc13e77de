"""Tables as files that a spreadsheet can open safely."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def escape_cell(value: Any) -> Any:
    """Text that a spreadsheet would read as a formula gets a leading apostrophe; numbers stay numbers.

    Leading blanks and invisible characters are looked through, since spreadsheets trim them before they decide.
    """
    if not isinstance(value, str):
        return value
    first = value.lstrip(" \u00a0\u200b\u200c\u200d\u2060\ufeff\0\x0b\x0c")
    if value.startswith(("\t", "\r", "\n")) or first.startswith(_RISKY):
        return "'" + value
    return value


def to_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8 CSV (with byte-order mark, so that Excel reads accents), header and text cells escaped."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow([escape_cell(str(c)) for c in frame.columns])
    writer.writerows(_rows(frame))
    return out.getvalue().encode("utf-8-sig")


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Parquet with the types of the columns; names and text cells are escaped as in CSV, since such files end in spreadsheets too."""
    safe = frame.rename(columns=lambda c: escape_cell(str(c))).reset_index(drop=True)
    for at, kind in enumerate(safe.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)):
            safe.isetitem(at, safe.iloc[:, at].astype(object).map(escape_cell, na_action="ignore"))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(safe, preserve_index=False), out, compression="zstd")
    return out.getvalue()


def _rows(frame: pd.DataFrame) -> Iterable[list[Any]]:
    for row in frame.itertuples(index=False, name=None):
        yield ["" if _missing(cell) else escape_cell(cell) for cell in row]


def _missing(cell: Any) -> bool:
    missing = pd.isna(cell)
    return bool(missing) if isinstance(missing, bool) or getattr(missing, "ndim", 0) == 0 else False
