"""Raw tables into staging, features and the core marts, when raw data have changed."""

from __future__ import annotations

from airflow.sdk import dag
from common import CORE, DAG_ARGS, RAW, WRITER_POOL, command
from layers import dbt_build

DOC = """
### transform
Builds and tests everything up to the core marts and the feature marts (`dbt build --exclude tag:outputs`).

**When it fails**
1. The log names the model or test. A failing conservation test means rows or money went missing: stop and look.
2. Nothing is published until `publish` has run, so readers still see the last good version.
3. After the repair clear the task; models are idempotent.
"""


@dag(schedule=[RAW], doc_md=DOC, tags=["transform"], **DAG_ARGS)
def transform() -> None:
    prepare = command("prepare_run_tables", "modeling", "init", pool=WRITER_POOL)
    prepare >> dbt_build("build_core_marts", exclude="tag:outputs", outlets=[CORE])


transform()
