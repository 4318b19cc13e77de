"""The real PyMC-Marketing in its own environment (make test-bayes): the peer converges and knows a world of its family."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from modeling.mmm.bayes.job import gate
from tests.conftest import ROOT

PYTHON = ROOT / ".venv-bayes" / "bin" / "python"
CODE = """
import json, sys
sys.path.insert(0, ".")
import numpy as np
import xarray as xr
from modeling.mmm.bayes.sampling import Effort, _mixing, sample
from tests.mmm.worlds import simple_world

panel, truth = simple_world(2, periods=110)
moves = np.random.default_rng(0).normal(size=(2, 400, 2))
stuck = moves.copy()
stuck[:, :, 1] = 1.0
mixing = [_mixing(xr.Dataset({"p": (("chain", "draw", "i"), v)})) for v in (moves, stuck)]
found = sample(panel, 100, Effort(chains=2, tune=500, draws=500), 1)
print(json.dumps({
    "r_hat": found.r_hat, "ess": found.ess, "divergences": found.divergences, "truth": truth.tolist(),
    "mixing": mixing, "returns": found.returns.mean(axis=0).tolist(), "draws": list(found.returns.shape),
    "forecast": found.forecast.mean(axis=0).tolist(), "actual": panel.kpi[0, 100:].tolist(),
}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    assert PYTHON.exists(), "the Bayesian extra is not installed (make test-bayes installs it)"
    done = subprocess.run([PYTHON, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


@pytest.mark.bayes
def test_the_peer_converges(found: dict[str, Any]) -> None:
    assert found["r_hat"] < 1.03
    assert found["ess"] > 150
    assert found["divergences"] <= 2
    assert found["draws"] == [1000, 3]


@pytest.mark.bayes
def test_a_parameter_that_never_moves_misses_the_gate(found: dict[str, Any]) -> None:
    free, stuck = found["mixing"]
    assert free[0] < 1.01 and free[1] > 400
    assert gate({"r_hat": stuck[0], "ess": stuck[1], "divergences": 0.0}, 800) != ""


@pytest.mark.bayes
def test_the_peer_finds_returns_and_forecasts(found: dict[str, Any]) -> None:
    """Two channels that sell and one that does nothing."""
    for mean, truth in zip(found["returns"][:2], found["truth"][:2], strict=True):
        assert mean == pytest.approx(truth, rel=0.5)
    assert found["returns"][2] < 0.5 * min(found["truth"][:2])
    assert found["forecast"] == pytest.approx(found["actual"], rel=0.15)
