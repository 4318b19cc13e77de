"""Start and stop the whole stand-in: S3 API server, PostgreSQL, the wire, the Data API.

Everything runs in this process or as its child on free loopback ports and ends with it. ``Stack.environment`` is what
a client needs; the admin's password is new at every start.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from standin import dataapi
from standin.dialect import quote
from standin.postgres import Postgres, free_port
from standin.proxy import Fault, Front

DATABASE, ADMIN, BUCKET = "dev", "awsuser", "warehouse-staging"
COPY_ROLE = "arn:aws:iam::123456789012:role/warehouse-copy"
_SQL = Path(__file__).with_name("compat")


class Stack:
    """The stand-in as a context manager.

    ``faults`` may be appended to while it runs. ``connect`` opens a redshift_connector connection.
    """

    def __init__(self, folder: Path | None = None, port: int | None = None) -> None:
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="standin_"))
        self.port = port or free_port()
        self.s3_port, self.data_port = free_port(), free_port()
        self.password, self.hash_key = secrets.token_urlsafe(18), secrets.token_hex(32)
        self.user_passwords: dict[str, str] = {}  # of further users, left here by whoever makes them
        self.log_file = self.folder / "statements.jsonl"
        self.staging_uri, self.copy_role = f"s3://{BUCKET}/staging", COPY_ROLE
        self._stoppers: list[Any] = []
        self.front: Front | None = None

    # ---- life -------------------------------------------------------------------------------------------
    def start(self) -> Stack:
        """Start every part; on any failure stop what had started and raise."""
        try:
            self._start_s3()
            self._start_database()
            self._start_front()
            self._start_data_api()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop in reverse order; a throw-away folder is removed."""
        while self._stoppers:
            self._stoppers.pop()()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Stack:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_s3(self) -> None:
        from moto.server import ThreadedMotoServer

        for noisy in ("werkzeug", "botocore", "moto"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        server = ThreadedMotoServer("127.0.0.1", self.s3_port, verbose=False)
        server.start()
        self._stoppers.append(server.stop)
        os.environ["STANDIN_S3_ENDPOINT"] = f"http://127.0.0.1:{self.s3_port}"
        self.s3().create_bucket(Bucket=BUCKET)

    def _start_database(self) -> None:
        database = Postgres(self.folder).start()
        self._stoppers.append(database.stop)
        self.postgres = database
        if database.psql(f"select 1 from pg_database where datname = {quote(DATABASE)}").strip():
            database.psql(f"alter role {ADMIN} password {quote(self.password)}")
            return
        for name in ("functions.sql", "objects.sql", "views.sql"):
            database.psql((_SQL / name).read_text(), "template1")
        database.psql(f"create role {ADMIN} superuser login password {quote(self.password)}")
        database.psql(f"create database {DATABASE} owner {ADMIN}")

    def _start_front(self) -> None:
        spool = self.folder / "spool"
        spool.mkdir(exist_ok=True)
        spool.chmod(0o777)
        self.front = Front(self.postgres.port, spool, self.log_file)
        loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
        thread = threading.Thread(
            target=loop.run_until_complete, args=(self.front.serve(self.port, stop, ready),), daemon=True
        )
        thread.start()

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)

        self._stoppers.append(end)
        if not ready.wait(10):
            raise TimeoutError("the wire did not start")

    def _start_data_api(self) -> None:
        server = dataapi.serve(
            dataapi.DataApi(lambda database, user: self.connect(database=database, user=user)), self.data_port
        )

        def end() -> None:
            server.shutdown()
            server.server_close()

        self._stoppers.append(end)

    # ---- use --------------------------------------------------------------------------------------------
    @property
    def faults(self) -> list[Fault]:
        """The failures planned on the wire."""
        if self.front is None:
            raise RuntimeError("the stand-in is not started")
        return self.front.faults

    def connect(self, user: str | None = None, password: str | None = None, database: str = DATABASE) -> Any:
        """A redshift_connector connection; without ``user`` the admin's."""
        import redshift_connector

        known = user is None or user == ADMIN
        return redshift_connector.connect(
            host="127.0.0.1",
            port=self.port,
            database=database,
            user=user or ADMIN,
            password=password or (self.password if known else self.user_passwords.get(user or "", "")),
            ssl=False,
        )

    def s3(self) -> Any:
        """A boto3 client of the local S3 API server."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.s3_port}",
            region_name="us-east-1",
            aws_access_key_id="standin",
            aws_secret_access_key="standin",  # noqa: S106 - the local server takes any key
        )

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a client: the project's own, and AWS endpoints for boto3."""
        return {
            "WAREHOUSE_TARGET": "redshift",
            "REDSHIFT_HOST": "127.0.0.1",
            "REDSHIFT_PORT": str(self.port),
            "REDSHIFT_DATABASE": DATABASE,
            "REDSHIFT_USER": ADMIN,
            "REDSHIFT_PASSWORD": self.password,
            "REDSHIFT_SSLMODE": "disable",
            "S3_STAGING_URI": self.staging_uri,
            "REDSHIFT_COPY_ROLE_ARN": self.copy_role,
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.s3_port}",
            "AWS_ENDPOINT_URL_REDSHIFT_DATA": f"http://127.0.0.1:{self.data_port}",
            "AWS_ACCESS_KEY_ID": "standin",
            "AWS_SECRET_ACCESS_KEY": "standin",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PII_HASH_KEY": self.hash_key,
            "STANDIN_LOG": str(self.log_file),
        }

    def statements(self) -> list[dict[str, Any]]:
        """The statement log: what came, what was sent on, which rules, what was refused."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]


# ---- kept running in the background ---------------------------------------------------------------------
def _started_at(pid: int) -> str | None:
    """The kernel's start time of a process: a pid alone may have been given to another program."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None


def up(folder: Path, seconds: float = 60) -> dict[str, str]:
    """Start a detached stand-in that keeps its state in ``folder``; returns its environment."""
    state = folder / "state.json"
    if running(folder):
        return dict(json.loads(state.read_text())["environment"])
    folder.mkdir(parents=True, exist_ok=True)
    state.unlink(missing_ok=True)
    with (folder / "stack.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "standin", "serve", "--folder", str(folder)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + seconds
    while not state.exists():
        if child.poll() is not None:
            raise RuntimeError((folder / "stack.log").read_text()[-2000:])
        if time.monotonic() > deadline:
            child.terminate()
            raise TimeoutError("the stand-in did not start")
        time.sleep(0.05)
    return dict(json.loads(state.read_text())["environment"])


def running(folder: Path) -> int | None:
    """The pid of the stand-in that keeps its state in ``folder``, if it is still that process."""
    try:
        state = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return int(state["pid"]) if _started_at(int(state["pid"])) == state["started"] else None


def down(folder: Path) -> bool:
    """Stop the stand-in of ``folder`` and wait for it; False when none runs."""
    pid = running(folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while running(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return True


def serve(folder: Path) -> None:
    """Run in the foreground until SIGTERM or SIGINT; the state file exists exactly while it is ready."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    state = folder / "state.json"
    with Stack(folder) as stack:
        document = {"pid": os.getpid(), "started": _started_at(os.getpid()), "environment": stack.environment}
        partial = state.with_suffix(".tmp")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(document))
        partial.replace(state)
        try:
            stop.wait()
        finally:
            state.unlink(missing_ok=True)
