"""Starts and stops the local Airflow: API server, DAG processor and scheduler, each in its own process group.

State lives in ``.data/airflow``; one file there remembers the process groups, so that ``stop`` ends what this
module started and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

from settings import ROOT, Settings

BIN = Path(sys.executable).parent


class StackError(RuntimeError):
    """The local stack could not be started; one clear line."""


def port_free(port: int) -> bool:
    """Whether nothing listens on the port of this machine."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(wanted: int) -> int:
    """The wanted port, or the next free one above it."""
    for port in range(wanted, wanted + 50):
        if port_free(port):
            return port
    raise StackError(f"no free port between {wanted} and {wanted + 49}")


class Stack:
    """The local Airflow of one data folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.data_dir / "airflow"
        self.state = self.home / "processes.json"
        self.logs = self.home / "process_logs"

    # ------------------------------------------------------------------------------------- processes

    def parts(self) -> dict[str, dict[str, int]]:
        """What was started, by name: pid and, where it has one, port."""
        try:
            loaded: dict[str, dict[str, int]] = json.loads(self.state.read_text())
            return loaded
        except (OSError, ValueError):
            return {}

    def _write(self, state: dict[str, dict[str, int]]) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        temporary = self.state.with_suffix(".part")
        temporary.write_text(json.dumps(state))
        os.replace(temporary, self.state)

    def running(self, name: str) -> bool:
        """Whether the named process, started earlier, is still alive (checked by id and start time)."""
        entry = self.parts().get(name)
        return entry is not None and _start_ticks(entry["pid"]) == entry["started"]

    def was_killed(self) -> bool:
        """Whether parts were started, never stopped by :meth:`stop`, and have gone."""
        started = self.parts()
        return bool(started) and not any(self.running(name) for name in started)

    def port(self, name: str) -> int | None:
        """Port of a running part."""
        return self.parts()[name].get("port") if self.running(name) else None

    def start(self, name: str, command: list[str], env: dict[str, str], port: int = 0) -> int:
        """Start a part in a process group of its own; returns the process id."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        state = self.parts()
        state[name] = {"pid": process.pid, "started": _start_ticks(process.pid), "port": port}
        self._write(state)
        return process.pid

    def stop(self) -> list[str]:
        """End every part that was started, with its children; returns their names."""
        state = self.parts()
        alive = {n: e["pid"] for n, e in state.items() if _start_ticks(e["pid"]) == e["started"]}
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for pid in alive.values():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, sent)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and any(_group_alive(p) for p in alive.values()):
                for pid in alive.values():
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                time.sleep(0.1)
            if not any(_group_alive(p) for p in alive.values()):
                break
        self.state.unlink(missing_ok=True)
        return sorted(alive)

    # ------------------------------------------------------------------------------------- Airflow

    def environment(self, port: int) -> dict[str, str]:
        """Environment of the Airflow processes and of the tasks that they start."""
        settings = self.settings
        secrets_file = self.home / "secrets.json"
        if not secrets_file.is_file():
            self.home.mkdir(parents=True, exist_ok=True)
            handle = os.open(secrets_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as stream:
                json.dump({"jwt": secrets.token_hex(32), "api": secrets.token_hex(32)}, stream)
        keys = json.loads(secrets_file.read_text())
        airflow = {
            "CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            # two cores: more than three tasks side by side only slow each other down
            "CORE__PARALLELISM": "3",
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            # signing in is not needed on this machine's loopback address; production uses a real auth manager
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__BASE_URL": f"http://127.0.0.1:{port}",
            "API__SECRET_KEY": keys["api"],
            "API__WORKERS": "1",
            "API_AUTH__JWT_SECRET": keys["jwt"],
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            "LOGGING__LOGGING_LEVEL": "INFO",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "300",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            # a busy laptop answers late; five seconds (the default) would fail a task that is well
            "WORKERS__EXECUTION_API_TIMEOUT": "60",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
            "COSMOS__ENABLE_TELEMETRY": "False",
            "COSMOS__ENABLE_CACHE": "False",
            "OPENLINEAGE__DISABLED": "True",
        }
        return {
            **{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
            "AIRFLOW_HOME": str(self.home),
            **{f"AIRFLOW__{key}": value for key, value in airflow.items()},
            "WAREHOUSE_TARGET": settings.warehouse_target,
            "WAREHOUSE_PATH": str(settings.warehouse_path),
            "SERVING_PATH": str(settings.serving_path),
            "LANDING_URI": settings.landing_uri,
            "RUNS_DIR": str(settings.runs_dir),
            "BRAND_ID": settings.brand_id,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{BIN}:{os.environ.get('PATH', '')}",
            "DO_NOT_TRACK": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            # the console has what the debug log file repeats; Cosmos keeps manifest.json beside the parse, so it stays on
            "DBT_WRITE_JSON": "true",
            "DBT_LOG_LEVEL_FILE": "none",
            "DBT_CACHE_SELECTED_ONLY": "true",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "NO_COLOR": "1",
        }

    def up(self, wanted_port: int = 8080) -> int:
        """Start Airflow if it does not run and wait until it answers; returns its port.

        Raises:
            StackError: it did not come up; the message names the log.
        """
        if all(self.running(n) for n in ("api-server", "scheduler", "dag-processor")):
            port = self.port("api-server")
            assert port is not None  # noqa: S101
            return port
        self.stop()
        port = choose_port(wanted_port)
        env = self.environment(port)
        airflow = str(BIN / "airflow")
        self._migrate(airflow, env)
        for name in ("api-server", "dag-processor", "scheduler"):
            self.start(name, [airflow, name], env, port if name == "api-server" else 0)
        self._wait(port)
        return port

    def _migrate(self, airflow: str, env: dict[str, str]) -> None:
        """Create or upgrade the metadata tables; once per Airflow version, because the check alone takes seconds."""
        marker = self.home / f"migrated-{version('apache-airflow-core')}"
        if marker.is_file() and (self.home / "airflow.db").is_file():
            return
        done = subprocess.run(
            [airflow, "db", "migrate"], env=env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(f"airflow db migrate: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        marker.touch()

    def _wait(self, port: int, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name in ("api-server", "scheduler", "dag-processor"):
                if not self.running(name):
                    raise StackError(f"Airflow's {name} stopped at start; see {self.logs / (name + '.log')}")
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=3
                ) as answer:
                    health = json.load(answer)
                parts = ("scheduler", "dag_processor", "metadatabase")
                if all((health.get(p) or {}).get("status") == "healthy" for p in parts):
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.5)
        raise StackError(f"Airflow did not come up in {seconds:.0f} s; see {self.logs}")


def _start_ticks(pid: int) -> int:
    """Start time of a process in clock ticks (Linux), 1 where only its existence is known, 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        state, *rest = text.rsplit(")", 1)[1].split()
        return 0 if state == "Z" else int(rest[18])
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return 0
    except (OSError, ValueError, IndexError):
        return 0
    try:
        os.kill(pid, 0)
    except OSError:
        return 0
    return 1


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True
