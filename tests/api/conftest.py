"""The API in-process over a small serving file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.dashboard.fixture_marts import build

TOKEN, OTHER = "a" * 32, "b" * 32


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("api") / "serving.duckdb", weeks=16, dmas=4, products=2)


@pytest.fixture
def client(serving: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    from api.main import app

    monkeypatch.setenv("SERVING_PATH", str(serving))
    monkeypatch.setenv("API_TOKENS", f"swiftpod:{TOKEN},otherbrand:{OTHER}")
    monkeypatch.setenv("API_RATE_PER_MINUTE", "100000")
    with TestClient(app, raise_server_exceptions=False) as found:
        found.headers["Authorization"] = f"Bearer {TOKEN}"
        yield found
