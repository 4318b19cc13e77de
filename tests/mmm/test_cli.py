"""`python -m modeling mmm` on files: results, refusals, determinism."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from modeling.__main__ import main
from tests.mmm.worlds import as_table, simple_world

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def write(folder: Path, data: pd.DataFrame, spec: dict[str, object]) -> list[str]:
    data.to_csv(folder / "data.csv", index=False)
    (folder / "spec.yml").write_text(yaml.safe_dump(spec))
    return [
        "mmm",
        "--data",
        str(folder / "data.csv"),
        "--spec",
        str(folder / "spec.yml"),
        "--out",
        str(folder / "out"),
    ]


def refused(
    folder: Path, data: pd.DataFrame, spec: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> str:
    assert main(write(folder, data, spec)) == 2
    assert not (folder / "out").exists()
    lines = [x for x in capsys.readouterr().err.splitlines() if not x.startswith("[")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    folder = tmp_path_factory.mktemp("mmm")
    panel, truth = simple_world(1, noise=0.006)
    assert main(write(folder, *as_table(panel))) == 0
    return folder / "out", truth


def test_truth_lies_in_the_intervals(answer: tuple[Path, np.ndarray]) -> None:
    out, truth = answer
    table = pd.read_csv(out / "channel_summary.csv")
    assert (table["roi_p05"] <= truth + 1e-9).all()
    assert (truth <= table["roi_p95"]).all()
    assert table["supported"].tolist() == [True, True, False]
    assert table.loc[2, "note"].startswith("no effect")
    assert np.allclose(table["contribution"], table["roi"] * table["spend"])


def test_decomposition_adds_up(answer: tuple[Path, np.ndarray]) -> None:
    out, _ = answer
    parts = pd.read_csv(out / "decomposition.csv").groupby("date")["value"].sum()
    fitted = pd.read_csv(out / "fitted.csv").set_index("date")
    assert np.abs(parts - fitted["fitted"]).max() < 1e-6
    assert np.abs(fitted["fitted"] + fitted["residual"] - fitted["kpi"]).max() < 1e-6
    summary = pd.read_csv(out / "channel_summary.csv").set_index("channel")["contribution"]
    sums = pd.read_csv(out / "decomposition.csv").groupby("component")["value"].sum()
    assert np.allclose(sums[summary.index], summary, rtol=1e-6, atol=1e-6)


def test_every_scenario_sums_to_its_budget(answer: tuple[Path, np.ndarray]) -> None:
    out, _ = answer
    plan = pd.read_csv(out / "budget_plan.csv", dtype={"spend": str})
    cents = plan["spend"].map(lambda s: round(float(s) * 100))
    total = cents.groupby(plan["scenario"]).sum()
    assert total["optimal"] == total["current"]
    assert abs(total["plus_10pct"] - 1.1 * total["current"]) <= 1
    earned = plan.groupby("scenario")["incremental_revenue"].sum()
    assert earned["optimal"] >= earned["current"]


def test_same_seed_same_bytes(answer: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    out, _ = answer
    panel, _ = simple_world(1, noise=0.006)
    assert main(write(tmp_path, *as_table(panel))) == 0
    for name in sorted(p.name for p in out.iterdir()):
        assert (out / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name


def test_three_rows_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, spec = as_table(simple_world(0)[0])
    assert "too few" in refused(tmp_path, data.head(3), spec, capsys)


def test_gap_duplicate_blank_negative_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, spec = as_table(simple_world(0)[0])
    assert "gap in the dates" in refused(tmp_path, data.drop(index=50), spec, capsys)
    assert "repeated dates" in refused(tmp_path, pd.concat([data, data.tail(1)]), spec, capsys)
    broken = data.copy()
    broken.loc[4, "revenue"] = np.nan
    assert "'revenue' is blank" in refused(tmp_path, broken, spec, capsys)
    broken = data.copy()
    broken.loc[4, "c0_spend"] = -1.0
    assert "'c0_spend' is negative" in refused(tmp_path, broken, spec, capsys)
    broken = data.astype({"price": object})
    broken.loc[4, "price"] = "cheap"
    assert "'cheap' on line 6 is not a number" in refused(tmp_path, broken, spec, capsys)


def test_singular_dummies_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, spec = as_table(simple_world(0)[0])
    data["a"] = np.arange(len(data)) % 3 == 0
    data["b"] = np.arange(len(data)) % 3 == 1
    data["c"] = np.arange(len(data)) % 3 == 2
    data[["a", "b", "c"]] = data[["a", "b", "c"]].astype(int)
    spec["controls"] = ["a", "b", "c"]
    assert "collinear" in refused(tmp_path, data, spec, capsys)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kpi": None}, "'kpi' is missing"),
        ({"channels": []}, "channels is empty"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"controls": ["nothing"]}, "missing column(s) nothing"),
        ({"mediators": [{"name": "price", "channels": ["radio"]}]}, "unknown: 'radio'"),
        ({"budget": {"total": 5.0, "min_share": 2}}, "min_share must be at most 1"),
    ],
)
def test_bad_specs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], says: str
) -> None:
    data, spec = as_table(simple_world(0)[0])
    assert says in refused(tmp_path, data, spec | change, capsys)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_real_files_are_refused_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    media = pd.read_csv(SHARED / "mediadata" / "mediadata.csv")
    spec: dict[str, object] = {
        "date": "WEEK_START",
        "geo": "GEO",
        "kpi": "REVENUE",
        "channels": [
            {"name": "fb", "spend": "FB_SPEND", "exposure": "FB_IMP"},
            {"name": "affiliate", "spend": "AFF_SPEND", "exposure": "AFF_IMP"},
        ],
    }
    line = refused(tmp_path, media, spec, capsys)
    assert "113 rows repeat" in line and "'Z'" in line
    app = pd.read_csv(SHARED / "mmm_app" / "MMM_Data.csv")
    spec = {
        "date": "Week Start Date",
        "kpi": "Sales",
        "controls": [f"Cluster_{k}.0" for k in range(5)],
        "channels": [{"name": "tv", "spend": "TV"}, {"name": "radio", "spend": "Radio"}],
    }
    assert "collinear" in refused(tmp_path, app, spec, capsys)
    three = pd.read_csv(SHARED / "retail_media_samples" / "mmm_features_sample.csv")
    three["week"] = ["2024-12-15", "2024-12-22", "2024-12-29"]
    spec = {"date": "week", "kpi": "units_sold", "channels": [{"name": "ctv", "spend": "spend_ctv_adstock"}]}
    assert "too few" in refused(tmp_path, three, spec, capsys)
