"""``python -m ingest``: load what is new, and see what came, what waits and what was refused."""

from __future__ import annotations

import argparse
import sys

from ingest.contracts import ContractError, load_contracts
from ingest.warehouse import DuckDBWarehouse, WarehouseError
from settings import Settings, SettingsError, load_settings


def _init(settings: Settings, args: argparse.Namespace) -> int:
    contracts = load_contracts()
    with DuckDBWarehouse(settings.warehouse_path, contracts) as warehouse:
        warehouse.init()
    print(f"{len(contracts)} feeds ready in {settings.warehouse_path}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 something must be retried, 2 refused with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m ingest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="make the empty raw, history and intake tables")
    init.set_defaults(run=_init)
    args = parser.parse_args(argv)
    try:
        result: int = args.run(load_settings(), args)
        return result
    except (SettingsError, ContractError, WarehouseError) as error:
        print(f"ingest: {error}", file=sys.stderr)
        return 2
