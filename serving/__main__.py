"""``python -m serving publish | pending``: swap in the tested marts; ask whether there is anything to do."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from modeling.io import WarehouseBusy
from modeling.io.duckdb import connect
from serving.fingerprint import pending
from serving.publish import publish, served_version
from settings import SettingsError, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is one JSON line on standard output. Returns 0, or 2 with one clear line."""
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("command", choices=("publish", "pending"))
    args = parser.parse_args(argv)
    try:
        settings = load_settings()
        if settings.warehouse_target == "redshift":
            from serving.redshift import pending_on_redshift, publish_on_redshift

            result = (
                publish_on_redshift(settings)
                if args.command == "publish"
                else {"pending": pending_on_redshift(settings)}
            )
        elif args.command == "publish":
            result = publish(settings)
        else:
            db = connect(settings.warehouse_path)
            try:
                result = {"pending": pending(db) or served_version(settings.serving_path) is None}
            finally:
                db.close()
    except (SettingsError, WarehouseBusy, RuntimeError) as error:
        print(f"serving: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
