"""Entry point of ``python -m ingest``."""

import sys

from ingest import env
from settings import SettingsError

if __name__ == "__main__":
    try:
        env.check()
    except SettingsError as error:
        print(f"ingest: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    from ingest.cli import main  # reads the variables as it is imported

    raise SystemExit(main())
