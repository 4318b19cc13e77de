"""Read the published copy of the marts: one version per page, whatever is published meanwhile.

A publish replaces the serving file with ``os.replace``. DuckDB keeps one instance per path inside a process, so
opening the path again while an old reader is alive would quietly return the old content. The reader therefore
gives every version its own path: a hard link (made in an instant, and it pins the file that was there at that
moment), or a copy where links are not possible. A page pins one :class:`Snapshot` and asks it alone.

The connection is read-only, cannot reach files or the network, loads no extension, and its configuration is
locked. Results are cached per version; a cached frame is handed out as a copy-on-write view.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

LOCKED_DOWN = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "threads": 2,
    "memory_limit": "2GB",
    "lock_configuration": True,
}
CACHED_RESULTS = 2_000
CACHED_BYTES = 256 * 2**20
OPEN_VERSIONS = 3


class NoServingFile(RuntimeError):
    """Nothing has been published yet, or the published file cannot be read. The message is one plain line."""


@dataclass(frozen=True)
class Version:
    """Which publish is being read. ``token`` names the file itself; the rest is what the publish wrote."""

    token: str
    number: int | None
    content_hash: str | None
    published_at: datetime | None
    as_of_date: date | None
    code_version: str | None

    @property
    def label(self) -> str:
        return f"version {self.number}" if self.number is not None else f"file {self.token[:12]}"


class Snapshot:
    """One published version, open read-only. Safe to use from many threads."""

    def __init__(self, path: Path, token: str) -> None:
        self.path = path
        self.users = 0
        self._lock = threading.Lock()
        self._cache: OrderedDict[Any, pd.DataFrame] = OrderedDict()
        self._bytes = 0
        self.derived: dict[Any, Any] = {}
        try:
            self._connection = duckdb.connect(str(path), read_only=True, config=LOCKED_DOWN)
            rows = self._connection.execute(
                "select table_name, column_name from duckdb_columns() where schema_name = 'marts' "
                "order by table_name, column_index"
            ).fetchall()
        except duckdb.Error as error:
            raise NoServingFile(f"The published file cannot be read: {str(error).splitlines()[0]}") from error
        self._columns: dict[str, tuple[str, ...]] = {}
        for table, column in rows:
            self._columns[table] = (*self._columns.get(table, ()), column)
        self.version = self._read_version(token)

    def _read_version(self, token: str) -> Version:
        if not self.has("fct_published_version", "version", "content_hash", "published_at", "as_of_date"):
            return Version(token, None, None, None, None, None)
        code = "code_version" if self.has("fct_published_version", "code_version") else "null"
        row = self._connection.execute(
            f"select version, content_hash, published_at, as_of_date, {code} "
            "from marts.fct_published_version order by version desc limit 1"
        ).fetchone()
        if row is None:
            return Version(token, None, None, None, None, None)
        return Version(token, int(row[0]), row[1], row[2], row[3], row[4])

    @property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """Marts in this version, with their columns."""
        return self._columns

    def has(self, table: str, *columns: str) -> bool:
        """Whether this version holds ``marts.<table>`` with these columns."""
        return table in self._columns and set(columns) <= set(self._columns[table])

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Result of a query, cached for the life of the version. Values are bound, never pasted into ``sql``."""
        key = (sql, tuple(tuple(p) if isinstance(p, list) else p for p in parameters))
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key].copy(deep=False)
        cursor = self._connection.cursor()
        try:
            result = cursor.execute(sql, list(parameters)).df()
        finally:
            cursor.close()
        size = _size(result)
        with self._lock:
            if key not in self._cache:
                self._cache[key] = result
                self._bytes += size
            while len(self._cache) > CACHED_RESULTS or (self._bytes > CACHED_BYTES and len(self._cache) > 1):
                _, old = self._cache.popitem(last=False)
                self._bytes -= _size(old)
        return result.copy(deep=False)

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """First cell of a query; ``None`` where the result is empty or null."""
        result = self.frame(sql, parameters)
        if result.empty or pd.isna(result.iat[0, 0]):
            return None
        cell = result.iat[0, 0]
        return cell.item() if hasattr(cell, "item") else cell

    def close(self) -> None:
        self._connection.close()
        self.path.unlink(missing_ok=True)


def _size(frame: pd.DataFrame) -> int:
    """About how many bytes a result holds; asking pandas exactly costs more than many of the queries."""
    return 24 * frame.shape[0] * frame.shape[1]


class Reader:
    """Opens versions of one serving file as they are published. One per process; threads share it."""

    def __init__(self, serving_path: Path) -> None:
        self.serving_path = Path(serving_path)
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Snapshot] = OrderedDict()
        self._folder: Path | None = None

    @contextmanager
    def pin(self) -> Iterator[Snapshot]:
        """The newest version, held open until the block ends.

        Raises:
            NoServingFile: nothing is published, or the file is not a readable DuckDB file.
        """
        with self._lock:
            snapshot = self._newest()
            snapshot.users += 1
        try:
            yield snapshot
        finally:
            with self._lock:
                snapshot.users -= 1
                self._retire()

    def close(self) -> None:
        """Close every version and remove this process's links."""
        with self._lock:
            for snapshot in self._open.values():
                snapshot.close()
            self._open.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _newest(self) -> Snapshot:
        try:
            token = _token(os.stat(self.serving_path))
        except OSError as error:
            raise NoServingFile("Nothing has been published yet.") from error
        if token in self._open:
            self._open.move_to_end(token)
            return self._open[token]
        path, token = self._own_path()
        if token in self._open:  # replaced between the two looks, by a version that is open already
            path.unlink(missing_ok=True)
            return self._open[token]
        try:
            snapshot = Snapshot(path, token)
        except NoServingFile:
            path.unlink(missing_ok=True)
            raise
        self._open[token] = snapshot
        self._retire()
        return snapshot

    def _own_path(self) -> tuple[Path, str]:
        """A path of our own for the file that is at ``serving_path`` now, and its token."""
        for folder, by_link in ((self.serving_path.parent, True), (Path(tempfile.gettempdir()), False)):
            try:
                if self._folder is None or not self._folder.exists():
                    self._folder = Path(tempfile.mkdtemp(prefix=f".reading-{os.getpid()}-", dir=folder))
                    _sweep(folder)
                handle, name = tempfile.mkstemp(suffix=".duckdb", dir=self._folder)
                os.close(handle)
                path = Path(name)
                path.unlink()
                if by_link:
                    os.link(self.serving_path, path)
                    return path, _token(os.stat(path))
                with self.serving_path.open("rb") as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target, 2**20)
                    return path, _token(os.fstat(source.fileno()))
            except FileNotFoundError as error:
                if not self.serving_path.exists():
                    raise NoServingFile("Nothing has been published yet.") from error
                raise
            except OSError:
                if self._folder is not None:
                    shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None
        raise NoServingFile("The published file can be neither linked nor copied for reading.")

    def _retire(self) -> None:
        """Close the oldest versions that no page uses any more."""
        for token in list(self._open)[:-1]:
            if len(self._open) <= OPEN_VERSIONS:
                return
            if self._open[token].users == 0:
                self._open.pop(token).close()


def _token(stat: os.stat_result) -> str:
    """Identity of a file's content as far as the file system tells: replaced or rewritten means another token."""
    text = f"{stat.st_dev}:{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()


def _sweep(folder: Path) -> None:
    """Remove links that dead readers left behind (a killed process cannot tidy up after itself)."""
    for left in folder.glob(".reading-*-*"):
        pid = left.name.split("-")[1]
        if pid.isdigit() and int(pid) != os.getpid() and not _alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
