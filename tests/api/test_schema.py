"""The OpenAPI document tells the truth: generated requests, answers checked against it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig  # noqa: F401 - the name fails early when schemathesis is too old

from tests.api.conftest import TOKEN


@pytest.fixture(scope="module", autouse=True)
def _environment(serving: Path) -> object:
    kept = {k: os.environ.get(k) for k in ("SERVING_PATH", "API_TOKENS", "API_RATE_PER_MINUTE")}
    os.environ.update(SERVING_PATH=str(serving), API_TOKENS=f"swiftpod:{TOKEN}", API_RATE_PER_MINUTE="100000")
    yield
    for key, value in kept.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value


@pytest.fixture
def schema(serving: Path) -> object:
    from api.main import app

    return schemathesis.openapi.from_asgi("/openapi.json", app)


parametrized = schemathesis.pytest.from_fixture("schema")


@parametrized.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_answers_match_their_description(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})
