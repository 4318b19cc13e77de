"""``python -m demo run | up | stop | dashboard | api | docs``: what the Makefile's targets call."""

from __future__ import annotations

import argparse
import http.server
import os
import shutil
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from demo.airflow_api import AirflowApi
from demo.stack import BIN, Stack, StackError, choose_port
from settings import ROOT, Settings, SettingsError, load_settings

#: DAGs in the order in which assets start them.
CHAIN = ("ingest", "transform", "fit_models", "publish")
FAILED = {"failed", "upstream_failed"}


def say(message: str, start: float) -> None:
    print(f"[{time.monotonic() - start:5.0f}s] {message}", flush=True)


#: Says that a landing zone holds the made-up world, so that its truth may stand beside the answers. Ingestion leaves
#: hidden files alone.
MARK = ".made-up-world"


def make_world(settings: Settings, start: float) -> None:
    """Write the demo world's partner files once; a landing zone that has files is left as it is.

    The files are made aside and moved in whole, the truth before them: a demo killed meanwhile starts over.
    """
    landing = Path(settings.landing_uri)
    if settings.landing_uri.startswith("s3://") or any(
        p.is_file() and p.name != MARK for p in landing.rglob("*")
    ):
        say(f"landing zone: {settings.landing_uri} (files are there already)", start)
        return
    say(f"making the demo world's partner files in {landing}", start)
    aside = landing.parent / f".{landing.name}-being-made"
    command = [sys.executable, "-m", "simulator", "--out", str(aside), "--seed", "7"]
    command += ["--scale", os.environ.get("DEMO_SCALE", "1"), "--weeks", os.environ.get("DEMO_WEEKS", "116")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"simulator: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    files = [p for p in (aside / "landing").rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files)
    (aside / "landing" / MARK).write_text("made by make demo\n")
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(settings.data_dir / "truth", ignore_errors=True)
    shutil.move(aside / "truth", settings.data_dir / "truth")
    shutil.rmtree(landing, ignore_errors=True)  # empty folders at most, and an old mark
    os.rename(aside / "landing", landing)
    shutil.rmtree(aside, ignore_errors=True)
    say(f"{len(files)} partner files, {size / 1e6:,.0f} MB", start)


def run_demo(settings: Settings) -> int:
    """The whole path; returns the exit code."""
    from serving.answers import print_answers

    start = time.monotonic()
    stack = Stack(settings)
    interrupted = stack.was_killed()
    say("starting Airflow (API server, DAG processor, scheduler) on SQLite metadata", start)
    with ThreadPoolExecutor(1) as aside:  # Airflow starts while the files are made
        starting = aside.submit(stack.up)
        make_world(settings, start)
        port = starting.result()
    say(f"Airflow answers at http://127.0.0.1:{port}", start)
    api = ready(port)
    _wait_for_dags(api, start)
    for dag in CHAIN if interrupted else ():
        for run_id in api.fail_interrupted(dag):
            say(f"{dag:10s} run {run_id} was killed with Airflow; starting again", start)
    ended = follow(api, api.trigger("ingest"), start)
    if ended != "success":
        print(
            f"The run ended as {ended}. The last published version stays served. Logs: {stack.home / 'logs'}"
        )
        return 1
    print_answers(settings, truth=_truth(settings))
    seconds = time.monotonic() - start
    print(f"\nDone in {seconds:.0f} s.")
    print(f"  Airflow UI   http://127.0.0.1:{port}   (runs until make stop)")
    print("  Dashboard    make dashboard")
    print("  dbt docs     make docs")
    print(f"  Marts        {settings.serving_path} (DuckDB, schema marts)")
    report = settings.data_dir / "report" / "index.html"
    if report.is_file():
        print(f"  Report       {report}")
    return 0


def ready(port: int) -> AirflowApi:
    """The API client, with the writer pool in place: DuckDB takes one writer at a time."""
    api = AirflowApi(port)
    api.ensure_pool("warehouse_writer", 1, "one writer at a time: DuckDB")
    return api


def _truth(settings: Settings) -> Path | None:
    """Folder of the made-up world's truth; none where the landing zone holds other files."""
    folder = settings.data_dir / "truth"
    return folder if (Path(settings.landing_uri) / MARK).is_file() and folder.is_dir() else None


def _wait_for_dags(api: AirflowApi, start: float, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not set(CHAIN) <= api.dags():
        if time.monotonic() > deadline:
            raise StackError(
                f"the DAGs did not appear: {'; '.join(api.import_errors()) or 'no import error shown'}"
            )
        time.sleep(0.5)
    say(f"DAGs: {', '.join(CHAIN)}", start)


def follow(api: AirflowApi, ingest_run: str, start: float, timeout: float = 3600) -> str:
    """Show each task's end until the chain is done. Returns "success" or what went wrong.

    A chain that has nothing to do ends after ``ingest``: its last task is skipped when ledger and code are those of
    the published version.
    """
    seen: set[tuple[str, str, int, str]] = set()
    begun = {dag: {r["dag_run_id"] for r in api.runs(dag)} for dag in CHAIN[1:]}
    deadline = time.monotonic() + timeout
    run_id = ingest_run
    for dag in CHAIN:
        state, idle = "", False
        while state != "success":
            if time.monotonic() > deadline:
                return "still running after the time limit"
            if not run_id:
                new = [r["dag_run_id"] for r in api.runs(dag) if r["dag_run_id"] not in begun[dag]]
                run_id = new[-1] if new else ""
            if run_id:
                state, idle = _show(api, dag, run_id, seen, start)
            if state == "failed":
                return f"{dag} failed"
            if state != "success":
                time.sleep(1.0)
        if idle:
            say("nothing new: ledger and code are those of the published version", start)
            break
        run_id = ""
    return "success"


def _show(
    api: AirflowApi, dag: str, run_id: str, seen: set[tuple[str, str, int, str]], start: float
) -> tuple[str, bool]:
    """Print tasks that ended since the last look; returns the run's state and whether its last task was skipped."""
    run = next((r for r in api.runs(dag) if r["dag_run_id"] == run_id), {})
    tasks = api.tasks(dag, run_id)  # after the run: of one that has ended these are all
    for task in sorted(tasks, key=lambda t: t.get("end_date") or ""):
        state = task.get("state") or ""
        key = (dag, task["task_id"], task["map_index"], f"{state}{task['try_number']}")
        if state in {"success", "skipped", "up_for_retry", *FAILED} and key not in seen:
            seen.add(key)
            name = task.get("rendered_map_index") or ""
            took = f"{task['duration']:.1f} s" if task.get("duration") else ""
            say(f"{dag:10s} {task['task_id']:18s} {state:9s} {took:>7s} {name[:60]}", start)
    idle = any(t["task_id"] == "announce" and t.get("state") == "skipped" for t in tasks)
    return str(run.get("state") or "queued"), idle


def up(settings: Settings) -> int:
    port = Stack(settings).up()
    ready(port)
    print(f"Airflow: http://127.0.0.1:{port} (runs until make stop)")
    return 0


def stop(settings: Settings) -> int:
    stopped = Stack(settings).stop()
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def serve(settings: Settings, name: str, wanted: int, command: Callable[[int], list[str]]) -> int:
    """Run one server in the foreground, and say its address."""
    if not settings.serving_path.is_file():
        print(
            f"{name}: no published marts at {settings.serving_path} yet (run make demo first)",
            file=sys.stderr,
        )
        return 2
    port = choose_port(wanted)
    print(f"{name}: http://127.0.0.1:{port} (Ctrl+C ends it)", flush=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SERVING_PATH": str(settings.serving_path)}
    try:
        return subprocess.run(command(port), cwd=ROOT, env=env, check=False).returncode
    except KeyboardInterrupt:
        return 0


def docs(settings: Settings) -> int:
    """Build the dbt docs as one static page and serve it."""
    target = settings.data_dir / "docs"
    env = Stack(settings).environment(8080)
    command = [
        str(BIN / "dbt"), "--quiet", "docs", "generate", "--static", "--project-dir", "dbt", "--profiles-dir", "dbt",
        "--target-path", str(target),
    ]  # fmt: skip
    if subprocess.run(command, cwd=ROOT, env=env, check=False).returncode:
        return 1
    port = choose_port(8580)
    print(f"dbt docs: http://127.0.0.1:{port}/static_index.html (Ctrl+C ends it)", flush=True)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(target))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("command", choices=("run", "up", "stop", "dashboard", "api", "docs"))
    command = parser.parse_args().command
    python = sys.executable
    try:
        settings = load_settings()
        if command == "run":
            return run_demo(settings)
        if command == "up":
            return up(settings)
        if command == "stop":
            return stop(settings)
        if command == "docs":
            return docs(settings)
        if command == "dashboard":
            return serve(
                settings, "Dashboard", 8501,
                lambda port: [python, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port),
                              "--server.address", "127.0.0.1", "--server.headless", "true"],
            )  # fmt: skip
        from api.settings import load_api_settings

        load_api_settings()  # what is missing is said here in one line, not by the server
        return serve(
            settings, "API", 8600,
            lambda port: [python, "-m", "uvicorn", "api.main:app", "--host", "127.0.0.1", "--port", str(port)],
        )  # fmt: skip
    except (SettingsError, StackError, urllib.error.URLError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
