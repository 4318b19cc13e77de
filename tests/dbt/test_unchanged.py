"""A run over unchanged data leaves everything as it is, and no change goes unnoticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dbt.conftest import ROOT, Warehouse

CHOSEN = ["run", "--select", "+fct_media_adstock_week", "+fct_inventory_week", "+fct_kpi_daily", "+dim_calendar", "+fct_pos_week", "+fct_conversion_path"]  # fmt: skip
TABLES = [
    "fct_media_daily", "fct_media_week", "fct_media_adstock_week", "fct_inventory_week", "fct_pos_daily", "fct_pos_week", "fct_kpi_daily",
    "fct_touchpoint", "fct_conversion_path", "dim_calendar",
]  # fmt: skip
VIEWS = ["stg_web__event", "int_media_union", "int_pos_placed"]
ROW = "brand_id = 'alpha' and _line = 1"


def messages(warehouse: Warehouse, *arguments: str, project: Path | None = None) -> dict[str, str]:
    """Run dbt; what it said of each model and seed."""
    warehouse.dbt(*arguments, project=project)
    results = json.loads((warehouse.folder / "target" / "run_results.json").read_text())["results"]
    return {
        r["unique_id"].split(".")[-1]: str(r["message"])
        for r in results
        if r["unique_id"].startswith(("model.", "seed."))
    }


@pytest.fixture
def settled(built: Warehouse) -> Iterator[Warehouse]:
    """The built world after a run that changed nothing any more; put back after the test."""
    kept = built.folder / "settled.duckdb"
    if not kept.exists():
        built.dbt(*CHOSEN)
        shutil.copy(built.path, kept)
    shutil.copy(kept, built.path)
    yield built
    shutil.copy(kept, built.path)


def test_a_run_over_unchanged_data_builds_nothing(settled: Warehouse) -> None:
    said = messages(settled, *CHOSEN)
    assert {name for name in [*TABLES, *VIEWS] if said[name] != "UNCHANGED"} == set()
    assert set(messages(settled, "seed").values()) == {"UNCHANGED"}


def test_a_new_row_reaches_what_reads_its_feed_and_nothing_else(settled: Warehouse) -> None:
    settled.write(
        "insert into raw.target_inventory by name select * replace (date '2026-01-11' as week_start, 5 as on_hand) "
        f"from raw.target_inventory where {ROW}"
    )
    said = messages(settled, *CHOSEN)
    assert said["fct_inventory_week"] != "UNCHANGED" and said["fct_media_daily"] == "UNCHANGED"
    assert settled.one(
        "select count(*) from marts.fct_inventory_week where retailer_id = 'target' and on_hand_units = 5"
    )


@pytest.mark.parametrize(
    "change",
    [
        # the rows of a partition come from another file of the same size and second
        ["update raw.target_inventory set on_hand = 77, _file_id = 'replaced' where brand_id = 'alpha'"],
        # one row is erased and a refused one released, in the same file
        [f"insert into raw.target_inventory by name select * replace (77 as on_hand, 9 as _line) from raw.target_inventory where {ROW}",
         f"delete from raw.target_inventory where {ROW}"],
        # the same file is read again, under a corrected contract
        ["update raw.target_inventory set on_hand = 77 where brand_id = 'alpha'",
         "insert into intake.ledger by name select 'again' as ledger_id, 'alpha' as brand_id, 'target_inventory' as feed, "
         "'target_inventory-alpha' as sha256, 'OK' as outcome, 1 as rows_loaded, now()::timestamp as loaded_at, 2 as contract_version"],
    ],
    ids=["replaced", "erased-and-released", "read-again"],
)  # fmt: skip
def test_a_change_that_keeps_rows_and_stamps_is_seen(settled: Warehouse, change: list[str]) -> None:
    settled.write(*change)
    said = messages(settled, "run", "--select", "+fct_inventory_week")
    assert said["fct_inventory_week"] != "UNCHANGED"
    assert settled.one("select count(*) from marts.fct_inventory_week where on_hand_units = 77")


def test_such_a_change_is_seen_by_an_increment(settled: Warehouse) -> None:
    """The same for partitions: a day of sales replaced by as many rows of the same second, another left as it was."""
    settled.write(
        "update raw.walmart_store_sales set units = units + 3, _file_id = 'replaced' where date_day = date '2026-01-13' and brand_id = 'alpha'"
    )
    before = settled.one("select sum(units) from marts.fct_pos_daily where date_day = date '2026-01-13'")
    said = messages(settled, "run", "--select", "+fct_pos_daily")
    assert said["fct_pos_daily"] != "UNCHANGED"
    assert (
        settled.one("select sum(units) from marts.fct_pos_daily where date_day = date '2026-01-13'")
        == before + 9
    )


def test_a_table_built_before_its_increment_is_built_again_after_it(settled: Warehouse) -> None:
    """Whoever builds one mart only, out of order, gets it right with the next whole run."""
    settled.write(
        "insert into raw.walmart_store_sales by name select * replace (500 as units, 99 as _line) from raw.walmart_store_sales "
        "where date_day = date '2026-01-13' and store_nbr = '7' and wm_item_nbr = '055' and brand_id = 'alpha'"
    )
    total = "select sum(units_sold) from marts.fct_pos_week where brand_id = 'alpha'"
    before = settled.one(total)
    messages(settled, "run", "--select", "int_pos_source_week", "fct_pos_week")
    messages(settled, "run", "--select", "+fct_pos_week")
    assert settled.one(total) == before + 500
    assert messages(settled, "run", "--select", "+fct_pos_week")["fct_pos_week"] == "UNCHANGED"


def test_a_variable_rebuilds_what_uses_it(settled: Warehouse) -> None:
    said = messages(settled, *CHOSEN, "--vars", "{lookback_days: 1}")
    assert said["fct_conversion_path"] != "UNCHANGED" and said["fct_media_daily"] != "UNCHANGED"
    assert said["fct_inventory_week"] == "UNCHANGED"
    assert not settled.one("select count(*) from marts.fct_conversion_path where touch_count > 3")


@pytest.fixture
def project(settled: Warehouse) -> Path:
    """A copy of the dbt project that may be changed."""
    folder = settled.folder / "project"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "dbt", folder)
    return folder


def test_changed_code_and_registries_rebuild_what_stands_on_them(settled: Warehouse, project: Path) -> None:
    """A view's code, a macro that only an increment's body uses, a seed; what does not stand on them is left."""

    def edit(name: str, old: str, new: str) -> None:
        path = project / name
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new))

    edit("models/staging/target/stg_target__inventory.sql", "on_hand as", "2 * on_hand as")
    edit("macros/cross_db/arithmetic.sql", "round(cast(", "round(2 * cast(")
    edit("seeds/retailers.csv", "Walmart", "Wal-Mart")
    chosen = ["--select", "+fct_inventory_week", "+fct_pos_daily", "dim_retailer", "+dim_calendar"]
    assert messages(settled, "seed", project=project)["retailers"] != "UNCHANGED"
    said = messages(settled, "run", *chosen, project=project)
    assert {n for n in ("fct_inventory_week", "fct_pos_daily", "dim_retailer", "dim_calendar") if said[n] == "UNCHANGED"} == {"dim_calendar"}  # fmt: skip
    assert settled.one("select count(*) from marts.dim_retailer where retailer_name = 'Wal-Mart'")
    assert settled.one(
        "select count(*) from marts.fct_inventory_week where retailer_id = 'target' and on_hand_units = 6"
    )


def test_the_code_version_covers_every_macro_of_an_increment(built: Warehouse) -> None:
    """Every macro that the body of an incremental mart uses is rendered in shared_code()."""
    manifest = json.loads((built.folder / "target" / "manifest.json").read_text())
    own = {
        name: macro
        for name, macro in manifest["macros"].items()
        if macro["package_name"] == "warehouse" and "macros/incremental" not in macro["path"]
    }
    shared = set(manifest["macros"]["macro.warehouse.shared_code"]["depends_on"]["macros"])
    marts = [n for n in manifest["nodes"].values() if n["config"].get("materialized") == "incremental"]
    assert len(marts) == 4
    for node in marts:
        body = set(node["depends_on"]["macros"]) & set(own)
        assert body - {"macro.warehouse.generate_schema_name"} <= shared, node["name"]


@pytest.mark.slow
def test_an_empty_warehouse_takes_its_seeds_first(tmp_path: Path) -> None:
    """`dbt seed` alone comes before any model has made the schema that the memories lie in."""
    warehouse = Warehouse(tmp_path)
    warehouse.reset()
    warehouse.dbt("seed", "--select", "channels")
    assert warehouse.one("select count(*) from seeds.channels") > 10
