"""Remove one guard at a time and see the catalogue complain: a guard that nobody misses is not tested.

``python -m tests.faults.mutants`` copies the package, changes one place, plays the cases that should notice, and
prints the survivors.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    """One guard removed: in ``file`` the text ``old`` becomes ``new``; ``faults`` of ``feed`` must notice."""

    name: str
    file: str
    old: str
    new: str
    faults: tuple[int, ...]
    feed: str = "roundel"


MUTANTS = (
    Mutant("only blank lines", "preflight.py", 'strip(b"\\r\\n\\t \\0")', 'strip(b"")', (3,), "meta_ads"),
    Mutant("gzip end", "preflight.py", "if not started or not decoder.eof:", "if False:", (7,)),
    Mutant("gzip promised by name", "preflight.py", "if promised and not zipped:", "if False:", (10,)),
    Mutant("gzip unannounced", "preflight.py", "if zipped and not promised:", "if False:", (10,)),
    Mutant("ratio cap", "preflight.py", "MAX_RATIO = 100", "MAX_RATIO = 10**9", (11,), "google_ads_campaign"),
    Mutant("magic bytes", "preflight.py", "    if kind:\n        for _ in", "    if False:\n        for _ in", (12, 55)),
    Mutant("archive members", "preflight.py", 'raise Refused("path_traversal", "an archive member', 'raise Refused("magic_mismatch", "an archive member', (12,)),
    Mutant("UTF-16 mark", "preflight.py", 'return "utf-16", 0', 'return "utf-8", 0', (27,)),
    Mutant("UTF-16 without mark", "preflight.py", 'sample.count(b"\\0") > len(sample) // 4', "False", (27,)),
    Mutant("unsafe names", "landing.py", "if any(ord(char) in _UNSAFE for char in relative):", "if False:", (13,)),
    Mutant("unfinished names", "landing.py", "return name.lower().endswith(_UNFINISHED)", "return False", (6,)),
    Mutant("twins in a batch", "warehouse_duckdb.py", "if twin is not None:", "if False:", (17,)),
    Mutant("taken back", "warehouse_duckdb.py", 'if row.reason == "same_content":', "if False:", (75,)),
    Mutant("late copy", "resettle.py", "order by s.d, t.f)", "order by t.f, s.d)", (75,)),
    Mutant("future stamp", "run.py", "if item.delivered > tomorrow:", "if False:", (25,)),
    Mutant("error page", "header.py", 'if start_text[:1] == "<":', "if False:", (20,)),
    Mutant("stray feed", "header.py", "return other.feed\n    return", 'return ""\n    return', (21,)),
    Mutant("preamble", "header.py", 'return Refused("preamble"', 'return Refused("unknown_header"', (42,)),
    Mutant("delimiter", "header.py", 'return Refused("wrong_delimiter", f"columns are', 'return Refused("unknown_header", f"columns are', (38,)),
    Mutant("missing header", "header.py", "if not positions and data_cells:", "if False:", (45,)),
    Mutant("header twice", "header.py", "if normal and normal in seen:", "if False:", (46,)),
    Mutant("required column", "header.py", "    if required:\n        raise _diagnose", "    if False:\n        raise _diagnose", (50,)),
    Mutant("column cap", "header.py", "MAX_COLUMNS = 1000", "MAX_COLUMNS = 10**6", (54,)),
    Mutant("header spelling", "contracts.py", ".translate(_ZERO_WIDTH).lower()", ".translate(_ZERO_WIDTH)", (47,)),
    Mutant("ragged rows", "tokens.py", 'fault = "ragged_row"', 'cells = (cells + [""] * width)[:width]', (39,)),
    Mutant("trailing delimiter", "tokens.py", "if len(cells) > width and not any(cells[width:]):", "if False:", (40,)),
    Mutant("strict quotes", "tokens.py", "strict=True)\n    in_footer", "strict=False)\n    in_footer", (36, 37), "google_ads_campaign"),
    Mutant("open quote", "tokens.py", "if fault and len(taken) > 1:", "if False:", (37,), "google_ads_campaign"),
    Mutant("cut row", "tokens.py", 'fault, tally.truncated = "truncated_row", True\n        if sum', "pass\n        if sum", (4,)),
    Mutant("long line", "tokens.py", "if sum(map(len, taken)) > LONG_LINE:", "if False:", (53,), "google_ads_campaign"),
    Mutant("bad bytes", "tokens.py", '"replace"), "invalid_encoding"', '"replace"), ""', (28, 29), "google_ads_campaign"),
    Mutant("NUL", "values.py", "    if rules.nul:", "    if False:", (30,), "google_ads_campaign"),
    Mutant("footer", "careful.py", "    if contract.footer_rule:", "    if False:", (43,)),
    Mutant("header again", "careful.py", "when _bad = -2 then 'repeat_header'", "when _bad = -2 then 'ragged_row'", (44,)),
    Mutant("integers by cast", "values.py", "case when {cast}::varchar = {x} then {cast} end", "{cast}", (63,)),
    Mutant("canonical text", "canonical.py", '[f"({v}::varchar = {x} or {x} is null)"]', "[]", (63, 64)),
    Mutant("canonical dates", "canonical.py", "interval 1 day\"", "interval 9999 day\"", (25,)),
    Mutant("spaced rows", "tokens.py", "in_footer and (len(cells) != width or width == 1)", "in_footer", (41,), "dv360_dma"),
    Mutant("currency", "slow.py", 'return "currency_mismatch" if', 'return "bad_number" if', (56,)),
    Mutant("not finite", "slow.py", "if _FINITE.fullmatch(stripped):", "if False:", (61,)),
    Mutant("grouping", "slow.py", '"us": r"(?:\\d{1,3}(?:,\\d{3})+|\\d+)?', '"us": r"(?:[\\d,]+)?', (52, 57, 58)),
    Mutant("null tokens", "slow.py", '"n/a",\n        "na",', '"zzz",', (62,), "google_ads_campaign"),
    Mutant("required value", "values.py", "    if field.required and field.default is None:", "    if False:", (62,), "google_ads_campaign"),
    Mutant("oldest date", "values.py", 'OLDEST = "1990-01-01"', 'OLDEST = "0001-01-01"', (64,)),
    Mutant("future date", "values.py", "interval 1 day\", \"future_date\"", "interval 9999 day\", \"future_date\"", (25,)),
    Mutant("serial date", "slow.py", 'return "excel_serial_date"', 'return "bad_date_format"', (66,)),
    Mutant("type share", "checks.py", "TYPE_SHARE = 0.05", "TYPE_SHARE = 2.0", (52, 58, 65)),
    Mutant("swapped days", "checks.py", "if found[1] > TYPE_SHARE * parsed.rows_good:", "if False:", (65,)),
    Mutant("repeated rows", "checks.py", 'if contract.key and contract.duplicates == "quarantine" and', "if False and", (69,)),
    Mutant("conflicting keys", "checks.py", "    if conflict and conflict[0]:", "    if False:", (69,)),
    Mutant("contradictions", "checks.py", "counts, strict=True) if count", "counts, strict=True) if False", (59, 60, 68)),
    Mutant("drift", "checks.py", "    if drift and not contract.open_columns:", "    if False:", (49,)),
    Mutant("optional column", "checks.py", "        if missing:\n", "        if False:\n", (51,)),
    Mutant("no rows", "checks.py", "    if data_rows == 0:", "    if False:", (2,)),
    Mutant("invisible characters", "careful.py", 'originals[item.name] = f"', 'ignored = f"', (31,)),
    Mutant("manifest rows", "worker.py", 'raise Refused("row_count_mismatch"', 'Refused("row_count_mismatch"', (5,)),
    Mutant("manifest size", "worker.py", 'raise NotYet("incomplete"', 'NotYet("incomplete"', (6,)),
    Mutant("newest wins", "moves_duckdb.py", "won = f\"{near} and", "won = f\"false and {near} and", (75, 77)),
)  # fmt: skip
_PLAY = """
import sys, pathlib
from tests.faults.catalogue import cases
from tests.faults.harness import complaints, play
faults = {int(n) for n in sys.argv[2].split(",")}
listed = [c for c in cases([sys.argv[3]]) if c.fault in faults]
try:
    bad = complaints(play(listed, pathlib.Path(sys.argv[1])))
