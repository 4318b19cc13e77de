"""Draw the marts as an entity diagram, from the reference tests of the manifest.

``python dbt/tools/entity_diagram.py dbt/target/manifest.json docs/entities.md`` after any dbt command.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def references(manifest: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(child, parent, columns) of every reference that a test holds, sorted."""
    found = set()
    for node in manifest["nodes"].values():
        if (node.get("test_metadata") or {}).get("name") != "refers_to":
            continue
        child = manifest["nodes"].get(node.get("attached_node") or "")
        if child is None or not child["path"].startswith("marts/"):
            continue
        parents = [p for p in node["depends_on"]["nodes"] if p != child["unique_id"]]
        for parent in parents:
            columns = ", ".join(node["test_metadata"]["kwargs"]["columns"])
            found.add((child["name"], manifest["nodes"][parent]["name"], columns))
    return sorted(found)


def main() -> None:
    manifest = json.loads(Path(sys.argv[1]).read_text())
    lines = [
        "# Entities",
        "",
        "Every line is a reference that a test holds on each build. Drawn by `dbt/tools/entity_diagram.py`.",
        "",
        "```mermaid",
        "erDiagram",
        *[f'    {parent} ||--o{{ {child} : "{columns}"' for child, parent, columns in references(manifest)],
        "```",
    ]
    Path(sys.argv[2]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
