"""``python -m simulator``: make a world; ``python -m simulator score``: hold a warehouse against its truth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from simulator.config import DEFAULT_WEEKS, MIN_WEEKS, SCENARIOS, Options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder that gets landing/ and truth/")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--weeks", type=int, default=DEFAULT_WEEKS, help=f"weeks of data in all, at least {MIN_WEEKS}"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="1 = laptop demo; 560 = about 100 million touchpoints"
    )
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="default")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; bad input gives one line and exit code 2."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args and args[0] == "score":
        from simulator.score import main as score

        return score(args[1:])
    given = _parser().parse_args(args)
    problem = ""
    if given.out is None:
        problem = "--out is required"
    elif given.weeks < MIN_WEEKS:
        problem = f"--weeks must be at least {MIN_WEEKS} (a 12-week launch and 4 weeks before it), got {given.weeks}"
    elif not 0.01 <= given.scale <= 1000:
        problem = f"--scale must be between 0.01 and 1000, got {given.scale:g}"
    elif given.seed < 0:
        problem = f"--seed must not be negative, got {given.seed}"
    if problem:
        print(f"simulator: {problem}", file=sys.stderr)
        return 2
    from simulator.build import write_world

    options = Options(given.seed, given.weeks, given.scale, SCENARIOS[given.scenario])
    write_world(options, given.out, lambda line: print(line, file=sys.stderr, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
