"""Scoring published marts against the truth: right comparisons, missing marts said in words."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from simulator.build import write_world
from simulator.config import SCENARIOS, Options
from simulator.score import main, render, score


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored")
    write_world(Options(seed=2, weeks=16, scale=0.02, scenario=SCENARIOS["clean"]), out)
    return out / "truth"


def warehouse(path: Path, marts: dict[str, pd.DataFrame]) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        for name, frame in marts.items():
            connection.register("given", frame.assign(brand_id="swiftpod"))
            connection.execute(f"create table marts.{name} as select * from given")
            connection.unregister("given")
    return path


def perfect(truth: Path) -> dict[str, pd.DataFrame]:
    """Marts that say exactly the truth."""
    channel = pd.read_csv(truth / "channel.csv")
    lift = pd.read_csv(truth / "lift.csv")
    knee = pd.read_csv(truth / "frequency.csv")
    price = pd.read_csv(truth / "elasticity.csv")
    credit = pd.read_csv(truth / "attribution.csv")
    around = lambda v: {"": v, "_p05": v - 0.1, "_p95": v + 0.1}  # noqa: E731
    roi = []
    for name, start, column in (
        ("history", "2026-07-05", "roi_direct"),
        ("launch", "2026-08-02", "launch_roi_direct"),
    ):
        part = pd.DataFrame(
            {
                "channel_id": channel["channel"],
                "window_name": name,
                "window_start": start,
                "window_end": "2026-10-24",
                "is_supported": True,
            }
        )
        roi.append(part.assign(**{f"roi{k}": v for k, v in around(channel[column]).items()}))
    return {
        "fct_channel_roi": pd.concat(roi),
        "fct_geo_lift": pd.DataFrame(
            {
                "experiment_id": lift["experiment_id"], "method": "m", "incremental_revenue_usd": lift["incremental_revenue"],
                "incremental_p025_usd": lift["incremental_revenue"] - 1, "incremental_p975_usd": lift["incremental_revenue"] + 1,
                "lift_pct": lift["lift_pct"], "lift_ci_low": lift["lift_pct"] - 1, "lift_ci_high": lift["lift_pct"] + 1,
                "iroas": lift["iroas"], "iroas_ci_low": lift["iroas"] + 1, "iroas_ci_high": lift["iroas"] + 2,
            }
        ),
        "fct_frequency_waste": pd.DataFrame(
            {
                "channel_id": knee["channel"], "dma_id": "501", "knee_frequency": knee["knee_frequency"], "knee_p05": knee["knee_frequency"] - 1,
                "knee_p95": knee["knee_frequency"] + 1, "waste_usd": knee["launch_waste_usd"], "waste_p05_usd": 0.0, "waste_p95_usd": 1e9,
            }
        ),
        "fct_price_elasticity": pd.DataFrame(
            {
                "scope": ["brand"], "scope_id": ["all"], "estimate": price["price_elasticity"][:1], "ci_low": -9.0, "ci_high": 0.0,
                "promo_lift_pct": price["promo_lift_pct"][:1], "promo_lift_ci_low": 0.0, "promo_lift_ci_high": 99.0,
            }
        ),
        "fct_attribution_credit_week": pd.DataFrame({"model": "exact", "channel_id": credit["channel"], "credited_conversions": credit["true_incremental_conversions"]}),
    }  # fmt: skip


def test_true_marts_score_true(truth: Path, tmp_path: Path) -> None:
    lines = score(truth, warehouse(tmp_path / "w.duckdb", perfect(truth)))
    by = {(x.question, x.item): x for x in lines}
    assert all(
        x.covered
        for x in lines
        if x.question.startswith(("roi", "frequency", "price", "promo")) and x.truth is not None
    )
    assert all(x.covered is False for x in lines if x.question == "lift iroas"), (
        "an interval that misses is called a miss"
    )
    assert by[("attribution", "exact: misplaced share")].estimate == pytest.approx(0, abs=1e-4)
    assert by[("roi launch", "youtube")].truth == pytest.approx(by[("roi launch", "youtube")].estimate)
    social = by[("roi history", "instagram_reels")]
    assert "with what it drives" in social.note
    assert (
        by[("mediated share" if ("mediated share", "-") in by else "mediation", "-")].note
        == "fct_mediation has no rows yet"
    )


def test_effects_by_segment_are_counted_under_the_best_matching(truth: Path, tmp_path: Path) -> None:
    """Two true segments under other names and in another order; one effect is planted wrong, one is not stood behind."""
    known = pd.read_csv(truth / "segment_response.csv")
    assert (known["effect"] > 0).any()
    found = known[known["segment"].isin(["digital_first", "loyal_stockers"])].assign(
        segment_id=lambda f: f["segment"].map({"digital_first": "1", "loyal_stockers": "2"})
    )
    found = found.rename(columns={"channel": "channel_id"}).drop(columns="segment")
    wrong = (found["segment_id"] == "2") & (found["channel_id"] == "email")
    found.loc[wrong, "effect"] += 0.5
    found = found.assign(effect_p05=found["effect"] - 0.01, effect_p95=found["effect"] + 0.01)
    found["is_supported"] = ~((found["segment_id"] == "1") & (found["channel_id"] == "hulu"))
    unlisted = {"segment_id": "1", "channel_id": "roundel", "effect": 0.0, "effect_p05": -0.1, "effect_p95": 0.1, "is_supported": True}  # fmt: skip
    found = pd.concat([found, pd.DataFrame([unlisted])])
    lines = score(truth, warehouse(tmp_path / "w.duckdb", {"fct_segment_response": found}))
    by = {x.item: x for x in lines if x.question == "segment response"}
    assert (
        by["segment 1 youtube"].note == "as digital_first"
        and by["segment 2 youtube"].note == "as loyal_stockers"
    )
    assert [item for item, x in by.items() if x.covered is False] == ["segment 2 email"]
    assert by["segment 1 roundel"].covered and "segment 1 hulu" not in by
    assert len(by) == len(found) - 1


def test_an_empty_warehouse_says_what_is_missing(
    truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = warehouse(tmp_path / "w.duckdb", {})
    assert main(["--truth", str(truth), "--warehouse", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.count("has no rows yet") == 8 and "0 of 0 intervals" in text
    assert main(["--truth", str(truth), "--warehouse", str(path), "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 8


def test_bad_paths_give_one_line(truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.duckdb").write_text("not a database")
    for given in (
        ["--truth", str(tmp_path), "--warehouse", "x"],
        ["--truth", str(truth), "--warehouse", "x"],
        ["--truth", str(truth), "--warehouse", str(tmp_path / "text.duckdb")],
    ):
        assert main(given) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_the_table_lines_up(truth: Path, tmp_path: Path) -> None:
    text = render(score(truth, warehouse(tmp_path / "w.duckdb", perfect(truth))))
    head, *body = text.splitlines()
    assert head.split() == ["question", "item", "estimate", "low", "high", "truth", "covered", "note"]
    assert "intervals hold the truth" in body[-1] and "NO" in text
