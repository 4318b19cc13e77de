"""The rules of the project, read off the manifest: nobody has to remember them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.dbt.conftest import ROOT, Warehouse
from tests.dbt.policy import checks_on, kind, marts, meta, violations


@pytest.fixture(scope="module")
def manifest(built: Warehouse) -> dict[str, Any]:
    return json.loads((built.folder / "target" / "manifest.json").read_text())


def models(manifest: dict[str, Any], layer: str) -> list[dict[str, Any]]:
    return [
        n for n in manifest["nodes"].values() if n["resource_type"] == "model" and n["path"].startswith(layer)
    ]


def test_every_mart_keeps_the_rules(manifest: dict[str, Any]) -> None:
    assert list(violations(manifest)) == []
    assert len(marts(manifest)) > 50


def without(path: str, value: Any = None) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """A change that sets one field of the mart, named by dots."""

    def change(_: dict[str, Any], node: dict[str, Any]) -> None:
        *folders, last = path.split(".")
        for folder in folders:
            node = node[folder]
        node[last] = value

    return change


def drop_tests(*kinds: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(manifest: dict[str, Any], node: dict[str, Any]) -> None:
        for test in checks_on(manifest, node):
            if kind(test) in kinds:
                del manifest["nodes"][test["unique_id"]]

    return change


def drop_meta(key: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(_: dict[str, Any], node: dict[str, Any]) -> None:
        node.get("meta", {}).pop(key, None)
        node["config"].get("meta", {}).pop(key, None)

    return change


def hide(manifest: dict[str, Any], node: dict[str, Any]) -> None:
    for exposure in manifest["exposures"].values():
        exposure["depends_on"]["nodes"] = [
            n for n in exposure["depends_on"]["nodes"] if n != node["unique_id"]
        ]


def no_brand(_: dict[str, Any], node: dict[str, Any]) -> None:
    del node["columns"]["brand_id"]


BREAKS = {
    "contract not enforced": without("config.contract", {"enforced": False}),
    "not public": without("config.access", "protected"),
    "no group": without("config.group"),
    "BI reads tables": without("config.materialized", "view"),
    "the first sentence is the grain": without("description", "Sales by week."),
    "no owner": drop_meta("owner"),
    "no grain": drop_meta("grain"),
    "three questions with their SQL": drop_meta("questions"),
    "no key test": drop_tests("unique_key_columns"),
    "dma_id is not held to dim_dma": drop_tests("refers_to"),
    "no conservation test": drop_tests("conserves", "law"),
    "no exposure": hide,
    "no brand_id": no_brand,
    "a column without a description": without("columns.dma_id.description", ""),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_mart_that_lacks_it_is_found(manifest: dict[str, Any], rule: str) -> None:
    """Each rule is seen to fail: fct_pos_week without it."""
    broken = json.loads(json.dumps({key: manifest[key] for key in ("nodes", "exposures")}))
    BREAKS[rule](broken, broken["nodes"]["model.warehouse.fct_pos_week"])
    assert f"fct_pos_week: {rule}" in list(violations(broken))


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


def staging_above(manifest: dict[str, Any], name: str) -> set[str]:
    """Staging models that a model reads, through whatever stands between."""
    found, todo = set[str](), [f"model.warehouse.{name}"]
    while todo:
        node = manifest["nodes"][todo.pop()]
        if node["path"].startswith("staging"):
            found.add(node["name"])
        todo += [p for p in node["depends_on"]["nodes"] if p.startswith("model.")]
    return found


def test_an_increment_watches_every_feed_it_is_made_of(manifest: dict[str, Any]) -> None:
    """A feed that the state of a mart leaves out would load, and its later deliveries never reach the mart."""
    states = {
        node["name"]: meta(node)["state"].removesuffix("__partitions")
        for node in models(manifest, "marts")
        if node["config"]["materialized"] == "incremental"
    }
    assert len(states) >= 4
    reference = staging_above(manifest, "int_reference_state")
    # int_pos_item lists the items of the stock feeds too; a sale joins its own item, which its own feed brings
    stock = {"stg_amazon_vendor__inventory", "stg_walmart__store_inventory", "stg_target__inventory"}
    listed_only = {"fct_pos_daily": stock}
    for mart, state in states.items():
        watched = staging_above(manifest, states.get(state, state)) | reference
        assert staging_above(manifest, mart) - watched - listed_only.get(mart, set()) == set(), mart


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
    for node in marts(manifest):
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
