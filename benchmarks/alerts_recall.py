"""Recall and false alarms of the alert rules on seeded worlds: ``python benchmarks/alerts_recall.py [--planted 50] [--clean 200]``.

Twelve silent incident types, each planted in its own world (random entity, size and day), looked for in the same
run; and clean worlds, in which every finding is a false alarm. About 0.3 CPU-seconds a world. Prints the table, writes
it to benchmarks/results/ and, between its two marks, to docs/alerts.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.alerts.worlds import INCIDENTS, World, caught  # noqa: E402


def rules_found(seed: int) -> list[str]:
    return [f.rule for f in World(seed).findings()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planted", type=int, default=50)
    parser.add_argument("--clean", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    with ProcessPoolExecutor(args.processes) as pool:
        clean = list(pool.map(rules_found, range(100_000, 100_000 + args.clean), chunksize=5))
        recall = {
            name: sum(pool.map(partial(caught, name), range(args.planted), chunksize=5)) for name in INCIDENTS
        }
    alarms = Counter(rule for found in clean for rule in found)
    total = sum(recall.values())
    print(f"{'incident':<24} caught of {args.planted}")
    for name, hits in recall.items():
        print(f"{name:<24} {hits:>6}")
    print(f"{'all':<24} {total} of {args.planted * len(recall)} ({total / args.planted / len(recall):.1%})")
    print(
        f"clean runs: {args.clean}; runs with a false alarm: {sum(bool(f) for f in clean)}; false alarms by rule: {dict(alarms) or 'none'}"
    )
    if args.planted >= 50 and args.clean >= 100:  # a smaller run is for a look, not for the page
        bad_runs = sum(bool(f) for f in clean)
        write_table(ROOT / "docs" / "alerts.md", recall, args.planted, args.clean, alarms, bad_runs)
    out = ROOT / "benchmarks" / "results" / "alerts_recall.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(
            {
                "planted_per_type": args.planted,
                "caught": recall,
                "recall": total / args.planted / len(recall),
                "clean_runs": args.clean,
                "false_alarms": sum(alarms.values()),
                "false_alarms_by_rule": dict(alarms),
            },
            indent=2,
        )
        + "\n"
    )


BEGIN, END = "<!-- alerts_recall: begin -->", "<!-- alerts_recall: end -->"


def write_table(
    page: Path, recall: dict[str, int], planted: int, clean: int, alarms: Counter[str], bad_runs: int
) -> None:
    """Replace what stands between the two marks of the page."""
    rows = [f"| {name} | {hits} of {planted} | {hits / planted:.0%} |" for name, hits in recall.items()]
    total = sum(recall.values()) / planted / len(recall)
    told = ", ".join(f"{rule} {n}" for rule, n in alarms.most_common()) or "none"
    table = "\n".join(
        [
            BEGIN,
            "| planted incident | caught in the same run | share |",
            "|---|---|---|",
            *rows,
            f"| all | {sum(recall.values())} of {planted * len(recall)} | {total:.1%} |",
            "",
            f"Clean runs: {clean}; with a false alarm: {bad_runs} ({100 * bad_runs / clean:.1f} in 100); false alarms by rule: {told}.",
            END,
        ]
    )
    text = page.read_text()
    page.write_text(text[: text.index(BEGIN)] + table + text[text.index(END) + len(END) :])


if __name__ == "__main__":
    main()
