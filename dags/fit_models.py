"""Every model, fitted on one snapshot of the feature marts, mapped over its units."""

from __future__ import annotations

import json
from pathlib import Path

from airflow.sdk import dag, task
from common import CORE, DAG_ARGS, RUNS, WRITER_POOL, mapped_command, run_json, words

DOC = """
### fit_models
`snapshot` copies the feature marts to Parquet, so that fits run side by side without holding the warehouse.
Each wave fits what depends only on the waves before it (lift tests, then the media mix model, then the budget).
`record` writes all results in one transaction per unit, keyed by a hash of inputs, code and seed.

**When it fails**
1. One failed unit does not stop the others; its row in `dim_model_run` has the reason, and the last good run of
   that model stays served, marked stale.
2. A *refused* run is an answer: the data cannot support the estimate, and the message says why.
3. Rerun one unit at a terminal with the command in its log; results are repeatable.
"""
WAVES = 3


@dag(schedule=[CORE], doc_md=DOC, tags=["models"], **DAG_ARGS)
def fit_models() -> None:
    @task(pool=WRITER_POOL)
    def snapshot() -> str:
        """Folder of the snapshot, with the plan of all waves in it."""
        return str(run_json("modeling", "snapshot")["snapshot"])

    @task(trigger_rule="all_done")
    def plan(folder: str, wave: int) -> list[str]:
        """Commands of one wave's units."""
        units = json.loads((Path(folder) / "plan.json").read_text())[wave]
        return [
            words(
                "modeling", "fit", u["job"], "--brand", u["brand"], "--unit", u["unit"], "--snapshot", folder
            )
            for u in units
        ]

    @task(trigger_rule="all_done", pool=WRITER_POOL, outlets=[RUNS])
    def record(folder: str) -> dict[str, int]:
        """Run outputs into the warehouse; units that failed are recorded as failed."""
        return dict(run_json("modeling", "record", "--snapshot", folder))

    folder = snapshot()
    before = None
    for wave in range(WAVES):
        listed = plan.override(task_id=f"plan_wave_{wave}")(folder, wave)
        fits = mapped_command(f"fit_wave_{wave}", listed, retries=1)
        if before is not None:
            before >> listed
        before = fits
    before >> record(folder)


fit_models()
