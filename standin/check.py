"""``python -m standin.check FILE ...``: would Redshift refuse this SQL? Prints what the wire would say, without a server."""

from __future__ import annotations

import sys
from pathlib import Path

from standin.gate import NotOnRedshift
from standin.rewrite import rewrite, split_statements


def main(files: list[str]) -> int:
    """One line per statement that is refused; exit code 1 when there is one."""
    refused = 0
    for name in files:
        for statement in split_statements(Path(name).read_text()):
            try:
                rewrite(statement)
            except NotOnRedshift as reason:
                refused += 1
                print(f"{name}: {reason}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
