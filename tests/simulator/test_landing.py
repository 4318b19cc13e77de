"""The partner files: exact money, conventions of each partner, planted faults, determinism."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from simulator.__main__ import main
from simulator.build import write_world
from simulator.config import SCENARIOS, Options
from tests.simulator.landing_reader import MEDIA, SALES, crm_cost, deliveries, newest, rows_of, us

WEEKS, SCALE = 20, 0.1
LAUNCH = "2026-08-02"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    write_world(Options(seed=11, weeks=WEEKS, scale=SCALE), out)
    return out


def digest(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_launch_spend_is_thirty_five_million_to_the_cent(demo: Path) -> None:
    media = sum(
        (
            v
            for feed, (day, cost) in MEDIA.items()
            for k, v in newest(demo / "landing", feed, day, cost).items()
            if k >= LAUNCH
        ),
        Decimal(0),
    )
    assert media + crm_cost(demo / "landing", LAUNCH) == Decimal("35000000.00")


def test_sales_files_sum_to_the_truth(demo: Path) -> None:
    sold = sum(
        (
            v
            for feed, (day, cost) in SALES.items()
            for v in newest(demo / "landing", feed, day, cost).values()
        ),
        Decimal(0),
    )
    truth = pd.read_csv(demo / "truth" / "baseline_week.csv")["observed_usd"].sum()
    assert float(sold) == pytest.approx(truth, abs=0.5)


def test_spend_truth_equals_the_files(demo: Path) -> None:
    truth = pd.read_csv(demo / "truth" / "channel.csv").set_index("channel")["spend"]
    for feed, channels in {
        "meta_ads": ["instagram_reels", "meta_retargeting"],
        "google_ads_campaign": ["youtube", "search_brand", "search_nonbrand"],
        "dv360_dma": ["hulu"],
        "roundel": ["roundel"],
    }.items():
        total = sum(newest(demo / "landing", feed, *MEDIA[feed]).values(), Decimal(0))
        assert float(total) == pytest.approx(truth[channels].sum(), abs=0.005)


def test_same_options_write_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    write_world(Options(seed=11, weeks=WEEKS, scale=SCALE), tmp_path / "again")
    assert digest(tmp_path / "again") == digest(demo)
    write_world(Options(seed=12, weeks=WEEKS, scale=SCALE), tmp_path / "other")
    assert digest(tmp_path / "other")["truth/channel.csv"] != digest(demo)["truth/channel.csv"]


def test_file_names_carry_the_delivery_time_as_mtime(demo: Path) -> None:
    for path in (demo / "landing").rglob("*.*"):
        stamp = path.name.split("__")[1].split(".")[0]
        assert pd.Timestamp(path.stat().st_mtime, unit="s") == pd.Timestamp(stamp).tz_localize(None), path
        assert path.name.startswith(path.parent.name + "_")


def test_every_feed_of_the_contract_list_is_there(demo: Path) -> None:
    want = {
        "google_ads_campaign", "google_ads_geo", "meta_ads", "amazon_ads_sp", "amazon_dsp_geo", "dv360_dma", "reach_frequency",
        "walmart_connect", "roundel", "amazon_vendor_sales", "amazon_vendor_inventory", "amazon_vendor_forecast",
        "walmart_store_sales", "walmart_store_inventory", "target_sales", "target_inventory", "store_locations", "product_master",
        "trade_promotions", "zip_dma", "email_events", "coupon_events", "crm_customers", "clickstream", "search_interest",
        "weather", "experiments", "business_daily",
    }  # fmt: skip
    assert {p.name for p in (demo / "landing").iterdir()} == want


def test_partner_weeks(demo: Path) -> None:
    landing = demo / "landing"
    for feed, start, end in (
        ("amazon_vendor_sales", "startDate", "endDate"),
        ("amazon_vendor_inventory", "startDate", "endDate"),
    ):
        for _, rows in deliveries(landing, feed):
            assert all(date.fromisoformat(r[start]).weekday() == 6 for r in rows)
            assert all(
                date.fromisoformat(r[end]) - date.fromisoformat(r[start]) == timedelta(days=6) for r in rows
            )
    for _, rows in deliveries(landing, "target_sales"):
        assert all(date.fromisoformat(us(r["Week Begin"])).weekday() == 6 for r in rows)
    days = {r["bus_dt"] for _, rows in deliveries(landing, "walmart_store_sales") for r in rows}
    assert len(days) == 7 * WEEKS, "Walmart reports by day"
    assert {
        date.fromisoformat(r["bus_dt"]).weekday()
        for _, rows in deliveries(landing, "walmart_store_inventory")
        for r in rows
    } == {5}


def test_weeks_keep_the_end(demo: Path, tmp_path: Path) -> None:
    days = sorted(newest(demo / "landing", "meta_ads", *MEDIA["meta_ads"]))
    assert days[-1] == "2026-10-24"
    assert pd.read_csv(demo / "truth" / "baseline_week.csv")["week_start_date"].min() == "2026-06-07"
    write_world(Options(seed=3, weeks=16, scale=0.05, scenario=SCENARIOS["clean"]), tmp_path)
    assert len(pd.read_csv(tmp_path / "truth" / "baseline_week.csv")) == 16
    assert pd.read_csv(tmp_path / "truth" / "faults.csv").empty
    media = sum(
        (
            v
            for f, (day, cost) in MEDIA.items()
            for k, v in newest(tmp_path / "landing", f, day, cost).items()
            if k >= LAUNCH
        ),
        Decimal(0),
    )
    assert media + crm_cost(tmp_path / "landing", LAUNCH) == Decimal("35000000.00")


def test_ids_units_and_number_formats(demo: Path) -> None:
    landing = demo / "landing"
    sp = next(rows for _, rows in deliveries(landing, "amazon_ads_sp"))
    assert int(sp[0]["campaignId"]) > 2**53
    assert isinstance(sp[0]["campaignId"], str)
    meta = next(rows for _, rows in deliveries(landing, "meta_ads"))
    assert isinstance(meta[0]["impressions"], str)
    kinds = {a["action_type"] for a in meta[0]["actions"]}
    assert len(kinds) == 3 and len({a["value"] for a in meta[0]["actions"]}) == 1, (
        "one purchase under three names"
    )
    wmc = sorted((landing / "walmart_connect").iterdir())[0]
    line = gzip.decompress(wmc.read_bytes()).decode().splitlines()[1]
    assert all(cell.startswith('"') and cell.endswith('"') for cell in line.split(","))
    spends = [r["Spend"] for _, rows in deliveries(landing, "roundel") for r in rows]
    assert all(s.startswith("$") for s in spends) and any("," in s for s in spends)
    dsp = {r["dmaCode"][:3] for _, rows in deliveries(landing, "amazon_dsp_geo") for r in rows}
    assert "US-" in dsp and len(dsp) > 1, "two codings of the DMA"
    text = sorted((landing / "dv360_dma").iterdir())[-1].read_text()
    assert "\n\nReport Time:," in text
    products = list(csv.DictReader((next((landing / "product_master").iterdir())).open()))
    assert all(p["upc"].startswith("0") and len(p["upc"]) == 12 for p in products)
    zips = list(csv.DictReader((next((landing / "zip_dma").iterdir())).open()))
    assert any(z["zip_code"].startswith("0") for z in zips) and len({z["dma_code"] for z in zips}) == 210


def test_google_geo_locates_less_than_the_campaign_report(demo: Path) -> None:
    geo = newest(
        demo / "landing", "google_ads_geo", lambda r: r["segments.date"],
        lambda r: Decimal(r["metrics.cost_micros"]) / 1_000_000 * (r["geographic_view.location_type"] == "LOCATION_OF_PRESENCE"),
    )  # fmt: skip
    all_of_it = newest(demo / "landing", "google_ads_campaign", *MEDIA["google_ads_campaign"])
    assert 0.93 < float(sum(geo.values()) / sum(all_of_it.values())) < 1.0
    kinds = [
        r["geographic_view.location_type"]
        for _, rows in deliveries(demo / "landing", "google_ads_geo")
        for r in rows
    ]
    assert kinds.count("AREA_OF_INTEREST") > 100


def test_planted_faults_are_what_the_record_says(demo: Path) -> None:
    faults = pd.read_csv(demo / "truth" / "faults.csv", keep_default_na=False)
    assert {
        "bad_rows", "duplicate_file", "html_error_page", "late_file", "missing_column", "overlapping_window",
        "provisional_overlap", "reordered_columns", "restated", "truncated_gzip",
    } == set(faults["fault"])  # fmt: skip
    for row in faults.to_dict("records"):
        path = demo / "landing" / row["feed"] / row["file_name"]
        data = path.read_bytes()
        if row["fault"] == "html_error_page":
            assert data.startswith(b"<!DOCTYPE html>")
        elif row["fault"] == "truncated_gzip":
            with pytest.raises(EOFError):
                gzip.decompress(data)
        elif row["fault"] == "duplicate_file":
            twins = [p for p in path.parent.iterdir() if p != path and p.read_bytes() == data]
            assert len(twins) == 1
        elif row["fault"] == "missing_column":
            assert row["detail"] not in rows_of(path)[0]
        elif row["fault"] == "bad_rows":
            column, junk = row["detail"].split(": ")
            bad = sum(r[column] in junk.split(", ") for r in rows_of(path))
            assert bad == row["bad_rows"] > 0
            assert bad < 0.05 * len(rows_of(path)), "few enough that the file as a whole is loaded"


def test_pii_and_journeys(demo: Path) -> None:
    people = [r for _, rows in deliveries(demo / "landing", "crm_customers") for r in rows]
    assert all(p["email"].endswith("@example.com") and p["phone"].startswith("+1555") for p in people)
    clicks = [r for _, rows in deliveries(demo / "landing", "clickstream") for r in rows]
    assert len({r["event_id"] for r in clicks}) == len(clicks)
    assert {r["event_type"] for r in clicks} == {
        "impression_view",
        "ad_click",
        "site_visit",
        "find_retailer_click",
    }
    assert any("ExampleBot" in r["user_agent"] for r in clicks)
    moments = [(r["visitor_id"], r["event_ts"], r["channel"], r["event_type"]) for r in clicks]
    assert len(set(moments)) < len(moments), "some tags fire twice"


def test_visitors_grow_with_scale(tmp_path: Path) -> None:
    counts = []
    for scale in (0.05, 0.2):
        write_world(
            Options(seed=1, weeks=16, scale=scale, scenario=SCENARIOS["clean"]), tmp_path / str(scale)
        )
        counts.append(
            sum(len(rows) for _, rows in deliveries(tmp_path / str(scale) / "landing", "clickstream"))
        )
    assert counts[1] / counts[0] == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--out", "x", "--weeks", "15"], "at least 16"),
        (["--out", "x", "--scale", "0"], "--scale"),
        (["--out", "x", "--seed", "-1"], "--seed"),
        ([], "--out is required"),
        (["score", "--truth", "/nowhere", "--warehouse", "/nowhere.duckdb"], "no truth in"),
    ],
)
def test_bad_requests_give_one_line(
    args: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_command_runs_as_a_module(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "--out", str(tmp_path / "w"), "--weeks", "16", "--scale", "0.02", "--seed", "5"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "16 weeks" in done.stderr
    assert json.loads(json.dumps(sorted(p.name for p in (tmp_path / "w").iterdir()))) == ["landing", "truth"]
