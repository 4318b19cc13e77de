"""SageMaker training entry point: fit model jobs on the warehouse's feature marts inside SageMaker's folders.

SageMaker starts the image with ``train``, gives hyperparameters as JSON of strings and expects results under
``/opt/ml/model`` and a one-line reason under ``/opt/ml/output/failure``. The fit itself is ``python -m modeling run``: the same
code, seeds and transactions as in Airflow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from settings import ROOT

_KNOWN = {"jobs", "seed"}


def hyperparameters(folder: Path) -> dict[str, str]:
    """The job's parameters.

    Raises:
        ValueError: one that is not known, so that a misspelt name is not silently ignored.
    """
    path = folder / "input" / "config" / "hyperparameters.json"
    given = {
        k: str(v).strip('"') for k, v in (json.loads(path.read_text()) if path.is_file() else {}).items()
    }
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        raise ValueError(f"hyperparameter {unknown[0]!r} (known: {', '.join(sorted(_KNOWN))})")
    return given


def main(folder: Path | None = None) -> int:
    """Run the fit; 0, or 1 with the reason in SageMaker's failure file."""
    folder = folder or Path(os.environ.get("SM_ROOT", "/opt/ml"))
    failure, model = folder / "output" / "failure", folder / "model"
    for path in (failure.parent, model):
        path.mkdir(parents=True, exist_ok=True)
    try:
        given = hyperparameters(folder)
        runs = model / "runs"
        command = [sys.executable, "-m", "modeling", "run", "--seed", given.get("seed", "1")]
        if given.get("jobs"):
            command += ["--jobs", given["jobs"]]
        env = {**os.environ, "RUNS_DIR": str(runs)}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        sys.stderr.write(done.stderr)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["the fit failed"])[-1])
        (model / "summary.json").write_text(done.stdout.strip().splitlines()[-1])
        for snapshot in runs.glob(
            "*/*.parquet"
        ):  # inputs stay in the warehouse; the artefact keeps results only
            snapshot.unlink()
        return 0
    except (ValueError, RuntimeError) as reason:
        failure.write_text(f"{reason}\n")
        print(f"sagemaker: {reason}", file=sys.stderr)
        shutil.rmtree(model / "runs", ignore_errors=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