except BaseException as error:
    bad = [f"run failed: {type(error).__name__}"]
print(len(listed), len(bad))
"""


def survives(mutant: Mutant) -> str:
    """'' when the catalogue notices; otherwise why not."""
    folder = Path(tempfile.mkdtemp(prefix="mutant"))
    try:
        for name in ("ingest", "tests/faults", "tests/__init__.py", "settings.py"):
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        path = folder / "ingest" / mutant.file
        text = path.read_text()
        if text.count(mutant.old) < 1:
            return "the place is gone"
        path.write_text(text.replace(mutant.old, mutant.new))
        env = {**os.environ, "PYTHONPATH": str(folder)}
        done = subprocess.run(
            [sys.executable, "-c", _PLAY, str(folder / "work"), ",".join(map(str, mutant.faults)), mutant.feed],
            cwd=folder, env=env, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        if done.returncode != 0:
            return ""  # it does not even run
        played, bad = (int(n) for n in done.stdout.split()[-2:])
        return "no case played" if not played else "" if bad else "survived"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_mutants.json")
    parser.add_argument("--only", help="names, comma separated")
    args = parser.parse_args()
    only = set(args.only.split(",")) if args.only else None
    report: dict[str, str] = {}
    for mutant in MUTANTS:
        if only is not None and mutant.name not in only:
            continue
        report[mutant.name] = survives(mutant) or "killed"
        print(f"{mutant.name:28s} {report[mutant.name]}", flush=True)
    killed = sum(word == "killed" for word in report.values())
    print(f"{killed} of {len(report)} killed")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(
        json.dumps({"killed": killed, "mutants": len(report), "result": report}, indent=1) + "\n"
    )
    raise SystemExit(0 if killed == len(report) else 1)


if __name__ == "__main__":
    main()
