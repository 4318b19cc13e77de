"""Pre-registration: what a test said it would do, before its results were known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modeling.errors import InputError, Refusal

FIELDS = ("experiment_id", "treated", "start", "end", "kpi", "method", "minimum_detectable_effect_pct")


def registration(
    experiment_id: str, treated: Sequence[str], start: str | None, end: str | None, **more: Any
) -> dict[str, Any]:
    """Registered design with a digest over its binding parts (geographies and dates)."""
    body = {"experiment_id": experiment_id, "treated": sorted(treated), "start": start, "end": end, **more}
    return {**body, "digest": digest(body)}


def digest(body: dict[str, Any]) -> str:
    """SHA-256 over treated geographies and dates."""
    binding = {k: body.get(k) for k in ("experiment_id", "treated", "start", "end")}
    return hashlib.sha256(json.dumps(binding, sort_keys=True).encode()).hexdigest()


def read_registration(path: str | Path) -> dict[str, Any]:
    """Read a registration file.

    Raises:
        InputError: not readable, incomplete, or edited after it was written (its digest does not fit).
    """
    path = Path(path)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--registration: {path} cannot be read as JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("treated"), list):
        raise InputError(f"--registration: {path.name} has no list 'treated'")
    for name in ("start", "end"):
        if not isinstance(body.get(name), str):
            raise InputError(f"--registration: {path.name} has no {name!r} date; register it before the test")
    if body.get("digest") != digest({**body, "treated": sorted(body["treated"])}):
        raise InputError(
            f"--registration: {path.name} was changed after it was registered (digest does not fit)"
        )
    return body


def deviations(body: dict[str, Any], treated: Sequence[str], start: str, end: str) -> list[str]:
    """What differs from the registered design, in words; empty if nothing does."""
    found = []
    if sorted(treated) != sorted(body["treated"]):
        found.append(f"treated {', '.join(sorted(treated))} instead of {', '.join(sorted(body['treated']))}")
    for name, value in (("start", start), ("end", end)):
        if value != body[name]:
            found.append(f"{name} {value} instead of {body[name]}")
    return found


def check_registration(
    body: dict[str, Any], treated: Sequence[str], start: str, end: str, *, deviate: bool
) -> list[str]:
    """Deviations from the registered design.

    Raises:
        Refusal: there are some and the caller did not say that this is meant.
    """
    found = deviations(body, treated, start, end)
    if found and not deviate:
        raise Refusal(
            f"not what was registered: {'; '.join(found)} (--deviate to run it all the same; it will say so)"
        )
    return found
