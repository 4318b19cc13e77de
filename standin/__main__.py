"""``python -m standin``: see the package's docstring."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from standin import NAME, stack
from standin.postgres import PostgresMissing

DEFAULT_FOLDER = Path(".data/standin")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is the command's own for ``run``."""
    parser = argparse.ArgumentParser(prog="python -m standin", description=f"{NAME}. Not Amazon Redshift.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "start in the background and print the environment"),
        ("down", "stop what up started"),
        ("env", "print the environment of what runs"),
        ("serve", "run in the foreground"),
    ):
        sub = commands.add_parser(name, help=text)
        sub.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    run = commands.add_parser("run", help="start, run a command against it, stop")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD")
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen, parser)
    except PostgresMissing as reason:
        print(reason, file=sys.stderr)
        return 2


def _run(chosen: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if chosen.command == "run":
        argv = chosen.argv[1:] if chosen.argv[:1] == ["--"] else chosen.argv
        if not argv:
            parser.error("run needs a command after --")
        with stack.Stack() as started:
            return subprocess.run(argv, env={**os.environ, **started.environment}).returncode
    folder = chosen.folder.resolve()
    if chosen.command == "serve":
        stack.serve(folder)
    elif chosen.command == "down":
        print("stopped" if stack.down(folder) else "nothing runs")
    else:
        if chosen.command == "env" and not stack.running(folder):
            print("nothing runs", file=sys.stderr)
            return 1
        for key, value in stack.up(folder).items():
            print(f"export {key}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
