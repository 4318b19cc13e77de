"""dbt as tasks, through Cosmos: one process per layer.

One task per model costs seconds of scheduling for milliseconds of SQL on DuckDB; a layer is what an engineer
retries. ``dbt retry`` is not needed: a rerun of a layer rebuilds what failed, because models are idempotent.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from common import PYTHON, ROOT, WRITER_POOL

from settings import load_settings

os.environ.setdefault("DO_NOT_TRACK", "1")


def dbt_build(task_id: str, *, select: str | None = None, exclude: str | None = None, **kwargs: Any) -> Any:
    """A task that builds and tests the selected models; a failing test fails it, and all behind it wait."""
    from cosmos import ProfileConfig
    from cosmos.constants import InvocationMode
    from cosmos.operators.local import DbtBuildLocalOperator

    return DbtBuildLocalOperator(
        task_id=task_id,
        project_dir=str(ROOT / "dbt"),
        profile_config=ProfileConfig(
            profile_name="warehouse",
            target_name=os.environ.get("WAREHOUSE_TARGET") or "duckdb",
            profiles_yml_filepath=ROOT / "dbt" / "profiles.yml",
        ),
        # a subprocess: inside the worker dbt could keep DuckDB's lock
        invocation_mode=InvocationMode.SUBPROCESS,
        dbt_executable_path=str(Path(PYTHON).with_name("dbt")),
        install_deps=False,
        should_store_compiled_sql=False,
        # the DAGs declare the assets that others wait for; nobody waits for an asset per table
        emit_datasets=False,
        select=select,
        exclude=exclude,
        # unit tests hold the SQL to made-up rows, which a warehouse's data cannot change: `make test` runs them
        dbt_cmd_flags=["--exclude-resource-type", "unit_test"],
        # the parse is kept between tasks and runs; only changed files are parsed again
        cache_dir=load_settings().data_dir / "dbt_parse",
        append_env=True,
        pool=WRITER_POOL,
        execution_timeout=timedelta(minutes=90),
        **kwargs,
    )
