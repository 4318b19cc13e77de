"""The real PyMC-Marketing in its own environment (make test-bayes): the peer converges and knows a world of its family."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.conftest import ROOT

PYTHON = ROOT / ".venv-bayes" / "bin" / "python"
CODE = """
import json, sys
sys.path.insert(0, ".")
from modeling.mmm.bayes.sampling import Effort, sample
from tests.mmm.worlds import simple_world

panel, truth = simple_world(2, periods=110)
found = sample(panel, 100, Effort(chains=2, tune=500, draws=500), 1)
print(json.dumps({
    "r_hat": found.r_hat, "ess": found.ess, "divergences": found.divergences, "truth": truth.tolist(),
    "returns": found.returns.mean(axis=0).tolist(), "draws": list(found.returns.shape),
    "forecast": found.forecast.mean(axis=0).tolist(), "actual": panel.kpi[0, 100:].tolist(),
}))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.skip("the Bayesian extra is not installed (make bayes)")
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
def test_the_peer_finds_returns_and_forecasts(found: dict[str, Any]) -> None:
    """Two channels that sell and one that does nothing."""
    for mean, truth in zip(found["returns"][:2], found["truth"][:2], strict=True):
        assert mean == pytest.approx(truth, rel=0.5)
    assert found["returns"][2] < 0.5 * min(found["truth"][:2])
    assert found["forecast"] == pytest.approx(found["actual"], rel=0.15)
