"""One small serving file for the whole folder; tests that change it make their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.fixture_marts import build


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("serving") / "serving.duckdb", weeks=16, dmas=5, products=3)
