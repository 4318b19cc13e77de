"""``python -m modeling``: the estimators on a file, and the steps that the DAGs run on the warehouse.

On a file: mmm, attribution, geolift, forecast, segments, elasticity.
On the warehouse: init, snapshot, units, fit, record (see modeling/runner.py).
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

# One BLAS thread per process: the scheduler runs fits side by side, and the order of a threaded sum would
# make two runs differ in their last bits.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ON_A_FILE = ("mmm", "attribution", "geolift", "forecast", "segments", "elasticity")
ON_THE_WAREHOUSE = "runner_cli"


def _cli(name: str) -> ModuleType:
    return importlib.import_module(f"modeling.{name}.cli")


class OneLineParser(argparse.ArgumentParser):
    """A parser whose refusals are one line, as all others of this program are."""

    def error(self, message: str) -> NoReturn:
        """Print the reason and where help is; exit 2."""
        print(
            f"{self.prog.removeprefix('python -m modeling').strip() or 'modeling'}: {message} (see --help)",
            file=sys.stderr,
        )
        raise SystemExit(2)


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """Parser with the sub-commands; only the room that is asked for is imported, which keeps start-up short."""
    parser = OneLineParser(prog="python -m modeling", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = next((word for word in argv if not word.startswith("-")), None)
    if asked in ON_A_FILE:
        _cli(asked).add_parser(commands)
    else:
        for name in ON_A_FILE:
            commands.add_parser(name, help=f"see: python -m modeling {name} --help", add_help=False)
        importlib.import_module(f"modeling.{ON_THE_WAREHOUSE}").add_parsers(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0; 2 for input that cannot be used or cannot support an answer."""
    argv = list(sys.argv[1:] if argv is None else argv)
    from modeling.errors import InputError, Refusal
    from settings import SettingsError

    args = build_parser(argv).parse_args(argv)
    try:
        if args.command in ON_A_FILE:
            _cli(args.command).run(args)
        else:
            importlib.import_module(f"modeling.{ON_THE_WAREHOUSE}").run(args)
    except (InputError, Refusal, SettingsError) as error:
        print(f"{args.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{args.command}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
