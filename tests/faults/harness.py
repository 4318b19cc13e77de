"""Runs catalogue cases through the real pipeline: every case is a brand of one landing zone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest import run as runner
from ingest.contracts import load_contracts
from settings import Settings, load_settings
from tests.faults.catalogue import Case, good

AUDIT = {"brand_id", "_file_id", "_line", "_delivered_at", "_extra"}


@dataclass
class Result:
    case: Case
    rows: list[dict[str, Any]]  # ledger lines of the judged file, oldest first
    raw: list[tuple[Any, ...]]  # the brand's raw rows without audit columns


def settings_for(folder: Path, landing: str | None = None) -> Settings:
    return load_settings(
        {
            "WAREHOUSE_PATH": str(folder / "data" / "warehouse.duckdb"),
            "SERVING_PATH": str(folder / "data" / "serving.duckdb"),
            "LANDING_URI": landing or str(folder / "landing"),
            "RUNS_DIR": str(folder / "data" / "runs"),
        }
    )


def place(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (1_790_000_000, 1_790_000_000))


def play(cases: Iterable[Case], folder: Path) -> list[Result]:
    """Deliver every case, round by round, and collect what the ledger says."""
    listed = list(cases)
    contracts = load_contracts()
    settings = settings_for(folder)
    landing = folder / "landing"
    feeds = sorted({case.feed for case in listed})
    for feed in feeds:
        place(
            landing
            / f"brand=good-{feed.replace('_', '-')}"
            / feed
            / f"{feed}__20261030T060000Z.{contracts[feed].format}",
            good(contracts[feed]),
        )
    for number in range(max(len(case.rounds) for case in listed)):
        for index, case in enumerate(listed):
            if number < len(case.rounds):
                home = landing / f"brand=case{index:05d}" / case.feed
                for name, data in case.manifest.items():
                    place(home / name, data)
                for name, data in case.rounds[number]:
                    place(home / name, data)
        runner.run(settings, contracts)
    with runner.opened(settings, contracts, read_only=True) as warehouse:
        lines = warehouse.query("select * from intake.ledger order by loaded_at, ledger_id")
        raw: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for feed in feeds:
            columns = [name for name, _ in contracts[feed].columns if name not in AUDIT]
            shown = ", ".join(f'"{name}"' for name in columns)
            for row in warehouse.query(f"select brand_id, {shown} from raw.{feed} order by all"):
                raw.setdefault((feed, row.pop("brand_id")), []).append(tuple(row.values()))
    by_place: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        by_place.setdefault((line["brand_id"], line["uri"].split("/")[-1]), []).append(line)
    results = []
    from ingest.landing import shown as shown_name

    for index, case in enumerate(listed):
        brand = f"case{index:05d}"
        results.append(
            Result(case, by_place.get((brand, shown_name(case.name)), []), raw.get((case.feed, brand), []))
        )
    for feed in feeds:
        case = Case(0, "good file", feed, [], "LOAD", loaded=40)
        brand = f"good-{feed.replace('_', '-')}"
        rows = [line for line in lines if line["brand_id"] == brand]
        results.append(Result(case, rows, raw.get((feed, brand), [])))
    return results


def complaint(result: Result, good_rows: list[tuple[Any, ...]]) -> str:
    """What is wrong with a result; '' when the ledger shows exactly what the catalogue wants."""
    case = result.case
    label = f"{case.fault} {case.label} [{case.feed}]"
    if not result.rows:
        return f"{label}: no ledger line"
    line = result.rows[-1]
    said = f"{line['outcome']} {line['reason']}"
    if line["outcome"] != case.outcome:
        return f"{label}: {said}, wanted {case.outcome} {case.reason}"
    reasons = (line["reason"] or "").split(",")
    if case.reason and not any(word.startswith(case.reason) for word in reasons):
        return f"{label}: reason {said}, wanted {case.reason}"
    if not case.reason and not case.any_reason and line["reason"]:
        return f"{label}: reason {said}, wanted none"
    for name, wanted in (
        ("rows_loaded", case.loaded),
        ("rows_quarantined", case.quarantined),
        ("rows_declared", case.declared),
    ):
        if wanted is not None and line[name] != wanted:
            return f"{label}: {name} {line[name]}, wanted {wanted} ({said})"
    if line["rows_file"] != line["rows_loaded"] + line["rows_quarantined"] + line["rows_declared"]:
        return f"{label}: rows do not add up"
    if case.same_rows and result.raw != good_rows:
        return f"{label}: raw rows differ from those of the good file"
    return ""


def complaints(results: list[Result]) -> list[str]:
    """Every wrong result."""
    reference = {r.case.feed: r.raw for r in results if r.case.fault == 0}
    return [text for r in results if (text := complaint(r, reference.get(r.case.feed, [])))]
