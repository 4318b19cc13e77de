"""The slow rhythm: all models are fitted again every week, A/A tests and comparisons of models with them."""

from __future__ import annotations

from airflow.sdk import dag
from common import DAG_ARGS, RUNS, WRITER_POOL, command, cron

DOC = """
### maintenance
Once a week the models are fitted again on the newest snapshot even if no file came, so that drift shows; results
equal to earlier ones are recognised and add no row. New results start `publish`.

**When it fails**
1. Read the failed task's log; the command in it runs at a terminal.
2. Clearing it is safe: results are recorded once.
"""


@dag(schedule=cron("30 5 * * 1"), doc_md=DOC, tags=["models"], **DAG_ARGS)
def maintenance() -> None:
    prepare = command("prepare_run_tables", "modeling", "init", pool=WRITER_POOL)
    refit = command("refit", "modeling", "run", pool=WRITER_POOL, outlets=[RUNS])
    prepare >> refit


maintenance()
