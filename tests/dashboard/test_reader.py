"""The reader: locked down, one version at a time, alive through swaps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from dashboard.reader import OPEN_VERSIONS, NoServingFile, Reader


def make(path: Path, number: int) -> None:
    """Publish a version whose two tables both hold its number."""
    temporary = path.with_name(f"new-{number}-{threading.get_ident()}")
    with duckdb.connect(str(temporary)) as db:
        db.execute("create schema marts")
        for table in ("a", "b"):
            db.execute(f"create table marts.{table} as select {number} as n")
        db.execute(
            f"create table marts.fct_published_version as select {number} as version, 'h{number}' as content_hash, "
            "timestamp '2026-01-01' as published_at, date '2026-01-01' as as_of_date, 'c' as code_version"
        )
    os.replace(temporary, path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "serving.duckdb"
    make(path, 1)
    return path


def test_a_pinned_version_survives_a_publish(file: Path) -> None:
    reader = Reader(file)
    with reader.pin() as old:
        assert old.value("select n from marts.a") == 1
        make(file, 2)
        with reader.pin() as new:
            assert new.value("select n from marts.a") == 2
            assert new.version.number == 2
        assert old.value("select n from marts.b") == 1, "the second half of the page must be the same version"
    reader.close()


def test_pages_never_mix_versions_while_publishes_swap(file: Path) -> None:
    reader, stop, wrong = Reader(file), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                with reader.pin() as snap:
                    seen = {snap.value(f"select n from marts.{t}") for t in ("a", "b")} | {
                        snap.version.number
                    }
                if len(seen) != 1:
                    wrong.append(seen)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(2, 22):
        make(file, number)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(reader._open) <= OPEN_VERSIONS + 1
    reader.close()
    assert not list(file.parent.glob(".reading-*")), "links are removed"


@pytest.mark.parametrize("sql", [
    "select * from read_csv('/etc/passwd')", "select * from read_text('/etc/hostname')", "copy (select 1) to '/tmp/dash-leak.csv'",
    "attach '/tmp/other.duckdb'", "install httpfs", "load httpfs", "set enable_external_access = true", "set lock_configuration = false",
    "create table marts.x as select 1", "insert into marts.a values (2)", "update marts.a set n = 2", "delete from marts.a", "drop table marts.a",
    "select * from 'https://example.com/x.parquet'", "select * from glob('/etc/*')", "pragma database_list; copy marts.a to 's3://x/y'",
    "export database '/tmp/x'", "create or replace temp macro f() as table select * from read_csv('/etc/passwd'); select * from f()",
])  # fmt: skip
def test_the_connection_is_locked_down(file: Path, sql: str) -> None:
    reader = Reader(file)
    with reader.pin() as snap, pytest.raises(duckdb.Error):
        snap.frame(sql)
    reader.close()


def test_nothing_published_and_a_broken_file_are_one_plain_line(tmp_path: Path) -> None:
    with (
        pytest.raises(NoServingFile, match="Nothing has been published"),
        Reader(tmp_path / "none.duckdb").pin(),
    ):
        pass
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"not a database" * 1000)
    with pytest.raises(NoServingFile, match="cannot be read") as caught, Reader(broken).pin():
        pass
    assert "\n" not in str(caught.value)


def test_a_failed_open_heals_with_the_next_publish(tmp_path: Path) -> None:
    path = tmp_path / "serving.duckdb"
    path.write_bytes(b"x")
    reader = Reader(path)
    with pytest.raises(NoServingFile), reader.pin():
        pass
    make(path, 5)
    with reader.pin() as snap:
        assert snap.version.number == 5
    reader.close()


def test_results_are_cached_and_cannot_be_spoilt_by_a_page(file: Path) -> None:
    reader = Reader(file)
    with reader.pin() as snap:
        first = snap.frame("select n from marts.a")
        first["n"] = 99
        first.loc[0, "n"] = 98
        assert snap.frame("select n from marts.a").n.tolist() == [1]
        assert len(snap._cache) == 1
    reader.close()


def test_links_of_a_killed_reader_are_swept(file: Path) -> None:
    code = f"import os\nfrom pathlib import Path\nfrom dashboard.reader import Reader\nr = Reader(Path({str(file)!r}))\nr.pin().__enter__()\nos._exit(1)"
    subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).resolve().parents[2])
    assert list(file.parent.glob(".reading-*"))
    reader = Reader(file)
    with reader.pin():
        assert len(list(file.parent.glob(".reading-*"))) == 1
    reader.close()


def test_without_links_a_copy_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("links are not allowed here")

    monkeypatch.setattr(os, "link", refuse)
    reader = Reader(file)
    with reader.pin() as snap:
        make(file, 2)
        assert snap.value("select n from marts.a") == 1
    with reader.pin() as snap:
        assert snap.value("select n from marts.a") == 2
    reader.close()
