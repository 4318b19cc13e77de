"""What all tests share: where the reference data lie, a clean environment, and one stand-in for Redshift."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

pytest_plugins = ["tests.redshift.fixtures"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference files that nobody of this project wrote; tests that need them skip where they are absent."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data are not at {SHARED}")
    return SHARED
