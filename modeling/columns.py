"""Columns of a caller's file: finding them by name and reading names (channels, geographies) as text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from modeling.errors import InputError


def find_column(
    frame: pd.DataFrame, asked: str | None, usual: Iterable[str], *, what: str, option: str
) -> str:
    """Name of the column that holds ``what``: the one asked for, else the first usual name (any letter case).

    Raises:
        InputError: the file has neither; the message names the option and the columns that are there.
    """
    found = find_optional_column(frame, asked, usual, what=what, option=option)
    if found is None:
        there = ", ".join(map(str, list(frame.columns)[:20]))
        raise InputError(f"no {what} column found; name it with {option} (the file has: {there})")
    return found


def find_optional_column(
    frame: pd.DataFrame, asked: str | None, usual: Iterable[str], *, what: str, option: str
) -> str | None:
    """As :func:`find_column`, but None where nothing was asked for and no usual name is there.

    Raises:
        InputError: the column asked for is not in the file.
    """
    if asked is not None:
        if asked not in frame.columns:
            there = ", ".join(map(str, list(frame.columns)[:20]))
            raise InputError(f"{option}: no column {asked!r} (the file has: {there})")
        return asked
    lower = {str(c).lower(): str(c) for c in frame.columns}
    return next((lower[name] for name in usual if name in lower), None)


def text_column(path: str | Path, frame: pd.DataFrame, column: str) -> pd.Series:
    """The column as text, exactly as the file has it, in the row order of ``frame``.

    A name such as ``NA`` or ``0501`` must not become a missing value or a number, which is what a general
    CSV reader makes of it. Missing cells are returned as empty text.
    """
    path = Path(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        values = frame[column]
        if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
            values = values.astype("Int64")
        return values.astype("string").fillna("").astype(str).str.strip()
    with path.open("rb") as stream:
        encoding = "utf-16" if stream.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    position = list(frame.columns).index(column)
    text = pd.read_csv(
        path, encoding=encoding, usecols=[position], dtype=str, keep_default_na=False, na_filter=False
    )
    values = text.iloc[:, 0].str.strip()
    if len(values) != len(frame):  # a single blank-only line is a row to one reader and nothing to the other
        values = frame[column].astype("string").fillna("").astype(str).str.strip()
    values.index = frame.index
    return values


def numeric_column(frame: pd.DataFrame, column: str, *, what: str) -> pd.Series:
    """The column as float64, blanks as NaN.

    Raises:
        InputError: a cell is not a number, or is infinite; the message shows the first one and its line.
    """
    raw = frame[column]
    values = pd.to_numeric(raw, errors="coerce").astype("float64")
    blank = raw.isna() | (raw.astype("string").str.strip() == "").fillna(False)
    wrong = (values.isna() & ~blank) | np.isinf(values)
    if wrong.any():
        at = int(np.flatnonzero(wrong.to_numpy())[0])
        raise InputError(
            f"{what} column {column!r}: {str(raw.iloc[at])[:40]!r} on line {at + 2} is not a number"
        )
    return values
