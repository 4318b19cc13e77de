"""Empty, stale and failed states are designed answers, never a blank page or a stack trace; and the app's walls."""

from __future__ import annotations

import ast
import io
import re
import shutil
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from dashboard import access, lineage, renewal
from dashboard.export import escape_cell, to_csv, to_parquet
from settings import SettingsError
from tests.dashboard.fixture_marts import build
from tests.dashboard.pages import PAGES, open_page

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_PATH", str(tmp_path / "none.duckdb"))
    assert open_page("executive").states("empty") == ["Nothing to show yet"]


def test_a_brand_without_rows(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_PATH", str(serving))
    monkeypatch.setenv("BRAND_ID", "nobody")
    assert open_page("executive").states("empty") == ["There are no media or sales yet"]


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAND_ID", "Not A Brand")
    page = open_page("executive")
    assert page.states("failed") == ["The dashboard is not configured"] and "BRAND_ID" in page.html


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DASHBOARD_STALE_HOURS", "soon"),
        ("DASHBOARD_STALE_HOURS", "0"),
        ("DASHBOARD_REFRESH_SECONDS", "5 min"),
        ("DASHBOARD_REFRESH_SECONDS", "3"),
        ("DASHBOARD_REFRESH_SECONDS", "-1"),
    ],
)
def test_a_bad_interval_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    page = open_page("executive")
    assert page.states("failed") == ["The dashboard is not configured"] and name in page.html


