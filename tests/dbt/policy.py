"""The rules of a public mart, as a list of what breaks them; see test_policy.py, where each rule is also seen to fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Reference lists that are the same for every brand, and records of the publisher itself.
SHARED_BY_BRANDS = {"dim_calendar", "dim_dma", "dim_channel", "dim_retailer", "fct_published_version"}
#: Its row is written after the build, and alerts are raised between build and publication: views; the served copies are tables.
VIEWS = {"fct_published_version", "fct_alert"}
#: A fact that carries one of these points at its dimension.
KEYS = {
    "dma_id": "dim_dma",
    "channel_id": "dim_channel",
    "retailer_id": "dim_retailer",
    "product_id": "dim_product",
}
#: Measures that add up: something must hold them equal to the layer before.
ADDITIVE = ("_usd", "units", "units_sold", "impressions", "reach_persons")
#: Prices are not sums.
NOT_ADDITIVE = {"avg_price_usd", "list_price_usd", "value_usd"}


def meta(node: dict[str, Any]) -> dict[str, Any]:
    """What a model says about itself."""
    return {**node.get("meta", {}), **node["config"].get("meta", {})}


def marts(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Every public mart."""
    return [
        n for n in manifest["nodes"].values()
        if n["resource_type"] == "model" and n["path"].startswith("marts/")
    ]  # fmt: skip


def is_core(node: dict[str, Any]) -> bool:
    """Whether a mart comes from feeds, not from model runs or from the machinery."""
    return not node["path"].startswith(("marts/outputs/", "marts/ops/"))


def checks_on(manifest: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """Data tests that read a model."""
    return [
        n for n in manifest["nodes"].values()
        if n["resource_type"] == "test" and node["unique_id"] in n["depends_on"]["nodes"]
    ]  # fmt: skip


def kind(test: dict[str, Any]) -> str:
    """Name of a generic test; 'law' for a singular one."""
    return (test.get("test_metadata") or {}).get("name") or "law"


def violations(manifest: dict[str, Any]) -> Iterator[str]:
    """One line per broken rule: mart, colon, rule."""
    exposed = {p for e in manifest["exposures"].values() for p in e["depends_on"]["nodes"]}
    for node in marts(manifest):
        name, columns = node["name"], node["columns"]
        tests = checks_on(manifest, node)
        own = [t for t in tests if t.get("attached_node") == node["unique_id"]]
        if not node["config"]["contract"]["enforced"]:
            yield f"{name}: contract not enforced"
        if node["config"]["access"] != "public":
            yield f"{name}: not public"
        if not node["config"].get("group"):
            yield f"{name}: no group"
        if node["config"]["materialized"] not in (("view",) if name in VIEWS else ("table", "incremental")):
            yield f"{name}: BI reads tables"
        if not node["description"].strip().lower().startswith(("one row per", "grain")):
            yield f"{name}: the first sentence is the grain"
        if not meta(node).get("owner"):
            yield f"{name}: no owner"
        if not meta(node).get("grain"):
            yield f"{name}: no grain"
        if len([q for q in meta(node).get("questions", []) if q.get("q") and q.get("sql")]) < 3:
            yield f"{name}: three questions with their SQL"
        if not any(kind(t) == "unique_key_columns" for t in own):
            yield f"{name}: no key test"
        if any(not column["description"] for column in columns.values()):
            yield f"{name}: a column without a description"
        if name not in SHARED_BY_BRANDS and "brand_id" not in columns:
            yield f"{name}: no brand_id"
        if not is_core(node):
            continue
        if node["unique_id"] not in exposed:
            yield f"{name}: no exposure"
        if not name.startswith("fct_"):
            continue
        pointed = {
            column
            for t in own
            if kind(t) == "refers_to"
            for column in t["test_metadata"]["kwargs"]["columns"]
        }
        for column, dimension in KEYS.items():
            if column in columns and column not in pointed:
                yield f"{name}: {column} is not held to {dimension}"
        additive = [c for c in columns if c.endswith(ADDITIVE) and c not in NOT_ADDITIVE]
        if additive and not any(kind(t) in ("conserves", "law") for t in tests):
            yield f"{name}: no conservation test"
