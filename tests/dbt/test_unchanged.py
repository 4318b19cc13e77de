"""A run over unchanged data leaves the tables as they are."""

from __future__ import annotations

import json

import duckdb

from tests.dbt.conftest import Warehouse


def messages(warehouse: Warehouse) -> dict[str, str]:
    """What the last run said of each model that is a table."""
    results = json.loads((warehouse.folder / "target" / "run_results.json").read_text())["results"]
    return {
        r["unique_id"].split(".")[-1]: str(r["message"])
        for r in results
        if r["unique_id"].startswith("model.")
    }


def test_a_run_over_unchanged_data_builds_no_table(built: Warehouse) -> None:
    """A run after the build leaves every table; a new row reaches what reads its feed and nothing else."""
    chosen = [
        "run",
        "--select",
        "+fct_media_adstock_week",
        "+fct_inventory_week",
        "+fct_kpi_daily",
        "+dim_calendar",
    ]
    built.dbt(*chosen)
    tables = ["fct_media_daily", "fct_media_week", "fct_media_adstock_week", "fct_inventory_week", "fct_pos_week", "fct_kpi_daily", "dim_calendar"]  # fmt: skip
    said = messages(built)
    assert {said[name] for name in tables} == {"UNCHANGED"}
    with duckdb.connect(str(built.path)) as connection:
        connection.execute(
            "insert into raw.target_inventory by name select * replace (date '2026-01-11' as week_start, 5 as on_hand) "
            "from raw.target_inventory where brand_id = 'alpha' limit 1"
        )
    built.dbt(*chosen)
    said = messages(built)
    assert said["fct_inventory_week"] != "UNCHANGED" and said["fct_media_daily"] == "UNCHANGED"
    assert built.one(
        "select count(*) from marts.fct_inventory_week where retailer_id = 'target' and on_hand_units = 5"
    )
