"""Fuzzed deliveries through the limited parser process: none escapes, none is unaccounted for.

``python -m tests.ingest.fuzz --files 100000``. Each file is a good one, broken by a few random edits of its bytes,
its structure or its container (one in a thousand is a 1,000:1 gzip bomb). For each the answer must be a closed outcome; a parsed file's
rows must add up; the process may not die, hang or leave a file behind.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ingest.contracts import load_contracts
from ingest.landing import Item
from ingest.outcomes import OUTCOMES
from ingest.parsed import Parsed
from ingest.pool import Parser
from tests.faults.catalogue import good_rows, render
from tests.ingest.evidence import before, keep
from tests.ingest.helpers import ROOT

TOKENS = [b'"', b"'", b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"NaN", b"inf", b"1e999",
          b"-", b"(5)", b"$", b"\\", b"{", b"}", b"[", b"]", b"null", b"0x1F", b"\x1f\x8b", b"\xe2\x80\x8b", b"Total", b"=cmd()", b'""', b"9" * 40,
          b"2026-02-30", b"a" * 5000, b"\x1a", b"\x85", b"%00", b"{{7*7}}", b"1,2,3,4", b"\xc2\xa0"]  # fmt: skip


def broken(data: bytes, draw: random.Random) -> bytes:
    """The bytes after one to six random edits."""
    out = bytearray(data)
    for _ in range(draw.randrange(1, 7)):
        kind, at = draw.randrange(7), draw.randrange(len(out) + 1)
        if kind == 0:
            out[at:at] = draw.choice(TOKENS)
        elif kind == 1 and out:
            del out[at : at + draw.randrange(1, 60)]
        elif kind == 2 and out:
            out[at % len(out)] = draw.randrange(256)
        elif kind == 3:
            out[at:at] = out[max(0, at - draw.randrange(1, 200)) : at]
        elif kind == 4:
            out = out[: max(1, at)]
        elif kind == 5:
            out[at:at] = draw.randbytes(draw.randrange(1, 40))
        elif out:
            lines = bytes(out).split(b"\n")
            draw.shuffle(lines)
            out = bytearray(b"\n".join(lines))
    return bytes(out)


def one(
    number: int, draw: random.Random, bases: dict[str, bytes], formats: dict[str, str]
) -> tuple[str, str, bytes]:
    feeds = sorted(bases)  # narrow feeds more often: a file of a wide one costs several times as much
    feed = draw.choices(
        feeds, [1 / (1 + bases[name][:5000].count(b",", 0, bases[name].find(b"\n"))) for name in feeds]
    )[0]
    data = broken(bases[feed], draw)
    name = f"f{number}__20261030T060000Z.{formats[feed]}"
    style = draw.random()
    if number % 1000 == 999:
        return feed, name + ".gz", gzip.compress(bases[feed] + b"0" * 20_000_000, compresslevel=6)
    if style < 0.15:
        packed = gzip.compress(data, mtime=0)
        return feed, name + ".gz", broken(packed, draw) if style < 0.07 else packed
    if style < 0.18:
        data = data.decode("latin-1").encode("utf-16")
    return feed, name, data


def run(files: int, seed: int, seconds: float = 1e9, first: int = 0) -> dict[str, Any]:
    """Feed ``files`` fuzzed deliveries from number ``first`` on to one limited parser process; what came of them."""
    contracts = load_contracts()
    bases = {f: render(c, good_rows(c, 25)) for f, c in contracts.items() if not c.open_columns}
    formats = {f: c.format for f, c in contracts.items()}
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    setup = {
        "key": "00" * 16,
        "folder": str(folder),
        "known": {},
        "suppressed": {},
        "memory": "256MB",
        "threads": 1,
        "limit_bytes": 1200 << 20,
    }
    parser, counts, wrong, slowest = Parser(setup), Counter[str](), [], 0.0
    reasons: Counter[str] = Counter()
    started = time.monotonic()
    done = bombs = 0
    try:
        for number in range(first, first + files):
            if time.monotonic() - started > seconds:
                break
            draw = random.Random(f"{seed}:{number}")
            feed, name, data = one(number, draw, bases, formats)
            path = folder / name
            path.write_bytes(data)
            item = Item(
                str(path), str(path), name, "fuzz", feed, len(data), "x", 0.0, "2026-10-30 06:00:00", None
            )
            before = time.monotonic()
            answer = parser.ask(item, False, 60.0)
            slowest = max(slowest, time.monotonic() - before)
            path.unlink()
            done += 1
            bombs += number % 1000 == 999
            if answer is None or answer["outcome"] == "LIMIT":
                wrong.append(f"{number} {feed}: {answer and (answer['reason'], answer['detail'])}")
                parser.close(kill=True)
                parser = Parser(setup)
                continue
            word = answer["outcome"]
            counts[word] += 1
            reasons[answer["reason"]] += 1
            if word == "PARSED":
                parsed = answer["parsed"]
                if parsed["rows_file"] != parsed["rows_good"] + parsed["rows_bad"] + parsed["rows_declared"]:
                    wrong.append(f"{number} {feed}: rows do not add up")
                Parsed(**parsed).remove()
            elif word not in OUTCOMES:
                wrong.append(f"{number} {feed}: {word}")
            if number % 500 == 0:
                left = [p.name for p in folder.iterdir() if p.name != "spill"]
                if left:
                    wrong.append(f"{number}: left behind {left[:3]}")
    finally:
        parser.close()
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "files": done, "bombs": bombs, "outcomes": dict(counts), "reasons": dict(reasons.most_common()), "wrong": wrong,
        "slowest_seconds": round(slowest, 2), "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--resume", action="store_true", help="add to the result that is there")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "ingest_fuzz.json")
    args = parser.parse_args()
    old = before(args.out, args.resume)
    first = old.get("files", 0)
    report = run(args.files - first, args.seed, args.minutes * 60, first)
    report = keep(args.out, old, report, report["files"])
    print(json.dumps(report, indent=1))
    raise SystemExit(1 if report["wrong"] else 0)


if __name__ == "__main__":
    main()
