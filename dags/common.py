"""What the DAG files share: how a command becomes a task, the assets that join the DAGs, what happens on failure.

A DAG says when; the commands say what. Each task is a process of its own, so that a crash, a memory limit or a
kill stays inside it, and so that a task can be rerun at a terminal exactly as the scheduler runs it.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset
from airflow.timetables.trigger import CronTriggerTimetable

#: The project: where this file lies, or where PIPELINE_ROOT says (MWAA has the DAG files in a folder of their own).
ROOT = Path(os.environ.get("PIPELINE_ROOT") or Path(__file__).resolve().parent.parent)
#: Python that the commands run with: Airflow's own, or the project's where Airflow lives in another environment.
PYTHON = os.environ.get("PIPELINE_PYTHON") or sys.executable
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
#: DuckDB takes one writer; on Redshift the pool may have more slots.
WRITER_POOL = "warehouse_writer"

RAW = Asset("warehouse/raw")
CORE = Asset("warehouse/core_marts")
RUNS = Asset("warehouse/model_runs")
PUBLISHED = Asset("warehouse/published")

log = logging.getLogger("airflow.task")


def on_failure(context: dict[str, Any]) -> None:
    """Say in one line what failed and where to look; route it where AIRFLOW_ALERT_COMMAND says, if set."""
    instance = context.get("task_instance") or context.get("ti")
    where = f"{instance.dag_id}.{instance.task_id}" if instance else "unknown task"
    message = (
        f"FAILED {where} run {context.get('run_id', '?')}: {context.get('exception', 'no exception given')}"
    )
    log.error(message)
    command = os.environ.get("AIRFLOW_ALERT_COMMAND")
    if command:
        subprocess.run([*shlex.split(command), message[:2000]], check=False, timeout=60, cwd=ROOT)


#: For every DAG: who answers for it, how often a task is tried again, when it is given up.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(minutes=60),
    "on_failure_callback": on_failure,
}

#: For every DAG: no runs for the past unless asked for, one run at a time over one warehouse file.
DAG_ARGS: dict[str, Any] = {
    "default_args": DEFAULT_ARGS,
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": False,
    "dagrun_timeout": timedelta(hours=6),
}


def cron(expression: str) -> CronTriggerTimetable:
    """A timetable in UTC whose first run is its next date: an installation just after a date does not run that one too."""
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(0))


def words(*command: str, python: str = PYTHON) -> str:
    """Shell text of a Python command of this project, e.g. ``words("ingest", "run")``."""
    return "exec " + shlex.join([python, "-m", *command])


def fit_commands(folder: str, *, stage: str = "", job: str = "", python: str = PYTHON) -> list[str]:
    """Shell texts of the fits that a snapshot's plan asks for, of one stage or of one job if it is named."""
    stages = json.loads((Path(folder) / "plan.json").read_text())
    units = stages[stage] if stage else [unit for units in stages.values() for unit in units]
    return [
        words(
            "modeling",
            "fit",
            u["job"],
            "--brand",
            u["brand"],
            "--unit",
            u["unit"],
            "--snapshot",
            folder,
            python=python,
        )
        for u in units
        if not job or u["job"] == job
    ]


def command(task_id: str, *parts: str, **kwargs: Any) -> BashOperator:
    """A task that runs ``python -m <parts>`` in the project's folder with the scheduler's environment."""
    return BashOperator(task_id=task_id, bash_command=words(*parts), cwd=str(ROOT), append_env=True, **kwargs)


def mapped_command(task_id: str, commands: Any, **kwargs: Any) -> Any:
    """One task per shell text in ``commands`` (from :func:`words`), named by its last words."""
    return BashOperator.partial(
        task_id=task_id,
        cwd=str(ROOT),
        append_env=True,
        map_index_template="{{ task.bash_command.split(' -m ')[-1][:120] }}",
        **kwargs,
    ).expand(bash_command=commands)


def run_json(*parts: str) -> Any:
    """Run ``python -m <parts>`` and return the JSON of its last output line.

    Raises:
        RuntimeError: the command failed; its last error lines are in the message.
    """
    done = subprocess.run([PYTHON, "-m", *parts], cwd=ROOT, capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines():
        log.info(line)
    if done.returncode:
        raise RuntimeError(f"{' '.join(parts)}: {' / '.join(done.stderr.strip().splitlines()[-3:])}")
    return json.loads(done.stdout.strip().splitlines()[-1])
