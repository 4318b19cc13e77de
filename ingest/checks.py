"""What is decided over a whole parsed file: counts, money, repeated keys, changed types, declared contradictions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ingest.outcomes import Refused
from ingest.rows import Run
from ingest.schema import quoted
from ingest.values import TYPE_REASONS, literal

if TYPE_CHECKING:
    from ingest.contracts import Contract
    from ingest.engine import Engine, Task
    from ingest.header import Layout
    from ingest.parsed import Parsed
    from ingest.scan import Facts
    from ingest.tokens import Tally

DECLARED = ("footer", "repeat_header", "blank_row", "suppressed")
TYPE_SHARE = 0.05
TYPE_ROWS = 2
SLICE_ROWS = 16_000_000


def measure(engine: Engine, parsed: Parsed, task: Task) -> None:
    """Counts, sums, dates and partitions of the written rows, without suppressed people and repeated keys."""
    contract = task.contract
    _suppress(engine.run, parsed, task)
    _count(engine.run, parsed, task)
    if contract.key and contract.duplicates == "quarantine" and _has_repeats(engine, parsed, contract):
        _repeated_keys(engine.run, parsed, task)
        _count(engine.run, parsed, task)


def _count(run: Run, parsed: Parsed, task: Task) -> None:
    contract = task.contract
    declared = "_reason in (" + ", ".join(map(literal, DECLARED)) + ")"
    refused = f"_reason is not null and not {declared}"
    money = quoted(contract.money_field) if contract.money_field else "0"
    event = f"cast({quoted(contract.event_date)} as date)" if contract.event_date else "cast(null as date)"
    if parsed.careful_rows or parsed.rewritten:
        good = " filter (where _reason is null)"
        others = [f"count(*) filter (where {refused})", f"count(*) filter (where {declared})"]
        bad_money = f"sum({money}) filter (where {refused})"
    else:  # every row was canonical
        good, others, bad_money = "", ["0", "0"], "null"
    columns = [
        f"count(*){good}",
        *others,
        f"sum({money}){good}",
        bad_money,
        f"min({event}){good}",
        f"max({event}){good}",
        *(
            f"count(*) filter (where ({check.when}){good and ' and _reason is null'})"
            for check in contract.checks
        ),
    ]
    parts = list(map(quoted, contract.partition)) if contract.mode == "replace" else []
    found = run(
        f"select {', '.join([*columns, *(f'cast({p} as varchar)' for p in parts)])} from {parsed.relation}"
        + (f" group by {', '.join(parts)}" if parts else "")
    ).fetchall()
    by_partition: dict[str, int] = {}
    for row in found:
        key = "\x1f".join(value for value in row[len(columns) :] if value is not None) if parts else "*"
        if row[0]:
            by_partition[key] = by_partition.get(key, 0) + row[0]
    parsed.partitions = sorted(by_partition.items()) if contract.mode == "replace" else []
    parsed.rows_good, parsed.rows_bad, parsed.rows_declared = (sum(row[i] for row in found) for i in range(3))
    parsed.money_good, parsed.money_bad = (str(sum(row[i] or 0 for row in found)) for i in (3, 4))
    days = [row[5:7] for row in found if row[5] is not None]
    parsed.first_date = min(first for first, _ in days).isoformat() if days else None
    parsed.last_date = max(last for _, last in days).isoformat() if days else None
    counts = [sum(row[7 + i] for row in found) for i in range(len(contract.checks))]
    parsed.warnings = [
        (check.code, check.when, count) for check, count in zip(contract.checks, counts, strict=True) if count
    ]


def _has_repeats(engine: Engine, parsed: Parsed, contract: Contract) -> bool:
    """Whether two good rows may have the same key: their 64-bit hashes are equal. Sorted in slices, so in little memory."""
    keys = ", ".join(map(quoted, contract.key))
    slices = 1 + parsed.rows_good // SLICE_ROWS
    for number in range(slices):
        part = f" and hash({keys}) % {slices} = {number}" if slices > 1 else ""
        hashes = engine.column(f"select hash({keys}) as h from {parsed.relation} where _reason is null{part}")
        hashes.sort()
        if (hashes[1:] == hashes[:-1]).any():
            return True
    return False


def _suppress(run: Run, parsed: Parsed, task: Task) -> None:
    """Rows of people who asked to be forgotten are declared, never loaded."""
    hashed = [quoted(f.name) for f in task.contract.fields.values() if f.pii in ("id", "email", "phone")]
    if not hashed or not task.suppressed:
        return
    run("create or replace temp table forgotten (h varchar)")
    run("insert into forgotten select unnest(?)", [sorted(task.suppressed)])
    hit = " or ".join(f"{column} in (select h from forgotten)" for column in hashed)
    rows = parsed.relation
    found = run(f"select count(*) from {rows} where {hit}").fetchone()
    if found and found[0]:
        parsed.suppressed = found[0]
        blank = ", ".join(f"null as {quoted(f.name)}" for f in task.contract.fields.values())
        fresh = parsed.rows.removesuffix(".parquet") + "_kept.parquet"
        run(
            f"copy (select * replace ({blank}, null as _extra, null as _row, 'suppressed' as _reason) from {rows} where {hit} "
            f"union all by name select * from {rows} where not coalesce({hit}, false)) "
            f"to {literal(fresh)} (format parquet, compression lz4_raw)"
        )
        parsed.rewrite(fresh)


def _repeated_keys(run: Run, parsed: Parsed, task: Task) -> None:
    """One of several identical rows stays; the same key with different values refuses the file."""
    keys = ", ".join(quoted(k) for k in task.contract.key)
    rows = parsed.relation
    values = ", ".join(quoted(name) for name in task.contract.fields)
    conflict = run(
        f"select count(*) from (select {keys} from {rows} where _reason is null group by all "
        f"having count(distinct hash({values})) > 1)"
    ).fetchone()
    if conflict and conflict[0]:
        raise Refused("duplicate_key", f"{conflict[0]} keys occur with different values")
    setup = (
        f"with r0 as (select *, row_number() over (partition by _reason is null, {keys} order by _line) as _n from {rows}), "
        "r as (select * from r0 order by _line)"
    )
    fresh = parsed.rows.removesuffix(".parquet") + "_once.parquet"
    run(
        f"copy ({setup} select * exclude (_n) replace (case when _n > 1 and _reason is null then 'duplicate_row' else _reason end "
        f"as _reason) from r) to {literal(fresh)} (format parquet, compression lz4_raw)"
    )
    parsed.rewrite(fresh)


def judge(engine: Engine, parsed: Parsed, task: Task, layout: Layout, tally: Tally, facts: Facts) -> None:
    """Refuse a file whose column changed its type, and collect the warnings.

    Raises:
        Refused: ``type_changed`` or ``date_format_contradiction``.
    """
    run, rows, contract = engine.run, parsed.relation, task.contract
    data_rows = parsed.rows_good + parsed.rows_bad
    if parsed.rows_bad:
        words = ", ".join(map(literal, sorted(TYPE_REASONS)))
        for name, count in run(
            f"select _field, count(*) from {rows} where _reason in ({words}) group by _field order by 2 desc, 1"
        ).fetchall():
            if count >= TYPE_ROWS and count > TYPE_SHARE * data_rows:
                raise Refused(
                    "type_changed", f"{count} of {data_rows} rows do not hold the declared type in {name}"
                )
            parsed.warnings.append(("type_change", name, count))
    if data_rows == 0:
        parsed.warnings.append(("no_rows", "a header and nothing else", 0))
    if tally.truncated:
        parsed.warnings.append(("truncated", "the last line is cut off", 1))
    drift = [layout.names[i] for i in layout.extras if layout.names[i]]
    if drift and not contract.open_columns:
        parsed.warnings.append(("schema_drift", "new: " + ", ".join(sorted(drift))[:300], len(drift)))
    if layout.missing_optional and data_rows and contract.has_header and not contract.open_columns:
        missing = [n for n in layout.missing_optional if contract.fields[n].default is None]
        if missing:
            parsed.warnings.append(("optional_column_missing", ", ".join(missing), len(missing)))
    if not facts.ascii:
        mark = literal('(as delivered)":"')
        changed = run(
            f"select count(*) from {rows} where _reason is null and contains(_extra, {mark})"
        ).fetchone()
        if changed and changed[0]:
            parsed.warnings.append(
                ("id_normalised", "invisible or full-width characters removed", changed[0])
            )
    _window(run, parsed, task, rows)


def _window(run: Run, parsed: Parsed, task: Task, rows: str) -> None:
    """Dates outside the window that the file's own name states; a swapped day and month is refused."""
    contract = task.contract
    if not task.window or not contract.event_date or not parsed.rows_good:
        return
    if parsed.first_date is None or parsed.last_date is None:
        return
    week = timedelta(days=7)
    first, last = (date.fromisoformat(day) for day in task.window)
    if (
        date.fromisoformat(parsed.first_date) >= first - week
        and date.fromisoformat(parsed.last_date) <= last + week
    ):
        return
    event = f"cast({quoted(contract.event_date)} as date)"
    low, high = (f"date '{d}'" for d in task.window)
    outside_sql = (
        f"_reason is null and {event} not between {low} - interval 7 day and {high} + interval 7 day"
    )
    swapped = f"try_cast(strftime({event}, '%Y-%d-%m') as date) between {low} and {high}"
    found: Any = run(
        f"select count(*) filter (where {outside_sql}), count(*) filter (where {outside_sql} and {swapped}) from {rows}"
    ).fetchone()
    if found[1] > TYPE_SHARE * parsed.rows_good:
        raise Refused(
            "date_format_contradiction", "day and month are swapped against the window in the file's name"
        )
    if found[0]:
        parsed.warnings.append(("date_outside_window", f"{task.window[0]} to {task.window[1]}", found[0]))
