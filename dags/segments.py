"""Customer segments, once a month: found again on the year before, their moves, drift and response."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag
from airflow.timetables.trigger import CronTriggerTimetable
from common import DAG_ARGS, RUNS, WRITER_POOL, command

DOC = """
### segments
On the second day of a month, when the month before is complete, customers are segmented again and the response of
each segment is estimated. `dim_segment`, `fct_segment_migration` and `fct_segment_drift` change with the `publish`
that follows. A stability index above 0.25 in `fct_segment_drift` says that the segments of the months before no
longer describe the customers.

**When it fails**
1. A *refused* run is an answer (too few customers, no half year of history); the last good segments stay served.
2. Clearing it is safe: equal results are recognised and add no row.
"""


# Without the zero an installation that starts early in a month would run the month's date that has just passed.
MONTHLY = CronTriggerTimetable("30 6 2 * *", timezone="UTC", run_immediately=timedelta(0))


@dag(schedule=MONTHLY, doc_md=DOC, tags=["models"], **DAG_ARGS)
def segments() -> None:
    prepare = command("prepare_run_tables", "modeling", "init", pool=WRITER_POOL)
    find = command(
        "find_segments",
        "modeling",
        "run",
        "--jobs",
        "segments,segment_response",
        pool=WRITER_POOL,
        outlets=[RUNS],
    )
    prepare >> find


segments()
