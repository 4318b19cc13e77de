"""Every model, fitted on one snapshot of the feature marts, mapped over its units."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from airflow.configuration import conf
from airflow.sdk import dag, task
from common import CORE, DAG_ARGS, RUNS, WRITER_POOL, fit_commands, mapped_command, run_json

DOC = """
### fit_models
`snapshot` copies the feature marts to Parquet, so that fits run side by side without holding the warehouse.
`fit_alone` are the models that no other waits for; beside them each wave fits what depends on the wave before it
(lift tests, then the media mix model, then the budget).
`record` writes all results in one transaction per unit, keyed by a hash of inputs, code and seed.

**When it fails**
1. One failed unit does not stop the others; its row in `dim_model_run` has the reason, and the last good run of
   that model stays served, marked stale.
2. A *refused* run is an answer: the data cannot support the estimate, and the message says why.
3. Rerun one unit at a terminal with the command in its log; results are repeatable.
"""
WAVES = 3
#: A slot is kept for the waves: they decide when a run ends, and long lone fits would hold them up.
LONE = max(1, conf.getint("core", "parallelism") - 1)


@dag(schedule=[CORE], doc_md=DOC, tags=["models"], **DAG_ARGS)
def fit_models() -> None:
    @task(pool=WRITER_POOL)
    def snapshot() -> str:
        """Folder of the snapshot, with the plan of all waves in it."""
        return str(run_json("modeling", "snapshot")["snapshot"])

    @task
    def plan(folder: str, stage: str) -> list[str]:
        """Commands of one stage's units."""
        return fit_commands(folder, stage=stage)

    @task(trigger_rule="all_done", pool=WRITER_POOL, outlets=[RUNS])
    def record(folder: str) -> dict[str, int]:
        """Run outputs into the warehouse; units that failed are recorded as failed."""
        return dict(run_json("modeling", "record", "--snapshot", folder))

    def fits(stage: str, **limits: Any) -> Any:
        listed = plan.override(task_id=f"plan_{stage}")(folder, stage)
        return mapped_command(f"fit_{stage}", listed, retries=1, trigger_rule="all_done", **limits)

    folder = snapshot()
    waves = [fits(f"wave_{depth}") for depth in range(WAVES)]
    for earlier, later in pairwise(waves):
        earlier >> later
    [fits("alone", max_active_tis_per_dagrun=LONE), waves[-1]] >> record(folder)


fit_models()
