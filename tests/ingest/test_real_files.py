"""Files that nobody here wrote: counts and sums that others published."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from settings import Settings
from tests.ingest.helpers import ingest, place, query, settings_for


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("real")
    settings = settings_for(folder)
    for pack in ("alyce", "lifesight", "mediadata", "connector_exports"):
        for path in sorted((shared_data / pack).iterdir()):
            place(folder / "landing" / pack / path.name, path.read_bytes())
    place(
        folder / "landing" / "zip_dma" / "zip_to_dma.csv",
        (shared_data / "dma" / "zip_to_dma.csv").read_bytes(),
    )
    ingest(settings)
    return settings


def test_lifesight_sums(real: Settings) -> None:
    spend = " union all ".join(
        f"select spend, attributed_revenue from raw.{c}_campaign" for c in ("facebook", "google", "tiktok")
    )
    assert [
        str(v)[:-4] for v in query(real, f"select sum(spend), sum(attributed_revenue) from ({spend})")[0]
    ] == ["5258304.06", "14773594.65"]
    assert query(real, "select sum(revenue)::varchar, count(*) from raw.business_daily")[0] == (
        "31406165.810000",
        120,
    )
    found = dict(
        query(
            real,
            "select feed, row_count from intake.warning where code in ('tactic_contradicts_name', 'new_customers_over_new_orders')",
        )
    )
    assert found == {
        "facebook_campaign": 480,
        "google_campaign": 600,
        "tiktok_campaign": 480,
        "business_daily": 22,
    }


def test_alyce_rows(real: Settings) -> None:
    names = {
        "client": 421,
        "recipient": 418,
        "giftdata": 17,
        "services": 3,
        "clientexpenditure": 4999,
        "facts": 3999,
    }
    for name, rows in names.items():
        assert query(real, f"select count(*) from raw.alyce_{name}")[0][0] == rows
    assert (
        query(real, "select count(*) from raw.alyce_clientexpenditure where recipient_id = '8000'")[0][0]
        == 12
    )


def test_colliding_geographies_are_refused_whole(real: Settings) -> None:
    assert query(real, "select outcome, reason from intake.ledger where feed = 'mediadata'") == [
        ("QF", "duplicate_key")
    ]


def test_zip_map_keeps_every_zip(real: Settings) -> None:
    assert query(real, "select count(distinct zip_code), count(distinct dma_code) from raw.zip_dma")[0] == (
        41015,
        210,
    )


def test_connector_exports_lose_no_row_and_no_cent(real: Settings, shared_data: Path) -> None:
    lines = {
        name: (f, loaded)
        for name, f, loaded in query(
            real,
            "select file_name, rows_file, rows_loaded from intake.ledger where feed = 'connector_exports'",
        )
    }
    assert len(lines) == 83
    spend = dict(query(real, "select export_name, sum(spend) from raw.connector_exports group by 1"))
    for path in sorted((shared_data / "connector_exports").iterdir()):
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [row for row in csv.reader(stream) if row]
        assert lines[path.name] == (len(rows) - 1, len(rows) - 1), path.name
        if "spend" in rows[0]:
            at = rows[0].index("spend")
            assert float(spend[path.stem.lower()]) == pytest.approx(
                sum(float(r[at] or 0) for r in rows[1:]), abs=1e-3
            )
    values = query(
        real,
        "select value::varchar from raw.connector_exports where export_name = 'klaviyo_event' and value is not null order by 1",
    )
    assert values == [("1258.540000",), ("525.330000",)]
    assert query(real, "select count(*) from raw.connector_exports where _extra like '%@%'")[0][0] == 0
