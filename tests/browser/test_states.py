"""What a reader sees when there is nothing to show, when publishing has stopped, and when a model has failed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.browser.conftest import free_port, start
from tests.browser.test_pages import shoot, visit
from tests.dashboard.fixture_marts import build

pytestmark = pytest.mark.browser
CORE = "('dim_calendar', 'dim_channel', 'dim_dma', 'dim_retailer', 'fct_media_daily', 'fct_media_week', 'fct_pos_daily', 'fct_pos_week')"


def nothing(serving: Path, folder: Path) -> Path:
    return folder / "none.duckdb"


def core_only(serving: Path, folder: Path) -> Path:
    """Sales and media, before any model has run."""
    path = Path(shutil.copy(serving, folder / "core.duckdb"))
    with duckdb.connect(str(path)) as db:
        gone = (
            f"select table_name from duckdb_tables() where schema_name = 'marts' and table_name not in {CORE}"
        )
        for (table,) in db.execute(gone).fetchall():
            db.execute(f"drop table marts.{table}")
    return path


def failed_and_stale(serving: Path, folder: Path) -> Path:
    path = build(folder / "s.duckdb", weeks=14, dmas=2, brands=("swiftpod",), failed_jobs=("mmm",))
    with duckdb.connect(str(path)) as db:
        db.execute("update marts.dim_model_run set as_of_date = as_of_date - 21 where job = 'forecast'")
    return path


#: Name -> what makes the file, the pages to look at, and words that one of them must show.
STATES: dict[str, tuple[Callable[[Path, Path], Path], tuple[str, ...], str]] = {
    "nothing-published": (nothing, ("executive",), "Nothing to show yet"),
    "before-models": (core_only, ("executive", "incrementality", "budget", "demand"), "not in this version"),
    "failed-and-stale": (
        failed_and_stale,
        ("executive", "budget", "demand"),
        "No new version has been published lately",
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_states_are_designed(chromium: Any, serving: Path, tmp_path: Path, name: str) -> None:
    make, pages, words = STATES[name]
    port = free_port()
    process = start(make(serving, tmp_path), port, DASHBOARD_STALE_HOURS="1")
    try:
        for page in pages:
            tab, outside, errors = visit(chromium, f"http://127.0.0.1:{port}", page)
            shoot(tab, f"state-{name}-{page}", 1280)
            text = tab.inner_text("[data-testid=stMain]")
            assert "could not be drawn" not in text and "Traceback" not in text
            assert words in text, page
            assert not errors and not outside
            tab.context.close()
    finally:
        process.terminate()
        process.wait(20)


def test_another_site_cannot_open_a_session(address: str) -> None:
    """The session socket answers its own origin only: a page elsewhere cannot drive a reader's dashboard."""
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    url = address.replace("http", "ws") + "/_stcore/stream"
    with connect(url, origin=address, subprotocols=["streamlit"], open_timeout=20):
        pass
    with (
        pytest.raises(InvalidStatus),
        connect(url, origin="http://evil.example", subprotocols=["streamlit"], open_timeout=20),
    ):
        pass
