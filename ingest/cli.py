"""``python -m ingest``: load what is new, and see what came, what waits and what was refused."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb

from ingest import run as runner
from ingest.contracts import ContractError, families, load_contracts
from ingest.outcomes import Failed, Settled
from ingest.warehouse import LedgerRow, WarehouseError
from settings import Settings, SettingsError, load_settings
from sql import session

STATUS = (
    "file_name as file, feed, outcome, reason, rows_file, rows_loaded, rows_quarantined, rows_declared, sha256, "
    "delivered_at, run_id, brand_id, uri, loaded_at, money_file, money_loaded, money_quarantined, first_date, last_date, "
    "superseded_rows, size_bytes"
)


def _init(settings: Settings, args: argparse.Namespace) -> int:
    contracts = load_contracts()
    with runner.opened(settings, contracts) as warehouse:
        warehouse.init()
    print(f"{len(contracts)} feeds ready in {settings.warehouse_path}")
    return 0


def _line(row: LedgerRow) -> str:
    counts = f"{row.rows_loaded} loaded, {row.rows_quarantined} refused" if row.rows_file else ""
    return "  ".join(filter(None, [f"{row.outcome:<7}", row.item.shown_uri, counts, row.reason]))


def _run(settings: Settings, args: argparse.Namespace) -> int:
    contracts = load_contracts()
    feeds = None
    if args.feeds:
        feeds = [name.strip() for name in args.feeds.split(",") if name.strip()]
        unknown = sorted(set(feeds) - set(contracts))
        if unknown:
            raise ContractError(f"--feeds: no contract for {', '.join(unknown)}")
    report = None if args.quiet else (lambda row: print(_line(row), flush=True))
    rows = runner.run(settings, contracts, feeds=feeds, workers=args.workers, report=report)
    counts = Counter(row.outcome for row in rows)
    words = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "nothing new"
    print(f"{len(rows)} files: {words}; {sum(row.rows_loaded for row in rows)} rows loaded")
    broken = runner.failed(rows)
    for row in broken:
        print(f"ingest: {row.item.shown_uri}: {row.reason}; run again to retry", file=sys.stderr)
    return 1 if broken else 0


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, str, type(None))) else str(value)


def _table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    cells = [columns, *[["" if row[c] is None else str(row[c]) for c in columns] for row in rows]]
    widths = [min(60, max(len(line[i]) for line in cells)) for i in range(len(columns))]
    return "\n".join(
        "  ".join(t[:60].ljust(w) for t, w in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _show(rows: list[dict[str, Any]], columns: list[str], form: str) -> None:
    if form == "json":
        print(
            json.dumps([{k: _plain(v) for k, v in row.items()} for row in rows], indent=1, ensure_ascii=False)
        )
    else:
        print(_table(rows, columns))


def _status(settings: Settings, args: argparse.Namespace) -> int:
    with runner.opened(settings, load_contracts(), read_only=True) as warehouse:
        rows = warehouse.query(f"select {STATUS} from intake.ledger order by loaded_at, uri")
    shown = [
        "file",
        "feed",
        "outcome",
        "reason",
        "rows_file",
        "rows_loaded",
        "rows_quarantined",
        "rows_declared",
        "delivered_at",
    ]
    _show(rows, shown, args.format)
    return 0


def _quarantine(settings: Settings, args: argparse.Namespace) -> int:
    where = " where released_by is null" if not args.all else ""
    if args.feed:
        where += (" and" if where else " where") + " feed = ?"
    with runner.opened(settings, load_contracts(), read_only=True) as warehouse:
        rows = warehouse.query(
            f"select feed, file_name as file, line, reason, field, row_text, sha256, released_by from intake.quarantine{where} "
            f"order by feed, file_name, line limit {int(args.limit)}",
            [args.feed] if args.feed else [],
        )
    _show(rows, ["feed", "file", "line", "reason", "field", "row_text"], args.format)
    return 0


def _families(settings: Settings, args: argparse.Namespace) -> int:
    contracts = load_contracts()
    with runner.opened(settings, contracts, read_only=True) as warehouse:
        memory = warehouse.remember()
    waiting: Counter[str] = Counter()
    try:
        for item in runner.landing_zone(settings, contracts).items():
            if runner.is_new(item, memory, contracts):
                waiting[contracts[item.feed].family if item.feed in contracts else "unknown"] += 1
    except Failed:
        if not waiting:  # else each run of a family says it, after it has loaded what can be read
            raise
    grouped = families(contracts.values())
    print(
        json.dumps(
            [{"family": f, "feeds": grouped.get(f, []), "new_files": n} for f, n in sorted(waiting.items())]
        )
    )
    return 0


def _replay(settings: Settings, args: argparse.Namespace) -> int:
    from ingest.replay import replay

    rows = replay(settings, load_contracts(), args.file)
    for row in rows:
        print(_line(row))
    return 1 if runner.failed(rows) else 0


def _forget(settings: Settings, args: argparse.Namespace) -> int:
    from ingest.forget import forget, read_subjects

    erased = forget(settings, load_contracts(), read_subjects(Path(args.subjects)))
    print(
        f"{erased.subjects} subjects: {erased.landing_rows} rows in {erased.landing_files} landing files, "
        f"{erased.warehouse_rows} rows in the warehouse, {erased.serving_rows} in the served copies, {erased.snapshots} model "
        "snapshots; aggregates follow with the next transform"
    )
    if erased.unreadable:
        print(
            f"ingest: {erased.unreadable} landing files are not judged yet and cannot be read; run `ingest run`, then forget again",
            file=sys.stderr,
        )
    return 1 if erased.unreadable else 0


def _export_audience(settings: Settings, args: argparse.Namespace) -> int:
    from ingest.audience import export

    print(f"{export(settings, load_contracts(), args.platform, Path(args.out))} people in {args.out}")
    return 0


def _new_feed(settings: Settings, args: argparse.Namespace) -> int:
    from ingest.newfeed import create

    if wrong := [pair for pair in args.type if "=" not in pair]:
        raise ContractError(f"new-feed: --type {wrong[0]} is not HEADER=TYPE")
    written = create(
        args.name,
        Path(args.sample),
        partner=args.partner or args.name,
        channel=args.channel,
        types=dict(pair.split("=", 1) for pair in args.type),
        channel_name=args.channel_name,
        channel_group=args.channel_group,
    )
    for path in written:
        print(path)
    return 0


def _check(settings: Settings, args: argparse.Namespace) -> int:
    from ingest.conserve import problems

    contracts = load_contracts()
    with runner.opened(settings, contracts, read_only=True) as warehouse:
        found = problems(warehouse, contracts)
    for line in found:
        print(line)
    print(f"{len(contracts)} contracts read; {len(found) or 'no'} files break conservation")
    return 1 if found else 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 something must be retried, 2 refused with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m ingest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="make the empty raw, history and intake tables").set_defaults(run=_init)
    run = commands.add_parser("run", help="load what is new in LANDING_URI")
    run.add_argument("--feeds", help="only these feeds, comma separated")
    run.add_argument("--workers", type=int, help="parser processes (default: at most 2)")
    run.add_argument("--quiet", action="store_true", help="only the last line")
    run.set_defaults(run=_run)
    status = commands.add_parser("status", help="every file ever seen and what became of it")
    status.set_defaults(run=_status)
    quarantine = commands.add_parser("quarantine", help="refused rows with reason and line")
    quarantine.add_argument("--feed", help="only this feed")
    quarantine.add_argument("--limit", type=int, default=1000, help="at most so many rows")
    quarantine.add_argument("--all", action="store_true", help="with the rows that a repaired file released")
    quarantine.set_defaults(run=_quarantine)
    for command in (status, quarantine):
        command.add_argument("--format", choices=("text", "json"), default="text")
    commands.add_parser("families", help="JSON list of feed families with new files").set_defaults(
        run=_families
    )
    replay = commands.add_parser("replay", help="read one file again, or a repaired copy of it")
    replay.add_argument("file", help="a file of the landing zone, or a repaired copy with the same name")
    replay.set_defaults(run=_replay)
    forget = commands.add_parser("forget", help="remove people everywhere and keep them away")
    forget.add_argument(
        "--subjects", required=True, help="file with e-mail addresses, telephone numbers or person ids"
    )
    forget.set_defaults(run=_forget)
    audience = commands.add_parser(
        "export-audience", help="platform-ready SHA-256 of CRM people, forgotten ones left out"
    )
    audience.add_argument("--platform", required=True, choices=("meta", "google"))
    audience.add_argument("--out", required=True, help="CSV file, readable by its owner only")
    audience.set_defaults(run=_export_audience)
    new_feed = commands.add_parser(
        "new-feed", help="write contract, staging model, golden sample and registry rows"
    )
    new_feed.add_argument("name")
    new_feed.add_argument("--sample", required=True, help="a delimited file of the partner with a header")
    new_feed.add_argument("--channel", required=True, help="channel id that its spend belongs to")
    new_feed.add_argument("--channel-name", default="", help="name of a channel that is new")
    new_feed.add_argument(
        "--channel-group", default="", help="group of a channel that is new: video, social, ..."
    )
    new_feed.add_argument("--partner", help="who sends it")
    new_feed.add_argument(
        "--type", action="append", default=[], metavar="HEADER=TYPE", help="declared type of a column"
    )
    new_feed.set_defaults(run=_new_feed)
    commands.add_parser("check", help="rows and money of the ledger against the tables").set_defaults(
        run=_check
    )
    args = parser.parse_args(argv)
    try:
        result: int = args.run(load_settings(), args)
        return result
    except (SettingsError, ContractError, WarehouseError) as error:
        print(f"ingest: {error}", file=sys.stderr)
        return 2
    except Settled as error:
        print(f"ingest: landing zone: {error}; run again to retry", file=sys.stderr)
        return 1
    except (OSError, duckdb.Error) as error:
        print(
            f"ingest: {str(error).splitlines()[0]}; nothing is half-written, run again to retry",
            file=sys.stderr,
        )
        return 1
    except Exception as error:
        if "redshift_connector" not in sys.modules or not session.is_warehouse_error(error):
            raise
        print(
            f"ingest: warehouse: {session.error_text(error)}; nothing is half-written, run again to retry",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("ingest: stopped; run again to go on", file=sys.stderr)
        return 1
