"""The comparison of models on the same folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modeling.mmm import compare as compared
from modeling.mmm.estimator import Options
from modeling.mmm.form import FormChoice
from tests.mmm.worlds import simple_world


def test_it_is_the_same_whatever_the_order_in_which_sums_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another order of adding changes last digits, and a tree's choice between like splits hangs on them."""
    monkeypatch.setattr(compared, "fit", lambda *_: None)
    monkeypatch.setattr(compared, "predict", lambda *_: (0.0,))
    panel = simple_world(1, noise=0.05)[0]
    form = FormChoice("additive", "", {}, 0.0, 0.0, 0)
    rng = np.random.default_rng(0)
    first, _ = compared.compare(panel, Options(), form)
    for _ in range(2):
        other = replace(
            panel,
            kpi=panel.kpi * (1 + 1e-15 * rng.integers(-1, 2, panel.kpi.shape)),
            exposure=panel.exposure * (1 + 1e-15 * rng.integers(-1, 2, panel.exposure.shape)),
        )
        again, _ = compared.compare(other, Options(), form)
        np.testing.assert_allclose(again.value.to_numpy(), first.value.to_numpy(), rtol=1e-9)
