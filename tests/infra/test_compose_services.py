"""Every service of docker-compose.yml is started with its own command and passes its own health check, without Docker.

Needs root (for namespaces), redis-server and an environment with the extra ``celery`` (CELERY_PYTHON).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from settings import ROOT
from tests.infra.container import REPLACED
from tests.infra.test_celery import PYTHON, missing
from tests.infra.test_compose import document

pytestmark = pytest.mark.celery
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--mount-proc"]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    if os.geteuid() or subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode:
        pytest.skip("needs root and namespaces of the kernel")
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("compose")
    work = folder / "work"
    work.mkdir()
    environment = Path(PYTHON).parent.parent
    command = [*NAMESPACES, sys.executable, "-m", "tests.infra.container", str(work), str(environment)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2400)
    logs = "".join(f"--- {p.name}\n{p.read_text()[-1500:]}\n" for p in folder.glob("*.log"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-2000:]}\n{logs}"
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_every_service_becomes_healthy_and_was_not_before(said: list[dict[str, Any]]) -> None:
    found = {line["service"]: line for line in said if "service" in line}
    assert set(found) == set(document()["services"])
    assert found["airflow-init"]["exit"] == 0
    for name, line in found.items():
        if name not in REPLACED and name != "airflow-init":
            assert line["before"] != 0, f"{name}: a health check that passes without its service"
            assert "healthy_after" in line, f"{name}: {line['unhealthy']}"


def test_containers_have_no_rights_and_the_dags_import(said: list[dict[str, Any]]) -> None:
    facts = next(line for line in said if line.get("fact") == "inside")
    assert facts["who"].splitlines()[0] == "10001"
    assert "CapEff:\t0000000000000000" in facts["who"]
    assert "Read-only file system" in facts["who"] and facts["who"].endswith("wrote")
    assert "Read-only file system" in facts["reader"]
    assert "NOAUTH" in facts["redis"]
    # the command may warn before it answers: about a package for drawings, for one
    answer = [line for text in facts["import_errors"] for line in text.splitlines()][-1:]
    assert answer in ([], ["[]"]) or "No data found" in answer[0]
    assert {"ingest", "transform", "fit_models", "publish"} <= set(facts["dags"])
