"""The SageMaker entry point: its folders, its parameters, its way to fail."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import sagemaker


def configure(folder: Path, **given: Any) -> Path:
    path = folder / "input" / "config" / "hyperparameters.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({k: str(v) for k, v in given.items()}))
    return folder


def test_a_misspelt_parameter_is_refused_with_one_line(tmp_path: Path) -> None:
    assert sagemaker.main(configure(tmp_path, job="mmm")) == 1
    assert (tmp_path / "output" / "failure").read_text() == "hyperparameter 'job' (known: jobs, seed)\n"


def test_an_unknown_job_fails_as_the_command_fails(tmp_path: Path) -> None:
    assert sagemaker.main(configure(tmp_path, jobs="nothing", seed=3)) == 1
    reason = (tmp_path / "output" / "failure").read_text()
    assert "nothing" in reason and "Traceback" not in reason


def test_results_stay_and_inputs_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        seen["command"] = command[1:]
        snapshot = Path(options["env"]["RUNS_DIR"]) / "abc"
        (snapshot / "fits").mkdir(parents=True)
        (snapshot / "feat_mmm_week.parquet").write_text("input")
        (snapshot / "fits" / "run.json").write_text("{}")
        return subprocess.CompletedProcess(command, 0, '{"recorded": 1, "unchanged": 0}\n', "")

    monkeypatch.setattr(sagemaker.subprocess, "run", run)
    assert sagemaker.main(configure(tmp_path, jobs="mmm,budget", seed=7)) == 0
    assert seen["command"] == ["-m", "modeling", "run", "--seed", "7", "--jobs", "mmm,budget"]
    assert json.loads((tmp_path / "model" / "summary.json").read_text()) == {"recorded": 1, "unchanged": 0}
    left = {p.name for p in (tmp_path / "model").rglob("*") if p.is_file()}
    assert left == {"summary.json", "run.json"}
