"""Judgements over all deliveries, in SQL that DuckDB and Redshift both speak; a pure function of the ledger."""

from __future__ import annotations

from ingest.contracts import Contract
from ingest.outcomes import LOADED
from ingest.resettle import DELIVERED

FORGET = "delete from intake.warning where code in ('low_volume', 'no_rows_repeated')"
_INTO = "insert into intake.warning (brand_id, feed, sha256, file_name, code, detail, row_count)"
#: Files with less than half the usual rows a day; a content that came again counts once.
LOW_VOLUME = f"""
{_INTO}
with numbered as (
    select brand_id, feed, sha256, file_name, rows_loaded, first_date, last_date,
        row_number() over (partition by brand_id, feed, sha256 order by delivered_at, loaded_at, file_name) as delivery
    from intake.ledger where outcome in {LOADED} and rows_loaded > 0 and first_date is not null
), loaded as (
    select brand_id, feed, sha256, file_name, rows_loaded,
        cast(rows_loaded as double precision) / (last_date - first_date + 1) as per_day
    from numbered where delivery = 1
), usual as (
    select brand_id, feed, median(per_day) as m, count(*) as n from loaded group by brand_id, feed
)
select l.brand_id, l.feed, l.sha256, l.file_name, 'low_volume', 'rows a day are under half of the usual', l.rows_loaded
from loaded as l
join usual as u on u.brand_id = l.brand_id and u.feed = l.feed
join intake.feed as f on f.feed = l.feed and f.mode = 'replace'
where u.n >= 6 and l.per_day < 0.5 * u.m
"""
#: Two deliveries in a row without rows; content that came before counts with the rows it has.
NO_ROWS_REPEATED = f"""
{_INTO}
select brand_id, feed, sha256, file_name, 'no_rows_repeated', 'two deliveries in a row without rows', 0
from (
    select brand_id, feed, sha256, file_name, content_rows,
        lag(content_rows) over (partition by brand_id, feed order by delivered_at, file_name) as earlier
    from (
        select brand_id, feed, sha256, file_name, delivered_at,
            max(rows_file) over (partition by brand_id, feed, sha256) as content_rows
        from intake.ledger where sha256 is not null and ({DELIVERED} or outcome in {LOADED})
    ) as d
) as l
where content_rows = 0 and earlier = 0
"""
ALL = (LOW_VOLUME, NO_ROWS_REPEATED)


def registered(contract: Contract) -> tuple[object, ...]:
    """A contract's line in ``intake.feed``, in the order of ``schema.FEED``."""
    c = contract
    return (
        c.feed, c.family, c.partner, c.cadence, c.mode, c.restatement_days, c.event_date, c.timezone, c.version
    )  # fmt: skip
