"""Model outputs into marts, alerts, and the atomic swap of the copy that BI reads."""

from __future__ import annotations

from airflow.sdk import dag
from common import DAG_ARGS, PUBLISHED, RUNS, WRITER_POOL, command
from layers import dbt_build

DOC = """
### publish
Promotes the newest good run of each model into contracted marts, raises alerts, then swaps in the serving copy.

**When it fails**
1. Before `swap_in`: nothing has changed for readers. Repair, clear the failed task.
2. `swap_in` itself is atomic: readers have the old version or the new one.
"""


@dag(schedule=[RUNS], doc_md=DOC, tags=["serving"], **DAG_ARGS)
def publish() -> None:
    outputs = dbt_build("build_output_marts", select="tag:outputs")
    alerts = command("raise_alerts", "alerts", "run", pool=WRITER_POOL)
    swap = command("swap_in", "serving", "publish", pool=WRITER_POOL, outlets=[PUBLISHED])
    report = command("write_report", "report")
    outputs >> alerts >> swap >> report


publish()
