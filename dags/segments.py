"""Customer segments, once a month: found again on the year before, their moves, drift and response."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task
from common import DAG_ARGS, RUNS, WRITER_POOL, command, cron, fit_commands, mapped_command, run_json

DOC = """
### segments
On the second day of a month, when the month before is complete, customers are segmented again and the response of
each segment is estimated. `dim_segment`, `fct_segment_migration` and `fct_segment_drift` change with the `publish`
that follows. A stability index above 0.25 in `fct_segment_drift` says that the segments of the months before no
longer describe the customers.

The snapshot is the one that all models share: where `fit_models` has fitted the segments on equal features since, its
result is kept and nothing is fitted twice.

**When it fails**
1. A *refused* run is an answer (too few customers, no half year of history); the last good segments stay served.
2. Clearing it is safe: equal results are recognised and add no row.
"""


@dag(schedule=cron("30 6 2 * *"), doc_md=DOC, tags=["models"], **DAG_ARGS)
def segments() -> None:
    @task(pool=WRITER_POOL)
    def snapshot() -> str:
        """Folder of the features as they are now, of all models, so that equal ones have the same folder."""
        return str(run_json("modeling", "snapshot")["snapshot"])

    @task
    def plan(folder: str, job: str) -> list[str]:
        """Commands of one model's units."""
        return fit_commands(folder, job=job)

    @task(trigger_rule="all_done", pool=WRITER_POOL, outlets=[RUNS])
    def record(folder: str) -> dict[str, int]:
        """New results into the warehouse; those that are there already add no row."""
        return dict(run_json("modeling", "record", "--snapshot", folder))

    def fits(job: str) -> Any:
        listed = plan.override(task_id=f"plan_{job}")(folder, job)
        return mapped_command(f"fit_{job}", listed, retries=1, trigger_rule="all_done")

    folder = snapshot()
    found, response = fits("segments"), fits("segment_response")
    command("prepare_run_tables", "modeling", "init", pool=WRITER_POOL) >> folder
    found >> response >> record(folder)


segments()
