"""CeleryExecutor with two workers on one machine: tasks spread over both, a killed worker's task is tried again.

Needs Debian's redis-server, a PostgreSQL (the wheel's will do) and the extra ``celery`` (uv sync --extra celery).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from settings import ROOT

pytestmark = pytest.mark.celery

PYTHON = os.environ.get("CELERY_PYTHON", sys.executable)
DAG = '''
import os, subprocess, sys, time
from datetime import timedelta
from pathlib import Path
from airflow.sdk import dag, task

OUT = Path(os.environ["CELERY_TEST_OUT"])

@dag(schedule=None)
def spread():
    @task(retries=3, retry_delay=timedelta(seconds=1))
    def fit(n: int):
        """A real fit that says which worker runs it; the slow one leaves time to kill its worker."""
        mine = os.environ["CELERY_TEST_WORKER"]
        with (OUT / f"started-{n}").open("a") as out:
            out.write(f"{mine}\\n")
        time.sleep(300 if n == 0 and not (OUT / "killed").exists() else 0)
        command = [sys.executable, "-m", "modeling", "attribution", "--paths", str(OUT / "paths.csv"), "--out", str(OUT / f"fit-{n}")]
        subprocess.run(command, check=True, cwd=os.environ["CELERY_TEST_ROOT"])
        (OUT / f"done-{n}").write_text(mine)
    fit.expand(n=list(range(6)))

spread()
'''


def missing() -> str:
    if shutil.which("redis-server") is None:
        return "redis-server is not installed (apt-get install redis-server)"
    probe = subprocess.run([PYTHON, "-c", "import celery, redis, psycopg2, asyncpg"], capture_output=True)
    return (
        ""
        if probe.returncode == 0
        else "the extra celery is not installed (uv sync --extra celery, or set CELERY_PYTHON)"
    )


class Cluster:
    """Redis, PostgreSQL and Airflow's parts, each a process of ours, stopped by its handle."""

    def __init__(self, folder: Path) -> None:
        from standin.postgres import Postgres, free_port, wait_for_port

        self.folder, self.processes = folder, {}
        self.database = Postgres(folder / "pg").start()
        password = secrets.token_hex(12)
        self.database.psql(f"create role airflow login password '{password}'")
        self.database.psql("create database airflow owner airflow")
        redis_port, self.api_port = free_port(), free_port()
        self.processes["redis"] = subprocess.Popen(
            [
                "redis-server",
                "--port",
                str(redis_port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--dir",
                str(folder),
            ],
            stdout=subprocess.DEVNULL,
        )
        wait_for_port(redis_port)
        address = f"airflow:{password}@127.0.0.1:{self.database.port}/airflow"
        dags = folder / "dags"
        dags.mkdir()
        (dags / "spread.py").write_text(DAG)
        (folder / "out").mkdir()
        (folder / "out" / "paths.csv").write_text(
            "path,conversions\nyoutube > search_brand,3\nhulu,2\nhulu > email,4\nhulu > youtube,1\nemail,2\n"
        )
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")},
            "PATH": f"{Path(PYTHON).parent}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.api_port}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{address}",
            "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # a busy machine answers its first request late
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
            "CELERY_TEST_OUT": str(folder / "out"),
            "CELERY_TEST_ROOT": str(ROOT),
        }
        self.airflow("db", "migrate")
        for part in ("api-server", "scheduler", "dag-processor"):
            self.start(part, [part, *(["--port", str(self.api_port)] if part == "api-server" else [])])
        wait_for_port(self.api_port, 240)
        for name in ("one", "two"):
            worker = [
                "celery",
                "worker",
                "--concurrency",
                "1",
                "--celery-hostname",
                f"{name}@test",
                "--skip-serve-logs",
            ]
            self.start(name, [*worker, "--pid", str(folder / f"{name}.pid")], CELERY_TEST_WORKER=name)

    def airflow(self, *words: str) -> str:
        done = subprocess.run(
            [PYTHON, "-m", "airflow", *words], env=self.env, capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def start(self, name: str, words: list[str], **extra: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [PYTHON, "-m", "airflow", *words],
                env={**self.env, **extra},
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """SIGKILL one worker and its children: no goodbye."""
        os.killpg(self.processes.pop(name).pid, signal.SIGKILL)

    def stop(self) -> None:
        for name, process in reversed(self.processes.items()):
            with contextlib.suppress(ProcessLookupError):
                if name == "redis":
                    process.terminate()
                else:
                    os.killpg(process.pid, signal.SIGTERM)
        for name, process in self.processes.items():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                if name != "redis":
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self.database.stop()

    def ask(self, sql: str) -> str:
        """One value of Airflow's own database: cheaper to poll than its command line."""
        return self.database.psql(sql, "airflow").strip()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := missing():
        pytest.skip(reason)
    made = Cluster(tmp_path)
    try:
        yield made
    finally:
        made.stop()


def until(cluster: Cluster, what: str, check: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        for name, process in cluster.processes.items():
            if process.poll() is not None:
                log = cluster.folder / f"{name}.log"
                said = log.read_text()[-2000:] if log.exists() else ""
                raise AssertionError(f"{name} ended with {process.returncode}: {said}")
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)


def test_two_workers_share_and_a_killed_one_is_replaced(cluster: Cluster) -> None:
    out = cluster.folder / "out"
    until(
        cluster,
        "the DAG is known",
        lambda: cluster.ask("select dag_id from serialized_dag"),
        180,
    )
    cluster.airflow("dags", "unpause", "spread")
    cluster.airflow("dags", "trigger", "spread", "--run-id", "r1")
    until(cluster, "the slow task runs", lambda: (out / "started-0").exists(), 240)
    victim = (out / "started-0").read_text().split()[0]
    until(
        cluster,
        "both workers have worked",
        lambda: len({p.read_text().split()[0] for p in out.glob("started-*")}) == 2,
        240,
    )
    cluster.kill(victim)
    (out / "killed").write_text(victim)  # only now: the task that waits for it must not end before its worker
    until(
        cluster,
        "the run succeeds",
        lambda: cluster.ask("select state from dag_run where run_id = 'r1'") == "success",
        400,
    )
    survivor = {"one": "two", "two": "one"}[victim]
    assert (out / "started-0").read_text().split() == [victim, survivor], "tried again by the other worker"
    assert (out / "done-0").read_text() == survivor
    assert {p.name for p in out.glob("done-*")} == {f"done-{n}" for n in range(6)}
    credits = {(out / f"fit-{n}" / "credits.csv").read_text() for n in range(6)}
    assert len(credits) == 1 and "shapley" in credits.pop(), "the same fit wherever it ran"
    with urllib.request.urlopen(
        f"http://127.0.0.1:{cluster.api_port}/api/v2/monitor/health", timeout=10
    ) as answer:
        assert json.load(answer)["scheduler"]["status"] == "healthy"