def test_an_open_page_is_drawn_again_when_a_new_version_is_served(
    serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page asks at the configured interval, and draws anew only when the file is another one."""
    asked: list[object] = []
    monkeypatch.setattr(renewal.st, "fragment", lambda f, run_every: asked.append(run_every) or f)
    monkeypatch.setenv("SERVING_PATH", str(serving))
    for value in ("", "60", "0"):
        monkeypatch.setenv("DASHBOARD_REFRESH_SECONDS", value)
        open_page("executive")
    assert asked == [300, 60]

    path, drawn = tmp_path / "s.duckdb", []
    path.write_bytes(b"one")
    state: dict[str, object] = {}
    monkeypatch.setattr(renewal.st, "session_state", state)
    monkeypatch.setattr(renewal.st, "rerun", lambda: drawn.append(1))
    renewal.remember(path)
    renewal.renew(path)
    assert drawn == []
    (tmp_path / "next").write_bytes(b"two!")
    (tmp_path / "next").replace(path)
    renewal.renew(path)
    assert drawn == [1]


@pytest.mark.parametrize("page", PAGES)
def test_core_marts_alone_still_make_pages(
    page: str, serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any model has run, every page says what is missing instead of failing."""
    path = tmp_path / "core.duckdb"
    shutil.copy(serving, path)
    core = {
        "dim_calendar",
        "dim_channel",
        "dim_dma",
        "dim_retailer",
        "fct_media_daily",
        "fct_media_week",
        "fct_pos_daily",
        "fct_pos_week",
    }
    with duckdb.connect(str(path)) as db:
        for (table,) in db.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall():
            if table not in core:
                db.execute(f"drop table marts.{table}")
    monkeypatch.setenv("SERVING_PATH", str(path))
    shown = open_page(page)
    assert "This page could not be drawn" not in shown.html
    if page != "channels":
        assert shown.states("empty")


def test_failed_and_stale_models_are_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(tmp_path / "s.duckdb", weeks=14, dmas=2, brands=("swiftpod",), failed_jobs=("mmm",))
    with duckdb.connect(str(path)) as db:
        db.execute("update marts.dim_model_run set as_of_date = as_of_date - 21 where job = 'forecast'")
    monkeypatch.setenv("SERVING_PATH", str(path))
    page = open_page("budget")
    assert page.states("failed") == ["The newest market mix model run failed"]
    assert "solver did not converge" in page.html and "last good run" in page.html
    assert "The demand forecast is older than the data" in open_page("demand").states("stale")


def test_a_stopped_publish_is_announced(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_PATH", str(serving))
    monkeypatch.setenv("DASHBOARD_STALE_HOURS", "1")
    assert "No new version has been published lately" in open_page("channels").states("stale")
    monkeypatch.setenv("DASHBOARD_STALE_HOURS", "80000")
    assert not open_page("channels").states("stale")


def test_hostile_text_in_the_marts_is_text_on_the_page(
    serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hostile.duckdb"
    shutil.copy(serving, path)
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    with duckdb.connect(str(path)) as db:
        db.execute("update marts.fct_alert set message = ?, entity = ?, owner = ?, action = ?", [evil] * 4)
        db.execute("update marts.fct_media_daily set campaign_name = ?", [evil])
        db.execute("update marts.fct_quarantine set file_name = ?, reason = ?", [evil] * 2)
        db.execute("update marts.dim_dma set dma_name = ?", [evil])
    monkeypatch.setenv("SERVING_PATH", str(path))
    for name in ("executive", "channels", "demand", "quality"):
        page = open_page(name)
        assert "<script" not in page.html and "<img src=x" not in page.html
        assert name == "demand" or "&lt;img src=x" in page.html


def test_proxy_sign_in(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_PATH", str(serving))
    monkeypatch.setenv("DASHBOARD_AUTH", "proxy")
    assert open_page("executive").states("failed") == ["The dashboard is not configured"], (
        "a proxy needs its secret"
    )
    monkeypatch.setenv("DASHBOARD_PROXY_SECRET", "s" * 24)
    page = open_page("executive")
    assert page.states("failed") == ["Not signed in"] and not page.figures
    env = {"DASHBOARD_PROXY_SECRET": "s" * 24}
    good = {"x-forwarded-user": "dana", "x-proxy-secret": "s" * 24}
    assert access.proxy_user(good, env) == "dana"
    for bad in (
        {},
        {"x-forwarded-user": "dana"},
        {**good, "x-proxy-secret": "t" * 24},
        {**good, "x-forwarded-user": ""},
        {**good, "x-forwarded-user": "a\nb"},
    ):
        assert access.proxy_user(bad, env) is None
    assert access.proxy_user({"x-forwarded-user": "dana", "x-proxy-secret": ""}, {}) is None
    with pytest.raises(SettingsError, match="DASHBOARD_AUTH"):
        access.mode({"DASHBOARD_AUTH": "open"})


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u200b=1",
        "\ufeff=cmd|' /C calc'!A0",
        "＝1",
        "\u00a0@x",
    ],
)
def test_export_escapes_formulas(cell: str) -> None:
    assert escape_cell(cell) == "'" + cell
    text = to_csv(pd.DataFrame({"=bad": [cell], "n": [-1.5]})).decode("utf-8-sig")
    assert text.startswith("'=bad,n") and "-1.5" in text and "'-1.5" not in text
    table = pq.read_table(io.BytesIO(to_parquet(pd.DataFrame({"=bad": [cell, None], "n": [-1.5, 2.0]}))))
    assert table.to_pydict() == {"'=bad": ["'" + cell, None], "n": [-1.5, 2.0]}


def test_parquet_keeps_types() -> None:
    """Decimals, dates and gaps come back as they went in, also from a frame that is empty or has its own index."""
    frame = pd.DataFrame(
        {
            "usd": [Decimal("1.5000"), None],
            "on": [date(2026, 1, 2), None],
            "at": [pd.Timestamp("2026-01-02"), pd.NaT],
            "ok": [True, False],
            "n": pd.array([1, None], dtype="Int64"),
            "group": pd.Categorical(["=x", "y"]),
        },
        index=[7, 3],
    )
    rows = pq.read_table(io.BytesIO(to_parquet(frame))).to_pylist()
    assert rows[0] == {
        "usd": Decimal("1.5000"), "on": date(2026, 1, 2), "at": datetime(2026, 1, 2), "ok": True, "n": 1, "group": "'=x",
    }  # fmt: skip
    assert {k: v for k, v in rows[1].items() if v is not None} == {"ok": False, "group": "y"}
    assert pq.read_table(io.BytesIO(to_parquet(frame[:0]))).num_rows == 0


def test_every_download_is_offered_in_both_forms(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVING_PATH", str(serving))
    found = [b.proto.label for b in open_page("budget").app.get("download_button")]
    assert found.count("Parquet") == len(found) / 2 > 0


def test_plain_cells_are_left_alone() -> None:
    frame = pd.DataFrame(
        {"a": ["Meta | Always on", "", None], "b": [1, 2, 3], "c": [pd.Timestamp("2026-01-02"), pd.NaT, None]}
    )
    lines = to_csv(frame).decode("utf-8-sig").splitlines()
    assert lines[1].startswith("Meta | Always on,1,2026-01-02") and lines[3] == ",3,"


def sources() -> list[Path]:
    return [p for room in ("dashboard", "api", "report") for p in sorted((ROOT / room).rglob("*.py"))]


def test_readers_know_only_the_marts() -> None:
    """No other room, no random or demo number, no other schema than marts, no query built from outside text."""
    for path in sources():
        tree, text = ast.parse(path.read_text()), path.read_text()
        for node in ast.walk(tree):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                room = name.split(".")[0]
                assert room not in {
                    "ingest",
                    "modeling",
                    "simulator",
                    "dags",
                    "random",
                    "faker",
                    "tests",
                    "boto3",
                }, f"{path}: {name}"
        assert "np.random" not in text and "random(" not in text, path
        for schema in re.findall(r"(?:from|join) (\w+)\.\w+", text):
            assert schema in {
                "marts",
                "dashboard",
                "api",
                "report",
                "html",
                "collections",
                "serving",
                "urllib",
                "fastapi",
            }, f"{path}: {schema}"


def test_lineage_names_real_feeds() -> None:
    contracts = {p.stem for p in (ROOT / "ingest" / "contracts").rglob("*.yml")}
    for mart, feeds in lineage.FEEDS.items():
        assert set(feeds) <= contracts, (mart, set(feeds) - contracts)


def test_every_market_has_a_place_on_the_map() -> None:
    places = pd.read_csv(ROOT / "dashboard" / "dma_places.csv", dtype={"dma_id": str})
    seed = pd.read_csv(ROOT / "dbt" / "seeds" / "dma.csv", dtype={"dma_id": str})
    assert set(places.dma_id) == set(seed.dma_id) - {"000", "999"} and places.dma_id.is_unique
    assert places.latitude.between(18, 72).all() and places.longitude.between(-170, -66).all()
