"""Results of long suites that run in pieces: each piece is added to what the earlier ones found."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.ingest.helpers import ROOT

LARGEST = {"slowest_seconds", "deliveries", "parsed"}  # of these the largest counts, of other numbers the sum


def code_mark() -> str:
    """Short digest of the package's sources: a result names the code that it was measured on."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "ingest").rglob("*")):
        if path.suffix in (".py", ".yml"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


def merged(old: Any, new: Any, name: str = "") -> Any:
    """Numbers add up, lists join (without repeats), objects are merged key by key, other values are the newer ones."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            k: merged(old[k], new[k], k) if k in old and k in new else old.get(k, new.get(k))
            for k in {**old, **new}
        }
    if isinstance(old, list) and isinstance(new, list):
        return old + [entry for entry in new if entry not in old]
    if isinstance(old, int | float) and isinstance(new, int | float) and not isinstance(new, bool):
        return max(old, new) if name in LARGEST else round(old + new, 2)
    return new


def before(out: Path, resume: bool) -> dict[str, Any]:
    """What earlier pieces wrote to ``out``; nothing unless the run resumes."""
    if not resume or not out.exists():
        return {}
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def keep(out: Path, old: dict[str, Any], report: dict[str, Any], trials: int) -> dict[str, Any]:
    """Write the sum of the earlier pieces and this one of ``trials`` trials; return it."""
    mark, used = code_mark(), time.process_time() + sum(_children())
    whole: dict[str, Any] = merged(
        old, {**report, "trials_by_code": Counter({mark: trials}), "cpu_seconds": round(used, 1)}
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(whole, indent=1, sort_keys=False) + "\n")
    return whole


def _children() -> tuple[float, float]:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime, used.ru_stime
