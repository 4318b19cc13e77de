"""A positive sign is a choice: a channel that the data put below zero is not supported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from modeling.__main__ import main
from modeling.mmm.estimator import Options, fit
from modeling.mmm.posterior import channel_table
from modeling.mmm.sampler import Prior
from modeling.mmm.signs import NEGATIVE_T, free_t_values
from tests.mmm.worlds import simple_world

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
LIGHT = Options(chains=2, warmup=30, keep=60)


@pytest.mark.parametrize("geos", [1, 12])
def test_an_effect_turned_around_is_seen(geos: int) -> None:
    panel, truth = simple_world(5, geos=geos, periods=90, noise=0.006)
    t = free_t_values(panel)
    assert t[0] > 2
    assert t[1] > 2
    harm = panel.kpi - 2.0 * truth[0] * panel.spend[0]  # the first channel now costs sales
    turned = free_t_values(replace(panel, kpi=harm))
    assert turned[0] < NEGATIVE_T
    assert turned[1] > 0


def test_a_contradicted_channel_is_not_supported_whatever_the_prior_says() -> None:
    panel, truth = simple_world(5, periods=90, noise=0.006)
    harm = replace(panel, kpi=panel.kpi - 2.0 * truth[0] * panel.spend[0])
    eager = replace(LIGHT, prior=Prior(support=0.999))
    table = channel_table(fit(harm, eager)).frame.set_index("channel")
    assert not table.loc["c0", "supported"]
    assert table.loc["c0", "roi_p05"] == 0.0
    assert "below zero" in table.loc["c0", "note"]


def test_a_channel_without_exposure_has_no_t_value() -> None:
    panel, _ = simple_world(5, periods=60)
    spend = panel.spend.copy()
    spend[1] = 0.0
    t = free_t_values(replace(panel, spend=spend, exposure=spend))
    assert np.isnan(t[1])
    assert np.isfinite(t[[0, 2]]).all()


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
def test_affiliate_of_the_media_file_is_not_supported(tmp_path: Path) -> None:
    spec = {
        "date": "WEEK_START",
        "geo": "GEO",
        "kpi": "REVENUE",
        "split_duplicate_geos": True,
        "channels": [
            {"name": "google", "spend": "GOOGLE_SPEND", "exposure": "GOOGLE_IMP"},
            {"name": "facebook", "spend": "FB_SPEND", "exposure": "FB_IMP"},
            {"name": "affiliate", "spend": "AFF_SPEND", "exposure": "AFF_IMP"},
        ],
        "controls": ["EMAIL_IMP", "YT_ORG_IMP"],
        "budget": {"by_geo": True, "margin": 0.5, "geo_bounds": {"A": [1, 1]}},
    }
    (tmp_path / "spec.yml").write_text(yaml.safe_dump(spec))
    data = SHARED / "mediadata" / "mediadata.csv"
    args = ["mmm", "--data", str(data), "--spec", str(tmp_path / "spec.yml"), "--out", str(tmp_path / "out")]
    assert main(args) == 0
    table = pd.read_csv(tmp_path / "out" / "channel_summary.csv").set_index("channel")
    assert not table.loc["affiliate", "supported"]
    assert table.loc["facebook", "supported"]
    plan = pd.read_csv(tmp_path / "out" / "budget_plan_geo.csv")
    assert plan["spend"].sum() == pytest.approx(plan["current"].sum(), abs=0.01)
    fixed = plan[plan["geo"] == "A"]
    assert np.allclose(fixed["spend"], fixed["current"], atol=0.02)
    assert set(pd.read_csv(tmp_path / "out" / "budget_plan.csv")["scenario"]) >= {"optimal", "max_profit"}
    assert len(pd.read_csv(tmp_path / "out" / "sensitivity.csv")) == 3
