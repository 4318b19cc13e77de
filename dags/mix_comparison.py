"""The mix model beside a Bayesian one, once a month, where the optional environment is installed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task
from common import DAG_ARGS, ROOT, RUNS, WRITER_POOL, cron, fit_commands, mapped_command, run_json

DOC = """
### mix_comparison
On the third day of a month PyMC-Marketing is fitted on the mix model's own national inputs and time folds, in the
environment that `make bayes` makes. `fct_model_comparison` then has both side by side: error, CRPS and coverage of
forecasts, return by channel, processor seconds. Without that environment the run is skipped, which the log of
`extra_installed` says in one line.

**When it fails**
1. `not converged: ...` is the gate on R-hat, effective draws and divergences: nothing of that run is published, the
   last good comparison stays. More data or fewer correlated channels help; a rerun with the same inputs does not.
2. Anything else: the command in the log runs at a terminal; results are recorded once.
"""
PYTHON = ROOT / ".venv-bayes" / "bin" / "python"
#: Exit code 99 is Airflow's "skip": what comes after is skipped as well.
ASK = f"test -x {PYTHON} || {{ echo 'skipped: the Bayesian extra is not installed (make bayes)'; exit 99; }}"


@dag(schedule=cron("30 7 3 * *"), doc_md=DOC, tags=["models"], **DAG_ARGS)
def mix_comparison() -> None:
    installed = BashOperator(task_id="extra_installed", bash_command=ASK)

    @task(pool=WRITER_POOL)
    def snapshot() -> str:
        """Folder of a snapshot of the mix model's features."""
        return str(run_json("modeling", "snapshot", "--jobs", "mmm_bayes")["snapshot"])

    @task
    def plan(folder: str) -> list[str]:
        """Commands of all brands, for the other environment's Python."""
        return fit_commands(folder, python=str(PYTHON))

    @task(trigger_rule="none_skipped", pool=WRITER_POOL, outlets=[RUNS])
    def record(folder: str) -> dict[str, Any]:
        """Results into the warehouse; a run that has not converged is recorded as failed."""
        return dict(run_json("modeling", "record", "--snapshot", folder))

    folder = snapshot()
    fits = mapped_command("fit_brand", plan(folder), retries=1, execution_timeout=timedelta(hours=3))
    installed >> folder
    # the second end makes the run fail with its gate; recording that it failed does not
    fits >> [record(folder), EmptyOperator(task_id="converged")]


mix_comparison()
