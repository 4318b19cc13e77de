"""The rules of the project, read off the manifest: nobody has to remember them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.dbt.conftest import ROOT, Warehouse

# Reference lists that are the same for every brand, and records of the publisher itself.
SHARED_BY_BRANDS = {"dim_calendar", "dim_dma", "dim_channel", "dim_retailer", "fct_published_version"}


@pytest.fixture(scope="module")
def manifest(built: Warehouse) -> dict[str, Any]:
    return json.loads((built.folder / "target" / "manifest.json").read_text())


def models(manifest: dict[str, Any], layer: str) -> list[dict[str, Any]]:
    return [
        n for n in manifest["nodes"].values() if n["resource_type"] == "model" and n["path"].startswith(layer)
    ]


def meta(node: dict[str, Any]) -> dict[str, Any]:
    return {**node.get("meta", {}), **node["config"].get("meta", {})}


def checks_of(manifest: dict[str, Any], node: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [
        n for n in manifest["nodes"].values()
        if n["resource_type"] == "test" and n.get("attached_node") == node["unique_id"] and (n.get("test_metadata") or {}).get("name") == kind
    ]  # fmt: skip


def test_every_mart_is_a_public_contract(manifest: dict[str, Any]) -> None:
    for node in models(manifest, "marts/"):
        name = node["name"]
        assert node["config"]["contract"]["enforced"], f"{name}: contract not enforced"
        assert node["config"]["access"] == "public", f"{name}: not public"
        assert node["config"]["group"], f"{name}: no group"
        # the row of a version is written after the build, so that one mart is a view; its served copy is a table
        allowed = ("view",) if name == "fct_published_version" else ("table", "incremental")
        assert node["config"]["materialized"] in allowed, f"{name}: BI reads tables"
        first = node["description"].strip().lower()
        assert first.startswith(("one row per", "grain")), f"{name}: the first sentence is the grain"
        assert meta(node).get("owner") and meta(node).get("grain"), f"{name}: owner and grain"
        assert len(meta(node).get("questions", [])) >= 3, f"{name}: three questions"
        assert checks_of(manifest, node, "unique_key_columns"), f"{name}: no key test"
        assert all(column["description"] for column in node["columns"].values()), (
            f"{name}: a column without a description"
        )
        if name not in SHARED_BY_BRANDS:
            assert "brand_id" in node["columns"], f"{name}: brand_id"


def test_every_core_mart_is_exposed(manifest: dict[str, Any]) -> None:
    exposed = {
        parent for exposure in manifest["exposures"].values() for parent in exposure["depends_on"]["nodes"]
    }
    for node in models(manifest, "marts/"):
        if not node["path"].startswith(("marts/outputs/", "marts/ops/fct_alert")):
            assert node["unique_id"] in exposed, f"{node['name']}: no exposure"


def test_walls_between_the_layers(manifest: dict[str, Any]) -> None:
    for node in (n for n in manifest["nodes"].values() if n["resource_type"] == "model"):
        layer = node["path"].split("/")[0]
        parents = node["depends_on"]["nodes"]
        sources = [manifest["sources"][p] for p in parents if p.startswith("source.")]
        upstream = [manifest["nodes"][p] for p in parents if p.startswith("model.")]
        if layer == "staging":
            assert not upstream, f"{node['name']}: staging reads sources only"
            assert {s["schema"] for s in sources} <= {"raw", "intake"}, node["name"]
        elif layer == "intermediate" or layer == "features":
            assert not sources, f"{node['name']}: {layer} reads models only"
            assert not [u for u in upstream if u["path"].startswith("marts/outputs/")], (
                f"{node['name']}: reads an output"
            )
        elif layer == "marts":
            assert {s["schema"] for s in sources} <= {"runs"}, f"{node['name']}: a mart reads no raw data"
            if sources:
                assert node["path"].startswith(("marts/outputs/", "marts/ops/")), (
                    f"{node['name']}: run outputs belong to outputs and ops"
                )


def test_models_are_named_by_their_layer(manifest: dict[str, Any]) -> None:
    patterns = {"staging": r"stg_[a-z0-9]+(_[a-z0-9]+)*__[a-z0-9_]+", "intermediate": r"int_[a-z0-9_]+", "features": r"(feat|int)_[a-z0-9_]+",
                "marts": r"(dim|fct)_[a-z0-9_]+"}  # fmt: skip
    for node in (n for n in manifest["nodes"].values() if n["resource_type"] == "model"):
        assert re.fullmatch(patterns[node["path"].split("/")[0]], node["name"]), node["name"]


def test_no_third_party_dbt_package() -> None:
    assert not (ROOT / "dbt" / "packages.yml").exists()
    assert not (ROOT / "dbt" / "dependencies.yml").exists()


def test_every_question_of_the_core_marts_runs(built: Warehouse, manifest: dict[str, Any]) -> None:
    asked = 0
    for node in models(manifest, "marts/"):
        if node["path"].startswith(("marts/outputs/", "marts/ops/fct_alert")):
            continue
        for question in meta(node)["questions"]:
            built.rows(question["sql"])
            asked += 1
    assert asked >= 60


def test_metrics_are_defined_once(built: Warehouse) -> None:
    """The ratios of the semantic layer are those of the mart, day by day."""
    metrics = yaml.safe_load((ROOT / "dbt" / "models" / "semantic" / "metrics.yml").read_text())["metrics"]
    checked = 0
    columns = {
        row[0]
        for row in built.rows(
            "select column_name from duckdb_columns() where schema_name = 'marts' and table_name = 'fct_kpi_daily'"
        )
    }
    for metric in metrics:
        parameters = metric["type_params"]
        if metric["type"] == "ratio" and metric["name"] in columns:
            ratio = f"cast({parameters['numerator']} as double) / nullif(cast({parameters['denominator']} as double), 0)"
            assert (
                built.one(
                    f"select count(*) from marts.fct_kpi_daily where {metric['name']} is distinct from {ratio}"
                )
                == 0
            ), metric["name"]
            checked += 1
    assert checked >= 8


def test_registries_name_no_stranger(built: Warehouse) -> None:
    alias = "select count(*) from seeds.campaign_rules where channel_id not in (select channel_id from seeds.channels)"
    assert built.one(alias) == 0


def test_late_windows_are_those_of_the_contracts() -> None:
    project = yaml.safe_load((ROOT / "dbt" / "dbt_project.yml").read_text())["vars"]
    contracts = {
        path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "ingest" / "contracts").glob("*.yml")
    }
    families = {
        "late_days_media": [
            "google_ads_campaign",
            "meta_ads",
            "amazon_ads_sp",
            "amazon_dsp_geo",
            "dv360_dma",
            "walmart_connect",
            "roundel",
        ],
        "late_days_pos": ["amazon_vendor_sales", "walmart_store_sales", "target_sales"],
        "late_days_touch": ["clickstream"],
    }
    for name, feeds in families.items():
        assert project[name] == max(contracts[feed].get("restatement_days", 0) for feed in feeds), name
