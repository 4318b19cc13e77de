"""Publishing: one swap, no version without a change, no half-written copy."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from serving import publish as publishing
from serving.publish import content_hash, publish, served_version
from settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    chosen = load_settings(
        {"WAREHOUSE_PATH": str(tmp_path / "w.duckdb"), "SERVING_PATH": str(tmp_path / "s.duckdb")}
    )
    with duckdb.connect(str(chosen.warehouse_path)) as db:
        db.execute("create schema marts")
        db.execute("create schema intake")
        db.execute("create schema runs")
        db.execute(
            "create table intake.ledger (sha256 varchar, feed varchar, outcome varchar, brand_id varchar)"
        )
        db.execute(
            "create table marts.fct_a as select range as k, range / 7.0 as x, 'a' as t from range(100)"
        )
        db.execute("comment on table marts.fct_a is 'grain: one row a k'")
        db.execute(
            "create table runs.published_version (version bigint, content_hash varchar, published_at timestamp, "
            "as_of_date date, marts_rows bigint, code_version varchar, source_hash varchar)"
        )
        db.execute("create view marts.fct_published_version as select * from runs.published_version")
    return chosen


def _change(settings: Settings, sql: str) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as db:
        db.execute(sql)


def test_a_second_publish_without_change_keeps_version_and_file(settings: Settings) -> None:
    assert publish(settings)["changed"]
    before = settings.serving_path.stat().st_mtime_ns
    again = publish(settings)
    assert (again["changed"], again["version"]) == (False, 1)
    assert settings.serving_path.stat().st_mtime_ns == before


def test_a_changed_cell_makes_a_new_version(settings: Settings) -> None:
    publish(settings)
    _change(settings, "update marts.fct_a set t = 'b' where k = 3")
    assert publish(settings)["version"] == 2
    assert served_version(settings.serving_path) == 2


def test_row_order_and_the_last_digits_do_not_count(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as db:
        before = content_hash(db, ["fct_a"])
        db.execute(
            "create or replace table marts.fct_a as select k, x * (1 + 4e-16) as x, t from marts.fct_a order by k desc"
        )
        assert content_hash(db, ["fct_a"]) == before
        db.execute("update marts.fct_a set x = x * 1.000001 where k = 50")
        assert content_hash(db, ["fct_a"]) != before


def test_comments_travel_and_views_become_tables(settings: Settings) -> None:
    publish(settings)
    with duckdb.connect(str(settings.serving_path), read_only=True) as db:
        assert db.execute("select comment from duckdb_tables() where table_name = 'fct_a'").fetchone() == (
            "grain: one row a k",
        )
        assert db.execute("select count(*) from duckdb_views() where schema_name = 'marts'").fetchone() == (
            0,
        )


def test_a_failure_while_copying_leaves_the_served_version(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings)
    _change(settings, "update marts.fct_a set t = 'c'")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(publishing.os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            publish(settings)
    assert served_version(settings.serving_path) == 1
    assert [p.name for p in settings.serving_path.parent.glob("*.tmp*")] == []
    assert publish(settings)["version"] == 2
    assert served_version(settings.serving_path) == 2


def test_a_reader_keeps_its_version_while_a_new_one_is_swapped_in(settings: Settings) -> None:
    publish(settings)
    with duckdb.connect(str(settings.serving_path), read_only=True) as reader:
        _change(settings, "update marts.fct_a set t = 'd'")
        publish(settings)
        assert reader.execute("select distinct t from marts.fct_a").fetchall() == [("a",)]


def test_nothing_to_publish_is_said(tmp_path: Path) -> None:
    empty = load_settings(
        {"WAREHOUSE_PATH": str(tmp_path / "w.duckdb"), "SERVING_PATH": str(tmp_path / "s.duckdb")}
    )
    with pytest.raises(RuntimeError, match="no marts"):
        publish(empty)
