"""``python -m alerts run | ack ID --by NAME | list``: find incidents, take one on, show what is open."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from alerts import ledger
from alerts.run import run
from alerts.store import Store
from modeling.io import RUN_TABLES, WarehouseBusy, open_warehouse
from settings import SettingsError, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0; 2 for a request that cannot be carried out."""
    parser = argparse.ArgumentParser(
        prog="python -m alerts", description="Find incidents in the marts and tell people once."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="look at the marts, write new events, tell the configured channels")
    commands.add_parser("list", help="alerts that are not resolved")
    ack = commands.add_parser("ack", help="acknowledge an alert")
    ack.add_argument("alert_id", help="the id, or its beginning")
    ack.add_argument("--by", required=True, help="who takes it on")
    ack.add_argument("--note", default="")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = load_settings()
        with open_warehouse(settings) as warehouse:
            warehouse.ensure_tables({"alert": RUN_TABLES["alert"], "model_run": RUN_TABLES["model_run"]})
            store = Store(warehouse, settings.brand_id)
            if args.command == "run":
                counts = run(store)
                print(
                    "alerts: "
                    + (", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "nothing new")
                )
            elif args.command == "ack":
                now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
                store.append(
                    [
                        ledger.acknowledge(
                            store.events(),
                            args.alert_id,
                            args.by.strip()[:100],
                            args.note.strip()[:1000],
                            now,
                        )
                    ]
                )
                print("acknowledged")
            else:
                for alert in ledger.current(store.events()).values():
                    if alert["status"] != "resolved":
                        print(
                            f"{alert['alert_id'][:12]}  {alert['severity']:<8}  {alert['status']:<12}  {alert['entity']}: {alert['message']}"
                        )
    except (SettingsError, LookupError, WarehouseBusy) as error:
        print(f"alerts: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
