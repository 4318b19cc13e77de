"""Reading the caller's tables and writing results so that no partial output is ever seen."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from modeling.errors import InputError


def read_table(path: str | Path, *, what: str = "data") -> pd.DataFrame:
    """Read a CSV or Parquet file into a frame; column names are stripped of blanks and a byte-order mark.

    Cells stay as the file has them where a column is not numeric; dates are parsed by the caller, who knows
    which column is one.

    Raises:
        InputError: the file is missing, empty, unreadable, has no rows or repeats a column name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{what}: no file at {path}")
    try:
        frame = pd.read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path)
    except InputError:
        raise
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, OSError, ValueError) as error:
        raise InputError(f"{what}: {path.name} cannot be read as a table ({_first_line(error)})") from error
    frame.columns = [str(c).replace("\ufeff", "").strip() for c in frame.columns]
    repeated = sorted({c for c in frame.columns if list(frame.columns).count(c) > 1})
    if repeated:
        raise InputError(f"{what}: {path.name} has the column {repeated[0]!r} more than once")
    if frame.empty:
        raise InputError(f"{what}: {path.name} has no rows")
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open("rb") as stream:
        head = stream.read(4)
    if not head:
        raise InputError(f"{path.name} is empty")
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    header = pd.read_csv(path, encoding=encoding, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = [str(v).strip() for v in header.iloc[0]]
    repeated = sorted({n for n in names if names.count(n) > 1 and n})
    if repeated:  # pandas would rename the second one in silence
        raise InputError(f"{path.name} has the column {repeated[0]!r} more than once")
    frame = pd.read_csv(path, encoding=encoding, low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):  # pandas would take the first cells for row labels
        raise InputError(f"{path.name} has rows with more cells than the header has names")
    return frame


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def require_columns(frame: pd.DataFrame, names: list[str], *, what: str = "data") -> None:
    """Refuse a frame that lacks any of the named columns.

    Raises:
        InputError: names the missing columns and those that are there.
    """
    missing = [n for n in names if n not in frame.columns]
    if missing:
        there = ", ".join(map(str, list(frame.columns)[:20]))
        raise InputError(f"{what}: missing column(s) {', '.join(missing)} (the file has: {there})")


class OutputDir:
    """A result folder that appears whole or not at all.

    Files are written to a temporary sibling; on a clean exit each is moved into place, on an error nothing is.

    >>> with OutputDir("out") as out:          # doctest: +SKIP
    ...     out.csv("credits.csv", frame)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._temp: Path | None = None

    def __enter__(self) -> OutputDir:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"--out: {self.path} exists and is not a folder")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._temp = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
        except OSError as error:
            raise InputError(f"--out: cannot write at {self.path} ({error.strerror})") from error
        return self

    def file(self, name: str) -> Path:
        """Path at which to write the file ``name`` before it is moved into place."""
        assert self._temp is not None, "use OutputDir as a context manager"  # noqa: S101
        return self._temp / name

    def csv(self, name: str, frame: pd.DataFrame) -> None:
        """Write a frame as CSV (no index; floats with 12 significant digits, so reruns are equal byte for byte)."""
        frame.to_csv(
            self.file(name), index=False, float_format="%.12g", date_format="%Y-%m-%d", lineterminator="\n"
        )

    def json(self, name: str, value: Any) -> None:
        """Write a value as JSON; NaN and infinities become null."""
        self.file(name).write_text(
            json.dumps(_plain(value), indent=2, sort_keys=False, allow_nan=False) + "\n"
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._temp is not None  # noqa: S101
        try:
            if kind is None:
                self.path.mkdir(parents=True, exist_ok=True)
                for item in sorted(self._temp.iterdir()):
                    os.replace(item, self.path / item.name)
        finally:
            shutil.rmtree(self._temp, ignore_errors=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, (pd.Timestamp,)):
        return value.isoformat()[:10]
    return value if value is None or isinstance(value, str) else str(value)
