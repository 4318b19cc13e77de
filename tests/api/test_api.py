"""The API's contract: same numbers as the marts, sign-in, brand walls, paging, ETag, rate limit, states."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest
from fastapi.testclient import TestClient

from api.limits import RateLimiter
from api.settings import load_api_settings
from settings import SettingsError
from tests.api.conftest import OTHER, TOKEN
from tests.dashboard.fixture_marts import build

PAGES = (
    "/v1/channels",
    "/v1/evidence",
    "/v1/roi",
    "/v1/hypotheses",
    "/v1/forecast",
    "/v1/stock-risk",
    "/v1/scenarios",
    "/v1/scenarios/optimal",
    "/v1/alerts",
    "/v1/runs",
)
ALL = (
    *PAGES,
    "/v1/kpis",
    "/v1/what-if?from_channel=meta_retargeting&to_channel=ctv_other&amount_per_week_usd=1000",
)


def test_kpis_equal_the_marts(client: TestClient, serving: Path) -> None:
    data = client.get(
        "/v1/kpis", params={"period": "4w", "channel": ["youtube", "hulu"], "dma": "501"}
    ).json()["data"]
    where = "brand_id = 'swiftpod' and dma_id = '501' and date_day between date '2026-09-27' and date '2026-10-24'"
    with duckdb.connect(str(serving), read_only=True) as db:
        spend, ctr = db.execute(
            f"select sum(spend_usd), sum(clicks) / sum(impressions) from marts.fct_media_daily where {where} and channel_id in ('youtube', 'hulu')"
        ).fetchone()
        units = db.execute(f"select sum(units) from marts.fct_pos_daily where {where}").fetchone()[0]
    assert (
        data["spend_usd"] == pytest.approx(float(spend))
        and data["ctr"] == pytest.approx(ctr)
        and data["units"] == units
    )
    assert (data["period_start"], data["period_end"]) == ("2026-09-27", "2026-10-24")


@pytest.mark.parametrize("path", ALL)
def test_every_figure_endpoint_answers_and_needs_a_token(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (
        answer.status_code == 200
        and answer.headers["X-Data-Version"] == "1"
        and answer.headers["X-Content-Type-Options"] == "nosniff"
    )
    assert "NaN" not in answer.text and "Infinity" not in answer.text
    for header in (
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
    ):
        assert client.get(path, headers=header).status_code == 401


@pytest.mark.parametrize("path", PAGES)
def test_paging_covers_all_rows_once(client: TestClient, path: str) -> None:
    whole = client.get(path, params={"limit": 1000}).json()
    assert whole["total"] == len(whole["rows"]) or whole["total"] > 1000
    rows, step = [], max(1, whole["total"] // 3)
    for offset in range(0, whole["total"], step):
        rows += client.get(path, params={"limit": step, "offset": offset}).json()["rows"]
    assert rows == whole["rows"]
    assert client.get(path, params={"offset": 10_000_000}).json()["rows"] == []


def test_a_token_reads_its_own_brand_only(client: TestClient) -> None:
    for path in PAGES:
        for token, brand in ((TOKEN, "swiftpod"), (OTHER, "otherbrand")):
            rows = client.get(path, headers={"Authorization": f"Bearer {token}"}).json()["rows"]
            assert all(row.get("brand_id", brand) == brand for row in rows), path
    mine, theirs = (client.get("/v1/kpis", headers={"Authorization": f"Bearer {t}"}) for t in (TOKEN, OTHER))
    assert mine.json()["data"]["spend_usd"] > 5 * theirs.json()["data"]["spend_usd"]
    assert mine.headers["etag"] != theirs.headers["etag"]


def test_etag_changes_with_the_version_only(
    serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.main import app

    path = tmp_path / "s.duckdb"
    build(path, weeks=14, dmas=2, brands=("swiftpod",))
    monkeypatch.setenv("SERVING_PATH", str(path))
    monkeypatch.setenv("API_TOKENS", f"swiftpod:{TOKEN}")
    with TestClient(app) as found:
        found.headers["Authorization"] = f"Bearer {TOKEN}"
        first = found.get("/v1/kpis")
        tag = first.headers["etag"]
        same = found.get("/v1/kpis", headers={"If-None-Match": f'"other", {tag}'})
        assert same.status_code == 304 and not same.content
        assert (
            found.get("/v1/kpis", params={"period": "4w"}, headers={"If-None-Match": tag}).status_code == 200
        )
        build(path, weeks=14, dmas=2, brands=("swiftpod",), version=2)
        second = found.get("/v1/kpis", headers={"If-None-Match": tag})
        assert second.status_code == 200 and second.json()["version"] == 2
        assert second.json()["data"]["spend_usd"] == pytest.approx(
            2 * first.json()["data"]["spend_usd"], rel=1e-6
        )
        os.unlink(path)
        gone = found.get("/v1/kpis")
        assert gone.status_code == 503 and found.get("/health").status_code == 503


def test_rate_limit_is_per_token_and_says_when(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.main import app

    monkeypatch.setenv("SERVING_PATH", str(serving))
    monkeypatch.setenv("API_TOKENS", f"swiftpod:{TOKEN},otherbrand:{OTHER}")
    monkeypatch.setenv("API_RATE_PER_MINUTE", "3")
    with TestClient(app) as found:
        mine = {"Authorization": f"Bearer {TOKEN}"}
        assert [found.get("/v1/hypotheses", headers=mine).status_code for _ in range(4)] == [
            200,
            200,
            200,
            429,
        ]
        refused = found.get("/v1/hypotheses", headers=mine)
        assert int(refused.headers["retry-after"]) >= 1
        assert found.get("/v1/hypotheses", headers={"Authorization": f"Bearer {OTHER}"}).status_code == 200
        guesses = [
            found.get("/v1/hypotheses", headers={"Authorization": f"Bearer guess{i}"}).status_code
            for i in range(40)
        ]
        assert set(guesses) == {401, 429}, "guessing tokens is limited too"


def test_the_bucket_refills() -> None:
    now = [0.0]
    limiter = RateLimiter(60, clock=lambda: now[0])
    assert all(limiter.take("k")[0] for _ in range(60)) and not limiter.take("k")[0]
    now[0] = 1.0
    assert limiter.take("k")[0] and not limiter.take("k")[0]


@pytest.mark.parametrize(
    "env, words",
    [
        ({}, "at least one"),
        ({"API_TOKENS": "short"}, "20 to 200"),
        ({"API_TOKENS": f"Bad Brand:{TOKEN}"}, "brand:token"),
        ({"API_TOKENS": TOKEN, "API_RATE_PER_MINUTE": "0"}, "API_RATE_PER_MINUTE"),
    ],
)
def test_bad_settings_are_refused_at_start(env: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_api_settings(env)
    assert TOKEN not in repr(load_api_settings({"API_TOKENS": TOKEN}))


def test_what_if_refuses_in_plain_words(client: TestClient) -> None:
    base = {"from_channel": "meta_retargeting", "to_channel": "ctv_other", "amount_per_week_usd": "1000"}
    for change in (
        {"amount_per_week_usd": "-5"},
        {"amount_per_week_usd": "nan"},
        {"amount_per_week_usd": "inf"},
        {"amount_per_week_usd": "x"},
        {"to_channel": "meta_retargeting"},
        {"from_channel": "nobody"},
        {"amount_per_week_usd": "99999999"},
    ):
        answer = client.get("/v1/what-if", params={**base, **change})
        assert answer.status_code in (409, 422) and isinstance(answer.json()["detail"], str), change


def test_nothing_can_be_written(client: TestClient) -> None:
    for path in (*PAGES, "/health", "/v1/kpis"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert client.request(method, path).status_code == 405
