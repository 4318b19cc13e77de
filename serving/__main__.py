"""``python -m serving publish | pending | brands``: swap in the tested marts; ask whether there is anything to do; a file per brand."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from modeling.io import WarehouseBusy
from modeling.io.duckdb import connect
from serving.brands import BrandError, brands, write_brand_copy
from serving.fingerprint import pending
from serving.publish import publish, served_version
from settings import SettingsError, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is one JSON line on standard output. Returns 0, or 2 with one clear line."""
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("command", choices=("publish", "pending", "brands"))
    parser.add_argument(
        "--out", type=Path, help="brands: folder of the files (default: brands beside the served copy)"
    )
    parser.add_argument("--brand", action="append", help="brands: only this one (repeatable)")
    args = parser.parse_args(argv)
    try:
        settings = load_settings()
        if args.command == "brands":
            folder = args.out or settings.serving_path.parent / "brands"
            wanted = args.brand or brands(settings.serving_path)
            files = [str(write_brand_copy(settings.serving_path, brand, folder)) for brand in wanted]
            result: dict[str, object] = {"files": files}
        elif settings.warehouse_target == "redshift":
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
    except (SettingsError, WarehouseBusy, BrandError, OSError, RuntimeError) as error:
        print(f"serving: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
