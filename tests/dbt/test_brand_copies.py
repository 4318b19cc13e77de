"""A reader of one brand gets a file in which no other brand exists."""

from __future__ import annotations

import stat
from pathlib import Path

import duckdb
import pytest

from serving.brands import BrandError, brands, write_brand_copy


@pytest.fixture
def served(tmp_path: Path) -> Path:
    path = tmp_path / "serving.duckdb"
    with duckdb.connect(str(path)) as db:
        db.execute("create schema marts")
        db.execute(
            "create table marts.fct_a as select * from (values ('alpha', 1), ('beta', 2), ('beta', 3)) t(brand_id, x)"
        )
        db.execute("create table marts.fct_b as select * from (values ('beta', 9)) t(brand_id, y)")
        db.execute("create table marts.dim_calendar as select date '2026-01-01' as date_day")
        db.execute("comment on table marts.fct_a is 'One row per brand''s thing.'")
        db.execute("comment on column marts.fct_a.x is 'A number.'")
    return path


def test_a_copy_holds_one_brand_and_the_shared_lists(served: Path, tmp_path: Path) -> None:
    assert brands(served) == ["alpha", "beta"]
    path = write_brand_copy(served, "alpha", tmp_path / "brands")
    with duckdb.connect(str(path), read_only=True) as db:
        assert db.execute("from marts.fct_a").fetchall() == [("alpha", 1)]
        assert db.execute("select count(*) from marts.fct_b").fetchall() == [(0,)]
        assert db.execute("select count(*) from marts.dim_calendar").fetchall() == [(1,)]
        assert db.execute("select comment from duckdb_tables() where table_name = 'fct_a'").fetchall() == [
            ("One row per brand's thing.",)
        ]
        assert db.execute("select comment from duckdb_columns() where column_name = 'x'").fetchall() == [
            ("A number.",)
        ]
    assert b"beta" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in path.parent.iterdir()] == ["alpha.duckdb"]


@pytest.mark.parametrize("brand", ["gamma", "../alpha", "", "a'b"])
def test_an_unknown_or_impossible_brand_is_refused(served: Path, tmp_path: Path, brand: str) -> None:
    with pytest.raises(BrandError):
        write_brand_copy(served, brand, tmp_path / "brands")
    assert not list((tmp_path / "brands").glob("*")) if (tmp_path / "brands").exists() else True
