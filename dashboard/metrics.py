"""Ratios as the warehouse's semantic layer defines them (dbt/models/semantic), as SQL over a reader's own view.

The marts take their ratios from the same file, so a figure that only the dashboard shows has the same definition.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from settings import ROOT

SEMANTIC = ROOT / "dbt" / "models" / "semantic"


@cache
def _metrics() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((SEMANTIC / "metrics.yml").read_text())
    return {metric["name"]: metric for metric in document["metrics"]}


@cache
def _columns() -> dict[str, str]:
    document = yaml.safe_load((SEMANTIC / "semantic_models.yml").read_text())
    measures = [m for model in document["semantic_models"] for m in model["measures"]]
    return {m["name"]: str(m.get("expr") or m["name"]) for m in measures}


def summed(name: str) -> str:
    """SQL of a metric over the rows of a group: a ratio of sums, null on a zero denominator.

    Raises:
        KeyError: the semantic layer has no such metric.
    """
    metric = _metrics()[name]
    parts = metric["type_params"]
    if metric["type"] == "derived":
        part = str(parts["metrics"][0]["name"])
        return str(parts["expr"]).replace(part, f"({summed(part)})")
    top, bottom = (_columns()[parts[side]] for side in ("numerator", "denominator"))
    return f"sum({top}) / nullif(sum({bottom}), 0)"
