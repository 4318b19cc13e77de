"""The OpenAPI document tells the truth: generated requests, answers checked against it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

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


def test_answers_match_their_description(serving: Path) -> None:
    from api.main import app

    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    checked = 0
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        )
        @given(case=operation.as_strategy())
        def answers(case: schemathesis.Case) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

        answers()
        checked += 1
    assert checked >= 13
