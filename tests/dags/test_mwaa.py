"""The DAGs beside another Airflow: every file imports under MWAA's version, and runs the project's own Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from settings import load_settings
from tests.dags.test_policy import DAGS, DUMP, ROOT

TERRAFORM = ROOT / "infra" / "terraform"
AIRFLOW = re.search(r'airflow_version\s*=\s*"([\d.]+)"', (TERRAFORM / "airflow.tf").read_text())


def exported() -> dict[str, str]:
    """Variables of the startup script, its placeholders filled with names of the form that Terraform puts there."""
    text = (TERRAFORM / "mwaa_startup.sh.tftpl").read_text()
    filled = {"landing": "s3://landing", "staging": "s3://staging/load", "copy_role": "arn:aws:iam::123456789012:role/copy"}  # fmt: skip
    text = re.sub(r"\$\{(\w+)\}", lambda m: filled.get(m[1], m[1]), text)
    return dict(re.findall(r'(?m)^\s*export (\w+)="?([^"\n]+)"?$', text)) | dict.fromkeys(
        re.findall(r"(?m)^\s*(\w+)=\$\(secret ", text), "s" * 24
    )


def test_the_startup_script_exports_settings_that_hold() -> None:
    settings = load_settings(exported())
    assert settings.warehouse_target == "redshift" and settings.redshift is not None
    assert settings.redshift.password and settings.redshift.copy_role_arn and exported()["PII_HASH_KEY"]
    done = subprocess.run(["bash", "-n", str(TERRAFORM / "mwaa_startup.sh.tftpl")], capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_placeholder_of_the_startup_script_is_filled() -> None:
    asked = set(re.findall(r"\$\{(\w+)\}", (TERRAFORM / "mwaa_startup.sh.tftpl").read_text()))
    call = re.search(r"templatefile\([^{]*\{(.*?)\n  \}\)", (TERRAFORM / "airflow.tf").read_text(), re.S)
    assert call and asked == set(re.findall(r"(?m)^\s*(\w+)\s*=", call[1]))


def test_mwaa_installs_the_locked_cosmos() -> None:
    wanted = re.search(r'name = "astronomer-cosmos"\nversion = "([\d.]+)"', (ROOT / "uv.lock").read_text())
    assert wanted and f"astronomer-cosmos=={wanted[1]}\n" in (TERRAFORM / "mwaa_requirements.txt").read_text()


def imported(python: Path, folder: Path, tmp: Path) -> dict[str, object]:
    """DAGs copied to a folder of their own, as MWAA has them, imported by ``python``."""
    alone = tmp / "bucket"
    shutil.copytree(folder, alone / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "AIRFLOW_HOME": str(tmp / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
           "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False", "PYTHONPATH": str(alone / "dags"),
           "PIPELINE_ROOT": str(ROOT), "PIPELINE_PYTHON": "/usr/local/airflow/project/.venv/bin/python"}  # fmt: skip
    done = subprocess.run(
        [str(python), "-c", DUMP, *DAGS], env=env, cwd=alone, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def test_dag_files_in_a_folder_of_their_own_run_the_project(tmp_path: Path) -> None:
    found = json.dumps(imported(Path(sys.executable), ROOT / "dags", tmp_path))
    assert "exec /usr/local/airflow/project/.venv/bin/python -m ingest init" in found
    assert sys.executable not in found


@pytest.mark.slow
def test_every_dag_imports_under_the_airflow_of_mwaa(tmp_path: Path) -> None:
    assert AIRFLOW is not None
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    wanted = [f"apache-airflow=={AIRFLOW[1]}", "-r", str(TERRAFORM / "mwaa_requirements.txt")]
    done = subprocess.run(
        [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *wanted],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"apache-airflow {AIRFLOW[1]} could not be installed: {done.stderr.strip()[-200:]}")
    assert set(imported(venv / "bin" / "python", ROOT / "dags", tmp_path)) == set(DAGS)
